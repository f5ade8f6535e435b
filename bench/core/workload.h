// What each workload is told, and what it found out.
#pragma once

#include <cstdint>
#include <vector>

namespace bench {

struct Task {
  std::vector<uint32_t> sizes;  // bytes, drawn beforehand; a power of two of them
  uint32_t live;                // blocks of the live set; of xmalloc, those under way at the most
  uint32_t threads;             // of larson chains of threads, of xmalloc pairs
  uint64_t blocks;              // to acquire in each thread, about
  uint32_t batch;               // blocks in a unit, at the most

  [[nodiscard]] uint32_t size(uint64_t i) const { return sizes[i & (sizes.size() - 1)]; }
};

struct Outcome {
  double ns;        // in all, on the clock
  double cpu_ns;    // of all threads
  uint64_t blocks;  // acquired meanwhile
};

}  // namespace bench
