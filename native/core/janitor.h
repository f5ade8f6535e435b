// Janitor: one thread for the process, which ages whatever is enrolled once an epoch, so that no other thread has to
// give pages back. (The idea is that of the background threads of jemalloc and mimalloc's purge delay.)
//
// What        Calls Ageable::age() of whatever is due. The janitor looks how short memory is, too: epochs are a quarter
//             as long while pressure is high, and each Ageable is to give all back that is free when it is critical.
// Callers     Any thread. Enrolling and leaving take a lock, and leaving waits until the janitor is done with one slab;
//             Enrollment::wake() takes it only if the janitor has stopped looking after the Ageable.
// Sleep       An Ageable without pages is asleep: nothing in it can age. The janitor sleeps until the next epoch of one
//             that is not, or the next look at memory, once a second or once an epoch if that is shorter. While all
//             sleep, so does the janitor. Its thread ends with the last enrollment.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/sync/sync.h"

namespace slabpool {

// Why something is aged. The greater includes the less.
enum class Aging : uint8_t {
  epoch,     // one epoch has passed
  trim,      // somebody asked for all that is free
  pressure,  // memory is short
};

// What the janitor looks after.
class Ageable {
 public:
  // `stop` is asked between two slabs, and ends it early. By the janitor's thread.
  virtual void age(Aging why, const StdSync::atomic<bool>& stop) = 0;
  // Whether there is any page that may have to be given back.
  [[nodiscard]] virtual bool has_pages() const = 0;

 protected:
  ~Ageable() = default;
};

// The place of one Ageable with the janitor, for as long as the enrollment lives.
class Enrollment {
 public:
  // `epoch_ms`: 0 for no epochs: only trim_soon() is heard.
  Enrollment(Ageable& ageable, uint32_t epoch_ms);
  ~Enrollment();
  Enrollment(const Enrollment&) = delete;
  Enrollment& operator=(const Enrollment&) = delete;

  // By a thread that has just made pages resident.
  void wake() {
    // A read-modify-write on both sides: if the janitor's comes first, this thread sees that the Ageable is asleep; if
    // this one comes first, the janitor acquires it, and with it sees the pages.
    if (asleep_.exchange(false, std::memory_order_acq_rel)) awake();
  }

  // The Ageable is to be trimmed at once.
  void trim_soon();

 private:
  friend class Janitor;
  using Clock = std::chrono::steady_clock;

  void awake();

  Ageable& ageable_;
  const std::chrono::milliseconds epoch_;
  // The janitor's, under its lock.
  [[nodiscard]] Clock::time_point due() const;
  [[nodiscard]] std::chrono::milliseconds look_every() const;
  Clock::time_point aged_at_;  // or woken
  Aging next_ = Aging::epoch;
  bool being_aged_ = false;
  StdSync::atomic<bool> leaving_{false};  // asked between two slabs
  StdSync::atomic<bool> asleep_{true};
};

}  // namespace slabpool
