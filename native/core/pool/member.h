// Member: one thread's membership in a pool. Its index is the `owner` in the state of each block that it holds.
//
// What        Counters by class, the heap where the thread looks first, and the notifications for the thread.
// Ownership   The counters have one writer, the member's thread (or whoever detaches it in that thread's place), and
//             any reader.
// Identity    Per class, over all members of a pool: held == sum(taken + adopted) - sum(returned + sent), and
//             in flight == sum(sent) - sum(adopted) - what was recalled.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

#include "core/pool/heap.h"
#include "core/pool/notifications.h"
#include "core/pool/status.h"
#include "core/sync/sync.h"

namespace slabpool {

// How a member leaves. A clean exit has left its tickets to others: they are good for ever.
enum class Departure : uint8_t { clean_exit, abandoned };

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
    Counter taken;            // blocks that refills gave to the member
    Counter returned;         // blocks that the member flushed or retired, or that were taken from it when it left
    Counter sent;             // blocks that took flight
    Counter adopted;          // blocks whose flight ended here
    Counter refills[kSteps];  // refills by the step that served them
    Counter acquires;         // leases of blocks, as far as the thread has published them
    // Blocks in the thread's magazine, as it has published them last. Relaxed: it only counts.
    StdSync::atomic<uint32_t> cached{0};

    void count_refill(Step step) { refills[static_cast<size_t>(step)].add(1); }
    // Of a magazine: leases since the last time, and blocks in it now.
    void publish(uint64_t more_acquires, uint32_t cached_now) {
      acquires.add(more_acquires);
      cached.store(cached_now, std::memory_order_relaxed);
    }
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
  // Where the member carves and looks first. Members share a heap when there are more of them than heaps.
  Heap* heap = nullptr;
  std::unique_ptr<ClassCounters[]> classes;
  Notifications notifications;
};

}  // namespace slabpool
