// What the workloads ask of a contender, and what all of them share.
//
// A contender is made once; each thread has a Thread of it, with
//   Unit                     one block, or a batch of blocks of one size: `size` bytes each, `count()` of them
//   Message                  a Unit on its way to another thread
//   Unit acquire(size)
//   void release(unit)
//   char* at(unit, i)        the address of its block
//   Message send(unit)       the thread has it no longer
//   Unit receive(message)    the thread has it from now on
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/block/size_class.h"

namespace bench {

using slabpool::kMaxBatch;

inline constexpr uint32_t kLargest = 1 << 20;  // bytes
inline constexpr uint64_t kBudget = 256 << 20;

// The default tiers: four to a doubling, from 1 KiB.
inline constexpr uint32_t kTiers = 41;
constexpr uint32_t tier(uint32_t index) { return (4 + index % 4) << (index / 4 + 8); }
// The smallest tier that has room for `size` bytes. Without a branch, which sizes as they come would often mislead.
constexpr uint32_t tier_of(uint32_t size) {
  const uint32_t last = std::max(size, tier(0)) - 1;
  const uint32_t exponent = 31 - static_cast<uint32_t>(std::countl_zero(last));
  return (exponent - 9) * 4 + (last >> (exponent - 2) & 3) - 3;
}
static_assert(tier(kTiers - 1) == kLargest && tier_of(kLargest) == kTiers - 1);
static_assert(tier_of(1) == 0 && tier_of(1025) == 1 && tier_of(1280) == 1 && tier_of(1281) == 2 && tier_of(2048) == 4);

// Writes the first and the last byte of each block.
template <class Thread>
void touch(const Thread& thread, const typename Thread::Unit& unit, char value) {
  for (uint32_t i = 0; i < unit.count(); ++i) {
    char* const bytes = thread.at(unit, i);
    bytes[0] = value;
    bytes[unit.size - 1] = value;
  }
}

// Reads the first one.
template <class Thread>
uint32_t look(const Thread& thread, const typename Thread::Unit& unit) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < unit.count(); ++i) sum += static_cast<uint32_t>(*thread.at(unit, i));
  return sum;
}

}  // namespace bench
