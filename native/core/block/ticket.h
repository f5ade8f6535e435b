// Ticket: a block in flight, and which of its hand-overs that is, as one whole number below 2^53: what JavaScript keeps
// exactly.
//
//   blocks below 2^20   0 | generation 32 | block 20
//   all others          1 | low bits of the generation 28 | block 24
//
// So the number of a ticket comes back after 2^32 hand-overs of its block (2^28).
#pragma once

#include <cstdint>
#include <optional>

#include "core/block/block_state.h"

namespace slabpool {

struct Ticket {
  static constexpr uint32_t kBlockBits = 24;
  static constexpr uint32_t kNearBlockBits = 20;
  static constexpr uint32_t kFarGenerationBits = 28;
  static constexpr uint64_t kFar = uint64_t{1} << 52;

  uint32_t block;
  uint32_t generation;
  uint32_t bits;  // of the generation that it tells

  static constexpr uint64_t number(uint32_t block, uint32_t generation) {
    if (block >> kNearBlockBits == 0) return uint64_t{generation} << kNearBlockBits | block;
    return kFar | uint64_t{generation & ((1u << kFarGenerationBits) - 1)} << kBlockBits | block;
  }

  // None: no block has such a ticket.
  static constexpr std::optional<Ticket> of(uint64_t number) {
    if (number < kFar) {
      const auto block = static_cast<uint32_t>(number & ((1u << kNearBlockBits) - 1));
      return Ticket{block, static_cast<uint32_t>(number >> kNearBlockBits), kGenerationBits};
    }
    const auto block = static_cast<uint32_t>(number & ((1u << kBlockBits) - 1));
    if (number >= 2 * kFar || block >> kNearBlockBits == 0) return std::nullopt;
    return Ticket{block, static_cast<uint32_t>((number - kFar) >> kBlockBits), kFarGenerationBits};
  }
};

}  // namespace slabpool
