// Heap: one attached thread's share of a pool: per class a depot, a victim and a cold stack.
//
// The stacks hold only blocks of slabs that this heap carved (it is their home), and any thread may push and pop them.
// The counters have one writer, the attached thread, and any reader.
// Identity, per class over all heaps of a pool: out == sum(taken) - sum(returned).
#pragma once

#include <cstdint>
#include <memory>
#include <new>

#include "sync.h"
#include "tagged_stack.h"

namespace slabpool {

// Where a refill found its batch, nearest first.
enum class Step : uint8_t { depot, steal, victim, cold, slab };
inline constexpr size_t kSteps = 5;

// A monotonic count with a single writer, so that it needs no read-modify-write.
class Counter {
 public:
  // Release: pairs with the acquire of get(); a reader who sees a later count sees the earlier ones of other Counters
  // too.
  void add(uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_release); }
  [[nodiscard]] uint64_t get() const { return value_.load(std::memory_order_acquire); }

 private:
  StdSync::atomic<uint64_t> value_{0};
};

struct Heap {
  struct ClassHeap {
    TaggedStack<> depot;   // free batches, in use lately
    TaggedStack<> victim;  // free batches, unused for an epoch
    TaggedStack<> cold;    // address space without pages

    Counter taken;            // blocks that refills gave to the thread
    Counter returned;         // blocks that the thread flushed or retired
    Counter refills[kSteps];  // refills by the step that served them
  };

  static Heap* create(uint16_t index, uint32_t class_count) {
    std::unique_ptr<Heap> heap(new (std::nothrow) Heap);
    if (!heap) return nullptr;
    heap->index = index;
    heap->classes.reset(new (std::nothrow) ClassHeap[class_count]);
    return heap->classes ? heap.release() : nullptr;
  }

  uint16_t index = 0;
  std::unique_ptr<ClassHeap[]> classes;
};

}  // namespace slabpool
