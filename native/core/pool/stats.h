// What a pool tells about itself, in numbers. Each figure is exact at quiescence; in between it is one that was true
// lately.
#pragma once

#include <cstdint>

#include "core/pool/members.h"
#include "core/pool/reclaimer.h"
#include "core/pool/status.h"

namespace slabpool {

// Blocks of one class, process-wide.
// Identity: resident == held + in_flight + free + quarantined + retired, and carved == resident + cold.
struct ClassStats {
  uint64_t carved;          // in slabs, cold ones included
  uint64_t resident;        // not cold
  uint64_t resident_bytes;  // whole pages: what the budget is charged
  uint64_t held;            // by members: leased or in a magazine
  uint64_t in_flight;       // handed over by one member, not yet adopted by another
  uint64_t quarantined;     // of members that are gone, not yet free again
  uint64_t retired;
  uint64_t slabs;
  uint64_t idle;                 // free, and unused for an epoch
  uint64_t pinned_bytes;         // of pages that are resident because of one block, and belong to others
  uint64_t peak_resident_bytes;  // the most at once
  // As far as threads have published it:
  uint64_t cached;    // of those held, in magazines
  uint64_t acquires;  // leases
  uint64_t refills[kSteps];
};

// Of one member, over all classes.
struct ThreadStats {
  uint32_t index;
  uint64_t held, held_bytes;      // leased or in a magazine
  uint64_t cached, cached_bytes;  // of these, in magazines, as published
  uint64_t acquires;
  uint64_t refills[kSteps];
};

// Of the pool.
struct PoolStats {
  uint64_t waits;    // requests that ever waited
  uint64_t waiting;  // now
  uint64_t peak_waiting;
  uint64_t peak_resident_bytes;
  uint64_t refused;
  uint64_t dropped_bytes[kCauses];
  uint64_t drop_calls;  // of the system, for that
};

[[nodiscard]] ClassStats class_stats(const BlockStore& store, const Members& members, uint32_t c);
[[nodiscard]] ThreadStats thread_stats(const BlockStore& store, const Member& member);

}  // namespace slabpool
