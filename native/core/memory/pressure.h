// Pressure: how much memory is in use, of the container or the system, how much there may be, and how short that makes
// it.
//
// Sources     The best that is there: the cgroup, version 2 or 1, with the smallest limit among the process's own and
//             those above it; the system, also where it has less memory than the cgroup may use. On Linux what tasks
//             lose by waiting for memory (PSI) raises the level as well.
// Callers     Any thread, without waiting. The janitor looks while a pool is awake; the last verdict is everybody's.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slabpool {

enum class MemorySource : uint8_t { none, cgroup_v2, cgroup_v1, system };

enum class PressureLevel : uint8_t { none, high, critical };

struct Pressure {
  MemorySource source = MemorySource::none;  // of the figures; before the first look there are none
  PressureLevel level = PressureLevel::none;
  uint64_t used_bytes = 0;  // without the page cache that the kernel would drop first
  uint64_t limit_bytes = 0;
};

namespace memory {

// How often the janitor looks.
inline constexpr uint32_t kLookEveryMs = 1000;
// However short an epoch is: a look takes 0.15 ms.
inline constexpr uint32_t kLeastLookMs = 100;

// Reads the sources. While one thread does, others get the last verdict. Allocates nothing: memory may be short.
Pressure look();

// The last verdict.
[[nodiscard]] Pressure last();

// The last verdict if the janitor can have no later one, otherwise a look.
[[nodiscard]] Pressure recent();

// Whether so many bytes that may never be used leave the level at none, beside those that were asked for since the last
// verdict. True where nobody can tell.
[[nodiscard]] bool spare(uint64_t bytes);

// How many looks there were.
[[nodiscard]] uint64_t looks();

// For tests: all files are read below this folder from now on, an empty path being the root. False when it is too long.
bool set_root(const char* folder);

}  // namespace memory

}  // namespace slabpool
