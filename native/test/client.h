// Client: what a thread of JavaScript is to a pool, as the tests need it: a heap, and calls that check their own
// result.
#pragma once

#include <sys/mman.h>

#include <memory>
#include <vector>

#include "../core/os.h"
#include "../core/pool.h"
#include "test.h"

namespace slabpool::test {

inline constexpr uint64_t kKiB = 1 << 10;
inline constexpr uint64_t kMiB = 1 << 20;

using Blocks = std::vector<uint32_t>;

inline std::unique_ptr<Pool> make_pool(const std::vector<uint32_t>& capacities, uint64_t max_bytes) {
  return Pool::create(capacities.data(), static_cast<uint32_t>(capacities.size()), max_bytes);
}

struct Client {
  Pool& pool;
  Heap* heap;

  explicit Client(Pool& p) : pool(p), heap(p.attach()) { CHECK(heap != nullptr); }

  // Appends a batch to `to`.
  Status refill(uint32_t c, Blocks& to) {
    uint32_t batch[kMaxBatch];
    const RefillResult result = pool.refill(*heap, c, batch);
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
      if (pool.flush(*heap, c, blocks.data() + i, count) != Status::ok) status = Status::not_held;
    }
    return status;
  }
};

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
