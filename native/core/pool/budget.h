// Budget: the bytes of one pool that may be resident at once; a hard cap across all threads.
//
// Callers     Any thread.
// Identity    used() == bytes of all pages that a block which is not cold touches, and used() <= max() at every
//             instant.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "core/sync/peak.h"
#include "core/sync/sync.h"

namespace slabpool {

template <class Sync = StdSync>
class Budget {
 public:
  explicit Budget(uint64_t max) : max_(max) {}

  // Claims up to `count` units of `unit` bytes and returns how many it got. Any thread.
  [[nodiscard]] uint32_t claim(uint32_t count, size_t unit) {
    // Relaxed: the budget only counts. The cap holds because the CAS is one step; the blocks themselves are published
    // through the stacks. Seq_cst where a claim can fail, and in give_back(): whoever gives back then looks whether
    // somebody waits for it, while a waiter says so and then claims (wait_queue.h): one of them sees the other.
    uint64_t used = used_.load(std::memory_order_seq_cst);
    for (;;) {
      const uint64_t granted = std::min<uint64_t>(count, (max_ - used) / unit);
      if (granted == 0) return 0;
      if (used_.compare_exchange_weak(used, used + granted * unit, std::memory_order_seq_cst,
                                      std::memory_order_seq_cst)) {
        peak_.raise(used + granted * unit);
        return static_cast<uint32_t>(granted);
      }
    }
  }

  void give_back(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_seq_cst); }

  // Seq_cst: as claim().
  [[nodiscard]] uint64_t room() const { return max_ - used_.load(std::memory_order_seq_cst); }
  [[nodiscard]] uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t max() const { return max_; }
  // The most that was used at once so far.
  [[nodiscard]] uint64_t peak() const { return peak_.get(); }

 private:
  const uint64_t max_;
  typename Sync::template atomic<uint64_t> used_{0};
  Peak<Sync> peak_;
};

}  // namespace slabpool
