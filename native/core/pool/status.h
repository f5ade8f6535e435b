// Status: what became of a call, and the results that come with one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace slabpool {

enum class Status : uint8_t {
  ok,
  exhausted,      // the budget is full, or others wait for it
  out_of_memory,  // the OS, or the pool's address space, refuses
  not_held,       // a block that the caller does not hold, or not of this class
  stale,          // a ticket that was used before, or was never given out
  queue_full,     // as many wait as may
  draining,       // nothing is given out any more
};

// Where a refill found its batch, nearest first.
enum class Step : uint8_t { depot, steal, victim, cold, slab };
inline constexpr size_t kSteps = 5;

struct RefillResult {
  Status status;
  uint32_t count;                // blocks handed out: at least 1 with Status::ok
  Step step{};                   // with Status::ok
  uint64_t reclaimed_bytes = 0;  // of idle blocks, to make room
  bool unbacked = false;         // the budget was charged for pages that have no memory yet
};

struct WarmResult {
  Status status;
  uint64_t possible;  // with Status::ok: how many free blocks there can be; fewer than were asked for: nothing was done
  bool carved = false;
};

}  // namespace slabpool
