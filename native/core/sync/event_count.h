// EventCount: how a thread that found a ring empty (or full) is told that this has changed. (An event count that knows
// its sleepers by number.)
//
// What        A bit for each sleeper. A sleeper arms its bit, looks at the ring once more, and only then sleeps. A
//             notifier changes the ring and then looks for an armed bit, which it clears: whoever clears a bit has to
//             wake that sleeper, exactly once.
// Callers     Any thread. No call blocks.
// Never lost  1. Each side does a read-modify-write of the one word between its two steps, and such writes have one
//             order.
//             2. If the sleeper's comes first, the notifier sees the bit, and wakes the sleeper.
//             3. If the notifier's comes first, the sleeper acquires it, and with it the change to the ring, which its
//             last look finds.
// Passed on   One wake-up may stand for two changes: a message behind a cell that is claimed and not yet filled cannot
//             be received, and the sleeper that was woken for it goes back to sleep. So a thread that was woken and
//             found something notifies again if there is more.
#pragma once

#include <bit>
#include <cstdint>

#include "core/sync/sync.h"

namespace slabpool {

inline constexpr uint32_t kMaxSleepers = 64;
inline constexpr uint32_t kNobody = UINT32_MAX;

template <class Sync = StdSync>
class EventCount {
 public:
  // By the sleeper, before its last look at the ring.
  void arm(uint32_t sleeper) {
    // Acquire: pairs with the release of notify(); the last look sees the change that was notified. Release: the other
    // way round, a notifier that finds the bit comes after all that the sleeper did before.
    armed_.fetch_or(bit(sleeper), std::memory_order_acq_rel);
  }

  // By the sleeper that will not sleep after all. False: a notifier was faster, and its wake-up is the sleeper's to
  // pass on if the ring holds more than it took.
  [[nodiscard]] bool disarm(uint32_t sleeper) {
    // Acquire: pairs with the release of notify(); a sleeper whose bit is gone sees the change that it was woken for.
    return (armed_.fetch_and(~bit(sleeper), std::memory_order_acquire) & bit(sleeper)) != 0;
  }

  // By the notifier, after its change to the ring: the sleeper to wake, or kNobody.
  [[nodiscard]] uint32_t notify() {
    // A read-modify-write although it changes nothing: it has to have its place in the order. Release: pairs with the
    // acquire of arm(). Acquire: keeps the release sequence of others' changes alive for the CAS.
    uint64_t armed = armed_.fetch_or(0, std::memory_order_acq_rel);
    while (armed != 0) {
      const uint64_t lowest = armed & (~armed + 1);
      // Relaxed: the bit only says whom to wake; what the sleeper reads then comes through the ring.
      if (armed_.compare_exchange_weak(armed, armed & ~lowest, std::memory_order_relaxed, std::memory_order_relaxed)) {
        return static_cast<uint32_t>(std::countr_zero(lowest));
      }
    }
    return kNobody;
  }

 private:
  static constexpr uint64_t bit(uint32_t sleeper) { return uint64_t{1} << sleeper; }

  // On a line of its own: every send and receive reads it.
  alignas(64) typename Sync::template atomic<uint64_t> armed_{0};
};

}  // namespace slabpool
