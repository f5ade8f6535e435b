// Janitor: one thread for the process, which ages each pool that is enrolled once an epoch, so that no other thread has to give
// pages back. (The idea is that of the background threads of jemalloc and mimalloc's purge delay.) It looks how short memory
// is, too: epochs are a quarter as long when that is high, and pools give back all that is free when it is critical.
//
// Callers     Any thread. Enrolling and leaving take a lock, and leaving waits until the janitor is done with one slab of the pool;
//             wake() takes it only if the janitor has stopped looking after the pool.
// Sleep       A pool without pages is asleep: nothing in it can age. The janitor sleeps until the next epoch of a pool that is
//             not, or the next look at memory, once a second or once an epoch if that is shorter. While all pools sleep, so
//             does it. It ends with the last enrollment.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/sync/sync.h"

namespace slabpool {

class Pool;

// A pool's place with the janitor, for as long as it lives.
class Enrollment {
 public:
  // `epoch_ms`: 0 for no epochs: only trim_soon() is heard.
  Enrollment(Pool& pool, uint32_t epoch_ms);
  ~Enrollment();
  Enrollment(const Enrollment&) = delete;
  Enrollment& operator=(const Enrollment&) = delete;

  // By a thread that has claimed bytes of the pool's budget.
  void wake() {
    // A read-modify-write on both sides: if the janitor's comes first, this one sees that it sleeps; if this one comes first,
    // the janitor acquires it, and with it the claim.
    if (asleep_.exchange(false, std::memory_order_acq_rel)) awake();
  }

  // The next look at memory is due now.
  void look();
  // The pool is to be trimmed at once.
  void trim_soon();

 private:
  friend class Janitor;
  using Clock = std::chrono::steady_clock;

  void awake();

  Pool& pool_;
  const std::chrono::milliseconds epoch_;
  // The janitor's, under its lock.
  [[nodiscard]] Clock::time_point due() const;
  [[nodiscard]] std::chrono::milliseconds look_every() const;
  Clock::time_point aged_at_;  // or woken
  enum class Due : uint8_t { epoch, trim, pressure };
  Due next_ = Due::epoch;
  bool being_aged_ = false;
  StdSync::atomic<bool> leaving_{false};  // asked between two slabs
  StdSync::atomic<bool> asleep_{true};
};

}  // namespace slabpool
