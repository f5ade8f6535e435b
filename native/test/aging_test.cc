// What epochs and the destructor do to pages, as the operating system sees it.
#include "client.h"

namespace slabpool::test {
namespace {

// Pages that hold memory, over whole strides: the capacity alone may end inside a page of the next block.
size_t resident_pages(const Pool& pool, uint32_t c, const Blocks& blocks) {
  size_t pages = 0;
  for (const uint32_t b : blocks) {
    const auto from = reinterpret_cast<uintptr_t>(pool.address(b)) & ~uintptr_t{os::page_size() - 1};
    const auto to = reinterpret_cast<uintptr_t>(pool.address(b)) + pool.size_class(c).stride;
    pages += test::resident_pages(reinterpret_cast<const char*>(from), to - from);
  }
  return pages;
}

TEST(two_epochs_give_idle_pages_back_to_the_os) {
  // Sub-page, whole pages, several pages and a remainder, larger than a huge page.
  const auto pool = make_pool({1000, 4096, 20'000, 65'536, 3'000'000}, 64 * kMiB);
  Client client(*pool);
  for (uint32_t c = 0; c < pool->class_count(); ++c) {
    const Blocks blocks = client.refill(c);
    fill(*pool, c, blocks, 'x');
    const uint64_t charged = pool->budget().used();
    CHECK_EQ(charged, blocks.size() * pool->size_class(c).stride);
    CHECK_EQ(client.flush(c, blocks), Status::ok);

    CHECK_EQ(pool->age(), uint64_t{0});
    CHECK(resident_pages(*pool, c, blocks) != 0);
    CHECK_EQ(pool->stats(c).resident, uint64_t{blocks.size()});
    CHECK_SOUND(*pool);

    CHECK_EQ(pool->age(), charged);
    CHECK_EQ(resident_pages(*pool, c, blocks), size_t{0});
    CHECK_EQ(pool->stats(c).resident, uint64_t{0});
    CHECK_EQ(pool->budget().used(), uint64_t{0});
    for (const uint32_t b : blocks) CHECK(all_bytes_are(pool->address(b), pool->size_class(c).capacity, 0));
    CHECK_SOUND(*pool);
  }
}

TEST(cold_blocks_are_used_before_a_new_slab_is_carved) {
  const auto pool = make_pool({1000, 65'536}, 4 * kMiB);
  Client client(*pool);
  for (uint32_t c : {0, 1}) {
    for (int round = 0; round < 5; ++round) {
      const Blocks blocks = client.refill_all(c);
      CHECK_EQ(client.flush(c, blocks), Status::ok);
      pool->age();
      pool->age();
    }
    const SizeClass& k = pool->size_class(c);
    CHECK_EQ(pool->stats(c).slabs, pool->budget().max() / k.slab_bytes);
    CHECK(pool->stats(c).refills[static_cast<size_t>(Step::cold)] != 0);
    CHECK_SOUND(*pool);
  }
}

TEST(another_heap_takes_cold_blocks_before_it_carves) {
  const auto pool = make_pool({65'536}, 4 * kMiB);
  Client client(*pool);
  Client other(*pool);
  CHECK_EQ(client.flush(0, client.refill_all(0)), Status::ok);
  pool->age();
  pool->age();
  CHECK_EQ(other.refill_all(0).size(), size_t{64});
  CHECK_EQ(pool->stats(0).slabs, uint64_t{2});
  CHECK_SOUND(*pool);
}

TEST(blocks_used_in_every_epoch_keep_their_pages) {
  const auto pool = make_pool({4096}, 4 * kMiB);
  Client client(*pool);
  Blocks blocks = client.refill(0);
  for (int epoch = 0; epoch < 5; ++epoch) {
    fill(*pool, 0, blocks, 'x');
    CHECK_EQ(client.flush(0, blocks), Status::ok);
    CHECK_EQ(pool->age(), uint64_t{0});
    blocks = client.refill(0);
    for (const uint32_t b : blocks) CHECK(all_bytes_are(pool->address(b), 4096, 'x'));
  }
  CHECK_EQ(pool->stats(0).refills[static_cast<size_t>(Step::victim)], uint64_t{5});
  CHECK_SOUND(*pool);
}

TEST(one_block_out_keeps_the_pages_of_a_slab_whose_blocks_share_them) {
  const auto pool = make_pool({1000}, 4 * kMiB);
  Client client(*pool);
  Blocks blocks = client.refill(0);
  fill(*pool, 0, blocks, 'x');
  const Blocks kept = {blocks.back()};
  blocks.pop_back();
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  for (int epoch = 0; epoch < 3; ++epoch) CHECK_EQ(pool->age(), uint64_t{0});
  CHECK_EQ(pool->stats(0).resident, uint64_t{blocks.size() + 1});
  for (const uint32_t b : blocks) CHECK(all_bytes_are(pool->address(b), 1000, 'x'));
  CHECK_SOUND(*pool);

  CHECK_EQ(client.flush(0, kept), Status::ok);
  pool->age();
  CHECK_EQ(pool->age(), pool->size_class(0).slab_bytes);
  CHECK_EQ(resident_pages(*pool, 0, blocks), size_t{0});
  CHECK_SOUND(*pool);
}

TEST(one_block_out_keeps_only_its_own_pages_where_blocks_are_whole_pages) {
  const auto pool = make_pool({4096}, 4 * kMiB);
  Client client(*pool);
  Blocks blocks = client.refill(0);
  fill(*pool, 0, blocks, 'x');
  const Blocks kept = {blocks[blocks.size() / 2]};
  blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(blocks.size() / 2));
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  pool->age();
  CHECK_EQ(pool->age(), blocks.size() * 4096);
  CHECK_EQ(resident_pages(*pool, 0, blocks), size_t{0});
  CHECK(all_bytes_are(pool->address(kept[0]), 4096, 'x'));
  CHECK_EQ(pool->stats(0).resident, uint64_t{1});
  CHECK_SOUND(*pool);
}

TEST(slabs_interleaved_in_their_batches_are_told_apart) {
  const auto pool = make_pool({1000}, 4 * kMiB);
  Client client(*pool);
  constexpr size_t kSlabs = 8;
  Blocks all;
  for (size_t s = 0; s < kSlabs; ++s) client.refill(0, all);
  const size_t per_slab = all.size() / kSlabs;
  Blocks shuffled;
  for (size_t i = 0; i < per_slab; ++i) {
    for (size_t s = 0; s < kSlabs; ++s) shuffled.push_back(all[s * per_slab + i]);
  }
  const Blocks kept = {shuffled.back()};
  shuffled.pop_back();
  CHECK_EQ(client.flush(0, shuffled), Status::ok);
  pool->age();
  CHECK_EQ(pool->age(), (kSlabs - 1) * pool->size_class(0).slab_bytes);
  CHECK_EQ(pool->stats(0).resident, uint64_t{per_slab});
  CHECK_SOUND(*pool);
}

TEST(retired_block_keeps_the_pages_of_a_slab_whose_blocks_share_them) {
  const auto pool = make_pool({1000}, 4 * kMiB);
  Client client(*pool);
  Blocks blocks = client.refill(0);
  fill(*pool, 0, blocks, 'x');
  const uint32_t retired = blocks.back();
  CHECK_EQ(pool->retire(*client.thread, 0, retired), Status::ok);
  blocks.pop_back();
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  for (int epoch = 0; epoch < 3; ++epoch) CHECK_EQ(pool->age(), uint64_t{0});
  CHECK(all_bytes_are(pool->address(retired), 1000, 'x'));
  CHECK_EQ(pool->stats(0).resident, uint64_t{blocks.size() + 1});
  CHECK_SOUND(*pool);
}

TEST(pages_that_the_os_keeps_stay_victims_and_charged) {
  if (kSanitized) return;  // sanitizers turn mlock into nothing
  const auto pool = make_pool({1000, 4096, 65'536}, 4 * kMiB);
  Client client(*pool);
  for (uint32_t c = 0; c < 3; ++c) {
    const Blocks blocks = client.refill(c);
    char* const locked = pool->address(blocks[0]);
    if (mlock(locked, 1) != 0) return;  // RLIMIT_MEMLOCK is 0 here
    CHECK_EQ(client.flush(c, blocks), Status::ok);
    pool->age();
    // The block that is locked; the whole slab where blocks share pages.
    const uint64_t kept = pool->size_class(c).span;
    CHECK_EQ(pool->age(), (blocks.size() - kept) * pool->size_class(c).stride);
    CHECK_EQ(pool->stats(c).resident, kept);
    CHECK_SOUND(*pool);

    CHECK_EQ(munlock(locked, 1), 0);
    CHECK_EQ(pool->age(), kept * pool->size_class(c).stride);
    CHECK_EQ(pool->budget().used(), uint64_t{0});
    CHECK_SOUND(*pool);
  }
}

TEST(destructor_gives_back_pages_of_blocks_that_are_out_and_their_views_read_zeros) {
  struct View {
    char* address;
    size_t bytes;
  };
  std::vector<View> views;
  {
    const auto pool = make_pool({1000, 4096, 20'000, 65'536}, 16 * kMiB);
    Client client(*pool);
    for (uint32_t c = 0; c < pool->class_count(); ++c) {
      const Blocks blocks = client.refill(c);
      fill(*pool, c, blocks, 'x');
      for (const uint32_t b : blocks) views.push_back({pool->address(b), pool->size_class(c).capacity});
    }
  }
  for (const View& v : views) {
    const auto page = reinterpret_cast<uintptr_t>(v.address) & ~uintptr_t{os::page_size() - 1};
    CHECK_EQ(test::resident_pages(reinterpret_cast<const char*>(page), v.bytes), size_t{0});
  }
  for (const View& v : views) {
    CHECK(all_bytes_are(v.address, v.bytes, 0));
    std::memset(v.address, 'y', v.bytes);  // a stale view may still write
  }

  // No later pool gets the address range.
  const auto next = make_pool({1000, 4096, 20'000, 65'536}, 16 * kMiB);
  Client client(*next);
  for (uint32_t c = 0; c < next->class_count(); ++c) {
    for (const uint32_t b : client.refill(c)) {
      for (const View& v : views) {
        CHECK(next->address(b) + next->size_class(c).capacity <= v.address || v.address + v.bytes <= next->address(b));
      }
    }
  }
  CHECK_SOUND(*next);
}

}  // namespace
}  // namespace slabpool::test
