// Peak: the highest value of a figure so far.
//
// Callers     Any thread.
#pragma once

#include <cstdint>

#include "core/sync/sync.h"

namespace slabpool {

template <class Sync = StdSync>
class Peak {
 public:
  void raise(uint64_t value) {
    // Relaxed: it only counts.
    uint64_t peak = peak_.load(std::memory_order_relaxed);
    while (peak < value &&
           !peak_.compare_exchange_weak(peak, value, std::memory_order_relaxed, std::memory_order_relaxed)) {
    }
  }
  [[nodiscard]] uint64_t get() const { return peak_.load(std::memory_order_relaxed); }

 private:
  typename Sync::template atomic<uint64_t> peak_{0};
};

}  // namespace slabpool
