// Sync: the seam through which the lock-free structures reach their atomics.
//
// Everything shared between threads is written against `Sync::atomic<T>` with std::memory_order arguments, so that a
// model checker can put its own atomics in place of std::atomic (native/test/relacy) without a second copy of the code.
#pragma once

#include <atomic>

namespace slabpool {

struct StdSync {
  template <class T>
  using atomic = std::atomic<T>;
};

}  // namespace slabpool
