// What epochs and the destructor do to pages, as the operating system sees it.
#include <set>

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

// Pages that the blocks touch.
size_t pages_of(const Pool& pool, uint32_t c, const Blocks& blocks) {
  std::set<uintptr_t> pages;
  for (const uint32_t b : blocks) {
    const auto from = reinterpret_cast<uintptr_t>(pool.address(b));
    for (auto page = from / os::page_size(); page * os::page_size() < from + pool.size_class(c).stride; ++page)
      pages.insert(page);
  }
  return pages.size();
}

TEST(two_epochs_give_idle_pages_back_to_the_os) {
  // Sub-page, whole pages, several pages and a remainder, larger than a huge page.
  const auto pool = make_pool({1000, 4096, 20'000, 65'536, 3'000'000}, 64 * kMiB);
  Client client(*pool);
  for (uint32_t c = 0; c < pool->class_count(); ++c) {
    const Blocks blocks = client.refill(c);
    fill(*pool, c, blocks, 'x');
    const uint64_t charged = pool->budget().used();
    CHECK_EQ(charged, pages_of(*pool, c, blocks) * os::page_size());
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
    CHECK_EQ(pool->stats(c).slabs, (pool->budget().max() + k.slab_bytes - 1) / k.slab_bytes);
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

TEST(one_held_block_keeps_only_the_pages_it_touches) {
  for (const uint32_t capacity : {64, 1000, 1280, 4096, 5000, 20'000, 100'000}) {
    const auto pool = make_pool({capacity}, 16 * kMiB);
    Client client(*pool);
    Blocks blocks;
    for (int batches = 0; batches < 4; ++batches) client.refill(0, blocks);
    fill(*pool, 0, blocks, 'x');
    const Blocks kept = {blocks[blocks.size() / 2]};
    blocks.erase(blocks.begin() + static_cast<std::ptrdiff_t>(blocks.size() / 2));
    CHECK_EQ(client.flush(0, blocks), Status::ok);
    pool->age();
    pool->age();
    const uint64_t pages = pages_of(*pool, 0, kept);
    CHECK_EQ(pool->budget().used(), pages * os::page_size());
    CHECK_EQ(pool->stats(0).resident, uint64_t{1});
    CHECK_EQ(pool->stats(0).pinned_bytes, pages * os::page_size() - pool->size_class(0).stride);
    CHECK_EQ(resident_pages(*pool, 0, kept), pages);
    CHECK(all_bytes_are(pool->address(kept[0]), capacity, 'x'));
    CHECK_SOUND(*pool);

    CHECK_EQ(client.flush(0, kept), Status::ok);
    pool->trim();
    CHECK_EQ(pool->budget().used(), uint64_t{0});
    CHECK_EQ(resident_pages(*pool, 0, blocks) + resident_pages(*pool, 0, kept), size_t{0});
    CHECK_SOUND(*pool);
  }
}

// Of 8 MiB full of small blocks one in 32 stays: it costs one page in eight, and the rest is for anybody.
TEST(few_small_blocks_that_stay_leave_the_rest_of_the_budget_to_others) {
  const auto pool = make_pool({1024, 65'536}, 8 * kMiB);
  Client client(*pool);
  const Blocks small = client.refill_all(0);
  CHECK_EQ(small.size(), size_t{8192});
  Blocks kept, given;
  for (size_t i = 0; i < small.size(); ++i) (i % 32 == 0 ? kept : given).push_back(small[i]);
  CHECK_EQ(client.flush(0, given), Status::ok);
  CHECK_EQ(client.refill_all(1).size() * 65'536, 7 * kMiB);
  CHECK_SOUND(*pool);
  // What lies on their pages needs no room.
  const ClassStats stats = pool->stats(0);
  CHECK_EQ(stats.pinned_bytes, uint64_t{256 * 3 * 1024});
  CHECK_EQ(pool->budget().used(), pool->budget().max());
  Blocks beside;
  while (client.refill(0, beside) == Status::ok) {
  }
  CHECK_EQ(beside.size(), size_t{256 * 3});
  CHECK_EQ(pool->stats(0).pinned_bytes, uint64_t{0});
  CHECK_SOUND(*pool);
}

TEST(system_calls_follow_the_runs_of_free_pages) {
  const auto pool = make_pool({4096}, 64 * kMiB);
  Client client(*pool);
  const Blocks all = client.refill_all(0);
  const uint64_t slabs = pool->stats(0).slabs;
  CHECK_EQ(all.size() / slabs, size_t{512});
  Blocks shuffled = all;
  Random random(1);
  for (size_t i = shuffled.size(); i > 1; --i)
    std::swap(shuffled[i - 1], shuffled[random.below(static_cast<uint32_t>(i))]);
  CHECK_EQ(client.flush(0, shuffled), Status::ok);
  pool->trim();
  CHECK_EQ(pool->budget().used(), uint64_t{0});
  CHECK_EQ(pool->stats().drop_calls, slabs);

  // With one in 512 that stays: a run on either side of it.
  const Blocks again = client.refill_all(0);
  Blocks kept, given;
  for (const uint32_t b : again) (b % 512 == 77 ? kept : given).push_back(b);
  CHECK_EQ(kept.size(), slabs);
  CHECK_EQ(client.flush(0, given), Status::ok);
  pool->trim();
  CHECK_EQ(pool->stats().drop_calls, slabs + 2 * slabs);
  CHECK_EQ(pool->budget().used(), kept.size() * 4096);
  CHECK_SOUND(*pool);
}

TEST(refill_is_refused_at_once_where_the_os_keeps_what_is_idle) {
  if (kSanitized) return;  // sanitizers turn mlock into nothing
  const auto pool = make_pool({4096, 65'536}, 64 * kKiB);
  Client client(*pool);
  const Blocks blocks = client.refill_all(0);
  char* const locked = pool->address(blocks[0]);
  if (mlock(locked, 1) != 0) return;  // RLIMIT_MEMLOCK is 0 here
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  Blocks none;
  CHECK_EQ(client.refill(1, none), Status::exhausted);
  CHECK_SOUND(*pool);
  CHECK_EQ(munlock(locked, 1), 0);
  CHECK_EQ(client.refill(1, none), Status::ok);
  CHECK_SOUND(*pool);
}

TEST(trim_that_is_stopped_leaves_the_pool_sound) {
  const auto pool = make_pool({4096}, 64 * kMiB);
  Client client(*pool);
  CHECK_EQ(client.flush(0, client.refill_all(0)), Status::ok);
  StdSync::atomic<bool> stop{true};
  CHECK_EQ(pool->trim(Cause::trim, &stop), uint64_t{0});
  CHECK_EQ(pool->stats().drop_calls, uint64_t{0});
  CHECK_SOUND(*pool);
  stop = false;
  CHECK_EQ(pool->trim(Cause::trim, &stop), 64 * kMiB);
}

TEST(epochs_leave_the_least_that_is_to_stay_warm) {
  for (const uint32_t capacity : {1000, 4096, 65'536}) {
    const uint64_t least = 3 * kMiB + 4096;
    const auto pool = Pool::create(&capacity, 1, 64 * kMiB, 0, least);
    Client client(*pool);
    CHECK_EQ(client.flush(0, client.refill_all(0)), Status::ok);
    for (int epoch = 0; epoch < 4; ++epoch) pool->age();
    CHECK(pool->budget().used() >= least);
    CHECK(pool->budget().used() < least + pool->size_class(0).least_bytes() + os::page_size());
    CHECK_SOUND(*pool);
    pool->trim();
    CHECK_EQ(pool->budget().used(), uint64_t{0});
  }
}

TEST(refill_makes_room_from_idle_blocks_of_other_classes_as_much_as_it_needs) {
  const auto pool = make_pool({4096, 65'536}, 8 * kMiB);
  Client client(*pool);
  CHECK_EQ(client.flush(0, client.refill_all(0)), Status::ok);
  uint32_t batch[kMaxBatch];
  const RefillResult result = pool->refill(*client.member, 1, batch);
  CHECK_EQ(result.status, Status::ok);
  CHECK_EQ(result.reclaimed_bytes, 2 * kMiB);  // one slab
  CHECK_EQ(pool->stats().dropped_bytes[static_cast<size_t>(Cause::exhausted)], 2 * kMiB);
  CHECK_SOUND(*pool);
}

TEST(one_held_block_keeps_only_its_own_pages_where_blocks_are_whole_pages) {
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

TEST(retired_block_keeps_the_pages_it_touches) {
  const auto pool = make_pool({1000}, 4 * kMiB);
  Client client(*pool);
  Blocks blocks = client.refill(0);
  fill(*pool, 0, blocks, 'x');
  const uint32_t retired = blocks.back();
  CHECK_EQ(pool->retire(*client.member, 0, retired), Status::ok);
  blocks.pop_back();
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  for (int epoch = 0; epoch < 3; ++epoch) pool->age();
  CHECK(all_bytes_are(pool->address(retired), 1000, 'x'));
  CHECK_EQ(pool->stats(0).resident, uint64_t{1});
  CHECK_EQ(pool->budget().used(), os::page_size());
  CHECK_SOUND(*pool);
}

TEST(slab_whose_pages_the_os_keeps_stays_idle_and_charged) {
  if (kSanitized) return;  // sanitizers turn mlock into nothing
  const auto pool = make_pool({1000, 4096, 65'536}, 4 * kMiB);
  Client client(*pool);
  for (uint32_t c = 0; c < 3; ++c) {
    const Blocks blocks = client.refill(c);
    char* const locked = pool->address(blocks[0]);
    if (mlock(locked, 1) != 0) return;  // RLIMIT_MEMLOCK is 0 here
    CHECK_EQ(client.flush(c, blocks), Status::ok);
    pool->age();
    const uint64_t used = pool->budget().used();
    CHECK_EQ(pool->age(), uint64_t{0});
    CHECK_EQ(pool->trim(), uint64_t{0});
    CHECK_EQ(pool->stats(c).idle, uint64_t{blocks.size()});
    CHECK_EQ(pool->budget().used(), used);
    CHECK_SOUND(*pool);

    CHECK_EQ(munlock(locked, 1), 0);
    CHECK_EQ(pool->age(), used);
    CHECK_EQ(pool->budget().used(), uint64_t{0});
    CHECK_SOUND(*pool);
  }
}

}  // namespace
}  // namespace slabpool::test
