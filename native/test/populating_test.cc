// Which pages of a block have memory before anybody touches it, by how many calls, and what happens where the system
// does not do that.
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <set>

#include "client.h"
#include "files.h"

namespace slabpool::test {
namespace {

constexpr int kPopulateWrite = 23;

// What the system's madvise() was asked for.
struct Calls {
  std::atomic<uint32_t> count{0};
  std::atomic<int> refused_with{0};  // an errno: from now on
} calls;

}  // namespace
}  // namespace slabpool::test

// In the place of the C library's.
extern "C" int madvise(void* address, size_t bytes, int advice) noexcept {
  auto& calls = slabpool::test::calls;
  if (advice == slabpool::test::kPopulateWrite) {
    if (bytes != 0) ++calls.count;
    if (const int error = calls.refused_with) {
      errno = error;
      return -1;
    }
  }
  return static_cast<int>(syscall(SYS_madvise, address, bytes, advice));
}

namespace slabpool::test {
namespace {

// There is memory enough, whatever else runs here.
struct Plenty {
  Plenty() {
    files.meminfo(uint64_t{1} << 40, uint64_t{1} << 40);
    (void)os::can_populate();  // asks the system once
    calls.count = 0;
  }
  ~Plenty() {
    calls.refused_with = 0;
    os::set_populating(true);
  }
  Files files;
};

// Beginnings of all pages that the blocks touch.
std::set<uintptr_t> pages_of(const Pool& pool, uint32_t c, const Blocks& blocks) {
  std::set<uintptr_t> pages;
  const uintptr_t page = os::page_size();
  for (const uint32_t b : blocks) {
    const auto from = reinterpret_cast<uintptr_t>(pool.address(b));
    for (uintptr_t at = from & ~(page - 1); at < from + pool.size_class(c).stride; at += page) pages.insert(at);
  }
  return pages;
}

size_t resident_pages(const Pool& pool, uint32_t c, const Blocks& blocks) {
  size_t resident = 0;
  for (const uintptr_t page : pages_of(pool, c, blocks)) {
    resident += test::resident_pages(reinterpret_cast<const char*>(page), os::page_size());
  }
  return resident;
}

size_t runs_of(const std::set<uintptr_t>& pages) {
  size_t runs = 0;
  for (const uintptr_t page : pages) runs += !pages.contains(page - os::page_size());
  return runs;
}

const std::vector<uint32_t> kTiers = {1000, 1280, 4096, 5000, 20'000, 65'536};

TEST(cold_refills_are_populated_by_a_call_for_each_run_of_pages) {
  const Plenty plenty;
  const auto pool = make_pool(kTiers, 16 * kMiB);
  Client client(*pool);
  for (uint32_t c = 0; c < pool->class_count(); ++c) {
    // One batch may be all that is wanted: the first of its blocks is about to be used.
    calls.count = 0;
    Blocks held = client.refill(c);
    CHECK_EQ(resident_pages(*pool, c, held), os::can_populate() ? pages_of(*pool, c, {held[0]}).size() : 0);
    CHECK_EQ(uint32_t{calls.count}, os::can_populate() ? 1u : 0u);
    for (int i = 0; i < 5; ++i) {
      calls.count = 0;
      const Blocks blocks = client.refill(c);
      const auto pages = pages_of(*pool, c, blocks);
      if (os::can_populate()) CHECK_EQ(resident_pages(*pool, c, blocks), pages.size());
      CHECK_EQ(size_t{calls.count}, os::can_populate() ? runs_of(pages) : 0);
      for (const uint32_t b : blocks) CHECK(all_bytes_are(pool->address(b), pool->size_class(c).capacity, 0));
      held.insert(held.end(), blocks.begin(), blocks.end());
    }
    // Every other block: the runs are short.
    Blocks others;
    for (size_t i = 0; i < held.size(); i += 2) others.push_back(held[i]);
    fill(*pool, c, held, 'x');
    CHECK_EQ(client.flush(c, others), Status::ok);
    (void)pool->trim();
    calls.count = 0;
    Blocks blocks;
    while (blocks.size() < others.size()) CHECK_EQ(client.refill(c, blocks), Status::ok);
    if (os::can_populate()) {
      // All but what the first of these refills brought.
      const size_t first = pages_of(*pool, c, {blocks.begin(), blocks.begin() + pool->size_class(c).batch}).size();
      CHECK(resident_pages(*pool, c, blocks) + first > pages_of(*pool, c, blocks).size());
    }
    for (size_t i = 1; i < held.size(); i += 2) {
      CHECK(all_bytes_are(pool->address(held[i]), pool->size_class(c).capacity, 'x'));
    }
    CHECK_SOUND(*pool);
  }
}

TEST(blocks_that_have_their_pages_need_no_call) {
  const Plenty plenty;
  const auto pool = make_pool({1000, 65'536}, 16 * kMiB);
  Client client(*pool);
  for (const uint32_t c : {0, 1}) {
    Blocks blocks = client.refill(c);
    calls.count = 0;
    for (const Step step : {Step::depot, Step::victim}) {
      CHECK_EQ(client.flush(c, blocks), Status::ok);
      if (step == Step::victim) (void)pool->age();
      blocks = client.refill(c);
      CHECK_EQ(pool->stats(c).refills[static_cast<size_t>(step)], uint64_t{1});
    }
    // All but one turn cold; its neighbours lie on pages that it holds.
    const Blocks one{blocks[blocks.size() / 2]};
    blocks.erase(blocks.begin() + static_cast<long>(blocks.size() / 2));
    CHECK_EQ(client.flush(c, blocks), Status::ok);
    (void)pool->trim();
    if (pool->size_class(c).shares_pages()) {
      const uint64_t used = pool->budget().used();
      CHECK(!client.refill(c).empty());
      CHECK_EQ(pool->budget().used(), used);
    }
    CHECK_EQ(uint32_t{calls.count}, 0u);
    CHECK_SOUND(*pool);
  }
}

TEST(large_block_is_populated_as_far_as_those_before_it_were_used) {
  const Plenty plenty;
  if (!os::can_populate()) return;
  for (const uint32_t capacity : {80u << 10, 1u << 20, 3u << 20}) {
    const auto pool = make_pool({capacity}, 16 * kMiB);
    Client client(*pool);
    const size_t pages = capacity / os::page_size();
    const size_t beginning = kBeginning / os::page_size();
    Blocks first;
    const auto refill_twice = [&] {
      first = client.refill(0);
      return client.refill(0);
    };
    const auto used_up_to = [&](const Blocks& blocks, size_t bytes) {
      for (const Blocks& some : {first, blocks}) {
        for (const uint32_t b : some) std::memset(pool->address(b), 'x', bytes);
        CHECK_EQ(client.flush(0, some), Status::ok);
      }
      (void)pool->trim();
    };
    Blocks blocks = refill_twice();
    CHECK_EQ(resident_pages(*pool, 0, blocks), beginning * blocks.size());
    used_up_to(blocks, 1);
    blocks = refill_twice();
    CHECK_EQ(resident_pages(*pool, 0, blocks), beginning * blocks.size());
    used_up_to(blocks, capacity / 2 + 1);
    for (int again = 0; again < 2; ++again) {
      blocks = refill_twice();
      // All but the page in the middle, which tells.
      CHECK_EQ(resident_pages(*pool, 0, blocks), (pages - 1) * blocks.size());
      CHECK(!os::is_resident(pool->address(blocks[0]) + pages / 2 * os::page_size()));
      used_up_to(blocks, capacity);
    }
    used_up_to(refill_twice(), capacity / 4);
    blocks = refill_twice();
    CHECK_EQ(resident_pages(*pool, 0, blocks), beginning * blocks.size());
    // One that is still held tells as well, if it was used by now.
    Blocks next = client.refill(0);
    CHECK_EQ(resident_pages(*pool, 0, next), beginning * next.size());
    fill(*pool, 0, next, 'x');
    next = client.refill(0);
    CHECK_EQ(resident_pages(*pool, 0, next), (pages - 1) * next.size());
    CHECK_SOUND(*pool);
  }
}

TEST(blocks_that_are_made_ready_have_all_their_pages) {
  const Plenty plenty;
  if (!os::can_populate()) return;
  const auto pool = make_pool({1000, 65'536, 1 << 20}, 64 * kMiB);
  Client client(*pool);
  for (uint32_t c = 0; c < pool->class_count(); ++c) {
    CHECK_EQ(pool->warm(*client.member, c, 8).status, Status::ok);
    Blocks taken;
    while (taken.size() < 8) {
      uint32_t some[kMaxBatch];
      const uint32_t count = pool->take_free(*client.member, c, pool->size_class(c).batch, some);
      CHECK(count != 0);
      taken.insert(taken.end(), some, some + count);
    }
    CHECK_EQ(resident_pages(*pool, c, taken), pages_of(*pool, c, taken).size());
  }
  CHECK_SOUND(*pool);
}

TEST(granted_block_is_populated_by_the_thread_that_asked) {
  const Plenty plenty;
  const auto pool = make_pool({32'768, 65'536}, 65'536);
  Client client(*pool);
  Client other(*pool);
  const Blocks held = client.refill_all(0);
  (void)other.wait(1);
  calls.count = 0;
  CHECK_EQ(client.flush(0, held), Status::ok);  // serves
  CHECK_EQ(uint32_t{calls.count}, 0u);
  Blocks blocks;
  CHECK_EQ(other.collect(blocks).size(), size_t{1});
  CHECK_EQ(resident_pages(*pool, 1, blocks), os::can_populate() ? 65'536 / os::page_size() : 0);
  CHECK_SOUND(*pool);
}

TEST(where_the_system_refuses_pages_come_with_their_first_touch) {
  const Plenty plenty;
  const bool can = os::can_populate();
  for (const int error : {0, ENOMEM, EFAULT, EAGAIN, EINVAL, EHWPOISON, EPERM}) {
    os::set_populating(error != 0);
    calls.refused_with = error;
    calls.count = 0;
    const auto pool = make_pool({4096, 65'536, 1 << 20}, 16 * kMiB);
    Client client(*pool);
    for (uint32_t c = 0; c < pool->class_count(); ++c) {
      const Blocks blocks = client.refill(c);
      CHECK_EQ(resident_pages(*pool, c, blocks), size_t{0});
      fill(*pool, c, blocks, 'x');
      CHECK_EQ(client.flush(c, blocks), Status::ok);
    }
    CHECK(pool->trim() != 0);
    CHECK_EQ(pool->budget().used(), uint64_t{0});
    CHECK_EQ(calls.count != 0, can && error != 0);
    CHECK_SOUND(*pool);
    calls.refused_with = 0;
  }
}

TEST(system_without_the_call_is_not_asked_for_it) {
  const Plenty plenty;
  calls.refused_with = EINVAL;
  os::set_populating(true);
  CHECK(!os::can_populate());
  calls.count = 0;
  const auto pool = make_pool({65'536}, 16 * kMiB);
  Client client(*pool);
  CHECK_EQ(resident_pages(*pool, 0, client.refill(0)), size_t{0});
  CHECK_EQ(uint32_t{calls.count}, 0u);
}

TEST(no_more_is_populated_than_there_is_memory_to_spare) {
  const Plenty plenty;
  if (!os::can_populate()) return;
  Files files;
  files.meminfo(100 * kKiB, 40 * kKiB);  // 60 of 100 MiB in use: 10 up to the level high
  const auto pool = make_pool({65'536}, 32 * kMiB);
  Client client(*pool);
  const Blocks blocks = client.refill_all(0);
  CHECK_EQ(blocks.size(), size_t{512});
  const size_t bytes = resident_pages(*pool, 0, blocks) * os::page_size();
  CHECK(bytes <= 10 * kMiB);
  CHECK(bytes > 9 * kMiB);
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  (void)pool->trim();
  files.meminfo(100 * kKiB, 29 * kKiB);
  (void)memory::look();
  CHECK_EQ(resident_pages(*pool, 0, client.refill(0)), size_t{0});
  CHECK_SOUND(*pool);
}

}  // namespace
}  // namespace slabpool::test
