// Budget: the bytes of one pool that may be resident at once; a hard cap across all threads.
//
// Identity: used() == sum over all blocks that are not cold of their stride, and used() <= max() at every instant.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sync.h"

namespace slabpool {

template <class Sync = StdSync>
class Budget {
 public:
  explicit Budget(uint64_t max) : max_(max) {}

  // Claims up to `count` units of `unit` bytes and returns how many it got. Any thread.
  [[nodiscard]] uint32_t claim(uint32_t count, size_t unit) {
    // Relaxed throughout: the budget only counts. The cap holds because the CAS is one step; the blocks themselves are
    // published through the stacks.
    uint64_t used = used_.load(std::memory_order_relaxed);
    for (;;) {
      const uint64_t granted = std::min<uint64_t>(count, (max_ - used) / unit);
      if (granted == 0) return 0;
      if (used_.compare_exchange_weak(used, used + granted * unit, std::memory_order_relaxed,
                                      std::memory_order_relaxed)) {
        return static_cast<uint32_t>(granted);
      }
    }
  }

  void give_back(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  [[nodiscard]] uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t max() const { return max_; }

 private:
  const uint64_t max_;
  typename Sync::template atomic<uint64_t> used_{0};
};

}  // namespace slabpool
