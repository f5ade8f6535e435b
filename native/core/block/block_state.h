// AtomicBlockState: in which state a block is, who holds it, and how often it has changed hands; one 64-bit word.
//
//   cold         no pages; on a shelf of its home heap
//   free         pages; in a depot or on a shelf of its home heap
//   held         a member of the pool has it, leased or in a magazine: `owner`
//   in_flight    between two members: whoever has its ticket may adopt it
//   quarantined  its holder is gone; free again when an epoch has passed
//   retired      its ArrayBuffer was detached; never used again
//
// Ownership   Whoever holds the batch that a block is in owns the block; a held block is owned by the thread of its
//             owner, and by whoever detaches that member in its place. The owner alone writes the word, so relaxed
//             loads and stores do, and the TaggedStack that the batch passes through publishes what the owner wrote.
//             The exception is a block in flight, whose flight several threads may try to end: see transfer() and
//             adopt().
// Generation  Counts the hand-overs, from a number that was drawn: it moves whenever the block takes flight, so that a
//             ticket is good once, and for the block of another pool by chance only.
#pragma once

#include <cstdint>

#include "core/sync/sync.h"

namespace slabpool {

enum class BlockState : uint8_t { cold = 0, free = 1, held = 2, in_flight = 3, quarantined = 4, retired = 5 };

// An `owner` that is no member.
inline constexpr uint16_t kNoMember = UINT16_MAX;
inline constexpr uint32_t kGenerationBits = 32;

// The value of the word.
struct BlockStateWord {
  BlockState state;
  uint16_t owner;  // index of the member that holds the block; of the one that has sent it, while it is in flight
  uint32_t generation;

  static constexpr BlockStateWord of(uint64_t bits) {
    return {static_cast<BlockState>(bits & 0xff), static_cast<uint16_t>(bits >> 8), static_cast<uint32_t>(bits >> 32)};
  }
  [[nodiscard]] constexpr uint64_t bits() const {
    return uint64_t{generation} << 32 | uint64_t{owner} << 8 | static_cast<uint64_t>(state);
  }
};

template <class Sync = StdSync>
class AtomicBlockState {
 public:
  // Relaxed: read by the owner, or at quiescence, or checked against an expectation that only the owner can meet.
  [[nodiscard]] BlockStateWord get() const { return BlockStateWord::of(bits_.load(std::memory_order_relaxed)); }

  // By anybody. Acquire: pairs with the release of transfer(); whoever sees the block in flight sees what was noted of
  // it before.
  [[nodiscard]] BlockStateWord look() const { return BlockStateWord::of(bits_.load(std::memory_order_acquire)); }

  [[nodiscard]] bool held_by(uint16_t owner) const {
    const BlockStateWord word = get();
    return word.state == BlockState::held && word.owner == owner;
  }

  // A block that was carved just now. By whoever did.
  void begin(uint32_t generation) { set({BlockState::cold, 0, generation}); }

  // The block is held by `owner` from now on. By whoever owned it so far.
  void hand_out(uint16_t owner) { set({BlockState::held, owner, get().generation}); }

  // The block goes into a state in which nobody holds it. By its owner.
  void release_as(BlockState state) { set({state, 0, get().generation}); }

  // A held block takes flight: the generation that adopt() has to name. By the block's owner, who owns it no longer.
  uint32_t transfer(uint16_t sender) {
    const uint32_t generation = get().generation + 1;
    // Release: pairs with the acquire of adopt(); publishes every byte that the sender wrote into the block.
    bits_.store(BlockStateWord{BlockState::in_flight, sender, generation}.bits(), std::memory_order_release);
    return generation;
  }

  // The block is held by `owner` from now on, if it is in flight and the low `generation_bits` bits of its generation
  // are those of `generation`. Any thread; of several that try with one ticket, one succeeds.
  [[nodiscard]] bool adopt(uint32_t generation, uint16_t owner, uint32_t generation_bits = kGenerationBits) {
    const auto mask = static_cast<uint32_t>((uint64_t{1} << generation_bits) - 1);
    uint64_t seen = bits_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    for (;;) {
      const BlockStateWord word = BlockStateWord::of(seen);
      if (word.state != BlockState::in_flight || ((word.generation ^ generation) & mask) != 0) return false;
      const uint64_t adopted = BlockStateWord{BlockState::held, owner, word.generation}.bits();
      // Acquire: pairs with the release of transfer(); the adopter reads what the sender wrote. It fails when another
      // was faster, or when the sender disowned the ticket meanwhile: then once more.
      if (bits_.compare_exchange_strong(seen, adopted, std::memory_order_acquire, std::memory_order_relaxed))
        return true;
    }
  }

  // The ticket that `sender` gave, if the block is still in flight with it, has no sender from now on, and is as good
  // as before.
  void disown(uint16_t sender) {
    uint64_t seen = bits_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    const BlockStateWord word = BlockStateWord::of(seen);
    if (word.state != BlockState::in_flight || word.owner != sender) return;
    // Relaxed: a read-modify-write continues the release sequence of transfer(). It fails when the block was adopted.
    (void)bits_.compare_exchange_strong(seen, BlockStateWord{BlockState::in_flight, kNoMember, word.generation}.bits(),
                                        std::memory_order_relaxed, std::memory_order_relaxed);
  }

 private:
  // Relaxed: see Ownership.
  void set(BlockStateWord word) { bits_.store(word.bits(), std::memory_order_relaxed); }

  typename Sync::template atomic<uint64_t> bits_;
};

}  // namespace slabpool
