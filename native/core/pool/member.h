// Member: one thread's membership in a pool. Its index is the `owner` in the life words of the blocks it holds.
//
// The counters have one writer, the attached thread (or whoever reclaims for a dead one), and any reader.
// Identity, per class over all members of a pool: out == sum(taken + adopted) - sum(returned + sent), and
// transit == sum(sent) - sum(adopted) - what was recalled from channels.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

#include "core/pool/heap.h"
#include "core/pool/notifications.h"
#include "core/sync/sync.h"

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

struct Member {
  struct ClassCounters {
    Counter taken;            // blocks that refills gave to the thread
    Counter returned;         // blocks that the thread flushed or retired, or that were reclaimed from it
    Counter sent;             // blocks that went into transit
    Counter adopted;          // blocks that came out of transit
    Counter refills[kSteps];  // refills by the step that served them
    Counter acquires;         // leases of blocks, as far as the thread has reported them
    // Blocks in the thread's magazine, when it reported last. Relaxed: it only counts.
    StdSync::atomic<uint32_t> cached{0};
  };

  static Member* create(uint16_t index, Heap* heap, uint32_t class_count) {
    std::unique_ptr<Member> member(new (std::nothrow) Member);
    if (!member) return nullptr;
    member->index = index;
    member->heap = heap;
    member->classes.reset(new (std::nothrow) ClassCounters[class_count]);
    return member->classes ? member.release() : nullptr;
  }

  uint16_t index = 0;
  // Where this thread carves and looks first. Threads share a heap when there are more of them than heaps.
  Heap* heap = nullptr;
  std::unique_ptr<ClassCounters[]> classes;
  Notifications notifications;
};

}  // namespace slabpool
