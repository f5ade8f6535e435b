// Threads that do not depend on a scheduler for whether they run at the same time.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <cstdint>

namespace bench {

// The calling thread runs on one core from now on, of those that the process has.
inline void pin(uint32_t number) {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0) return;
  uint32_t left = number % static_cast<uint32_t>(CPU_COUNT(&all));
  for (uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all) || left-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    (void)pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    return;
  }
}

}  // namespace bench
