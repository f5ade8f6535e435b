// Cgroup: the memory limit of the container, or of the service, that the process runs in (Linux).
//
// What        The cgroup, of version 2 or 1, with the smallest limit among the process's own and those above it.
// Callers     Whoever has begun a look (pressure.cc): one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/memory/pressure.h"

namespace slabpool::memory {

struct Figures {
  MemorySource source;
  uint64_t used, limit;
};

// Larger limits are none: cgroups of version 1 say "no limit" with the largest number of whole pages, near 2^63.
inline constexpr uint64_t kNoLimit = uint64_t{1} << 62;

// The level that the text of a file of stall figures (PSI) stands for.
[[nodiscard]] PressureLevel level_by_stalls(std::string_view psi);

// Nothing: no cgroup with a limit is in sight. `stalls`: what its tasks lose by waiting for memory.
[[nodiscard]] std::optional<Figures> look_at_cgroups(PressureLevel& stalls);

}  // namespace slabpool::memory
