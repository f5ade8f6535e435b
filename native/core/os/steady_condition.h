// SteadyCondition: a condition variable whose timed waits are intervals, whatever happens to the wall clock meanwhile.
//
// Why         The timed waits of std::condition_variable go by the wall clock where the C library lacks
//             pthread_cond_clockwait (musl, and glibc before 2.30): when that clock is put back by an hour, they last
//             an hour longer. On macOS and Windows they are intervals.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__linux__)
#include <pthread.h>
#include <time.h>
#endif

namespace slabpool {

#if defined(__linux__)

class SteadyCondition {
 public:
  using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC

  SteadyCondition() {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&condition_, &attributes);
    pthread_condattr_destroy(&attributes);
  }
  ~SteadyCondition() { pthread_cond_destroy(&condition_); }
  SteadyCondition(const SteadyCondition&) = delete;
  SteadyCondition& operator=(const SteadyCondition&) = delete;

  void wait(std::unique_lock<std::mutex>& lock) { pthread_cond_wait(&condition_, lock.mutex()->native_handle()); }

  void wait_until(std::unique_lock<std::mutex>& lock, Clock::time_point due) {
    const auto since = due.time_since_epoch();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
    const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(since - seconds);
    const timespec at{static_cast<time_t>(seconds.count()), static_cast<long>(rest.count())};
    pthread_cond_timedwait(&condition_, lock.mutex()->native_handle(), &at);
  }

  void notify_one() { pthread_cond_signal(&condition_); }

 private:
  pthread_cond_t condition_;
};

#else

using SteadyCondition = std::condition_variable;

#endif

}  // namespace slabpool
