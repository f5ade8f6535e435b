// Client: what a thread of JavaScript is to a pool, as the tests need it: an member, and calls that
// check their own result.
#pragma once

#include <sys/mman.h>

#include <chrono>
#include <iterator>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/os/os.h"
#include "core/pool/pool.h"
#include "test.h"

namespace slabpool::test {

inline constexpr uint64_t kKiB = 1 << 10;
inline constexpr uint64_t kMiB = 1 << 20;

using Blocks = std::vector<uint32_t>;

inline std::unique_ptr<Pool> make_pool(const std::vector<uint32_t>& capacities, uint64_t max_bytes,
                                       uint32_t epoch_ms = 0) {
  return Pool::create(capacities.data(), static_cast<uint32_t>(capacities.size()), max_bytes, epoch_ms);
}

struct Client {
  Pool& pool;
  Member* member;

  explicit Client(Pool& p) : pool(p), member(p.attach()) { CHECK(member != nullptr); }

  // What it holds is in quarantine. The client is of no use then.
  void detach(Departure departure = Departure::abandoned) { pool.detach(*std::exchange(member, nullptr), departure); }

  // Appends a batch to `to`.
  Status refill(uint32_t c, Blocks& to) {
    uint32_t batch[kMaxBatch];
    const RefillResult result = pool.refill(*member, c, batch);
    CHECK_EQ(result.count != 0, result.status == Status::ok);
    CHECK(result.count <= pool.size_class(c).batch);
    to.insert(to.end(), batch, batch + result.count);
    return result.status;
  }

  Blocks refill(uint32_t c) {
    Blocks blocks;
    CHECK_EQ(refill(c, blocks), Status::ok);
    return blocks;
  }

  // All that the budget allows.
  Blocks refill_all(uint32_t c) {
    Blocks blocks;
    Status status;
    while ((status = refill(c, blocks)) == Status::ok) {
    }
    CHECK_EQ(status, Status::exhausted);
    return blocks;
  }

  // By value: Pool::flush reorders. In pieces of a batch, as the magazines do.
  Status flush(uint32_t c, Blocks blocks) {
    Status status = Status::ok;
    for (size_t i = 0; i < blocks.size(); i += kMaxBatch) {
      const auto count = static_cast<uint32_t>(std::min<size_t>(kMaxBatch, blocks.size() - i));
      if (pool.flush(*member, c, blocks.data() + i, count) != Status::ok) status = Status::not_held;
    }
    return status;
  }

  uint32_t transfer(uint32_t c, uint32_t block, uint32_t size = 0) {
    uint32_t generation = 0;
    CHECK_EQ(pool.transfer(*member, c, block, Carrier::ticket, generation, size), Status::ok);
    return generation;
  }

  // A place in the queue: its number.
  uint64_t wait(uint32_t c) {
    uint64_t number = 0;
    CHECK_EQ(pool.wait(*member, c, UINT64_MAX, number), Status::ok);
    CHECK(number != 0);
    return number;
  }

  // The numbers of all requests that were served; appends their blocks to `to`.
  std::vector<uint64_t> collect(Blocks& to) {
    std::vector<uint64_t> numbers;
    for (Grant grant{}; pool.collect(*member, grant);) {
      CHECK(pool.holds(*member, grant.size_class, grant.block));
      numbers.push_back(grant.number);
      to.push_back(grant.block);
    }
    return numbers;
  }

  std::vector<uint64_t> collect() {
    Blocks blocks;
    return collect(blocks);
  }

  Status adopt(uint32_t block, uint32_t generation) { return pool.adopt(*member, block, generation); }
};

// Whether an enrolled pool that nobody uses gives everything back by itself. Generous: other processes may have the
// machine.
inline bool empties(Pool& pool) {
  for (int ms = 0; ms < 20'000 && pool.budget().used() != 0; ++ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  (void)pool.trim();  // waits until the janitor is done
  return pool.budget().used() == 0;
}

// What is left of the arenas that there are, where no other can be had. In static memory: there may be no other,
// either.
inline std::pair<Range**, size_t> take_rest_of_arenas() {
  static Range* rest[100'000];
  size_t count = 0;
  while (count < std::size(rest) && (rest[count] = AddressSpace::allocate(64 * kKiB, 64 * kKiB)) != nullptr) ++count;
  return {rest, count};
}

// Pages of the range that hold memory. A page that was only read counts as well, so ask before reading.
inline size_t resident_pages(const char* address, size_t bytes) {
  std::vector<unsigned char> pages((bytes + os::page_size() - 1) / os::page_size());
  CHECK_EQ(mincore(const_cast<char*>(address), bytes, pages.data()), 0);
  size_t resident = 0;
  for (const unsigned char page : pages) resident += page & 1;
  return resident;
}

inline bool all_bytes_are(const char* address, size_t bytes, char value) {
  return bytes == 0 || (address[0] == value && std::memcmp(address, address + 1, bytes - 1) == 0);
}

inline void fill(const Pool& pool, uint32_t c, const Blocks& blocks, char value) {
  for (const uint32_t b : blocks) std::memset(pool.address(b), value, pool.size_class(c).capacity);
}

}  // namespace slabpool::test
