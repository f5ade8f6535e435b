// LifeWord: in which state a block is, who holds it, and how often it has changed hands; one 64-bit word.
//
//   cold      no pages; in a cold stack of its home heap
//   free      pages; in a depot or victim stack
//   out       held by the thread attached as `owner`
//   transit   between two threads: whoever has the ticket may adopt it
//   resting   its holder died; free again when an epoch has passed
//   retired   its ArrayBuffer was detached; never used again
//
// Ownership   Whoever holds the batch that a block is in owns the block; an `out` block is owned by its owner's thread, and
//             when that thread is gone by whoever reclaims for it. The owner alone moves the word, so relaxed loads and
//             stores do, and the TaggedStack that the batch passes through publishes what the owner wrote. The exception is
//             transit, which several threads may try to end: transfer() and adopt().
// Generation  Counts the hand-overs, from a number that was drawn: moves whenever the block goes into transit, so that a ticket is
//             good once, and for the block of another pool by chance only.
#pragma once

#include <cstdint>

#include "core/sync/sync.h"

namespace slabpool {

enum class BlockState : uint8_t { cold = 0, free = 1, out = 2, transit = 3, resting = 4, retired = 5 };

// In life words: of no attachment.
inline constexpr uint16_t kNobodysIndex = UINT16_MAX;
inline constexpr uint32_t kGenerationBits = 32;

// The word's value.
struct Life {
  BlockState state;
  uint16_t owner;  // index of the attachment that holds it, while out; that has sent it, while in transit
  uint32_t generation;

  static constexpr Life of(uint64_t word) {
    return {static_cast<BlockState>(word & 0xff), static_cast<uint16_t>(word >> 8), static_cast<uint32_t>(word >> 32)};
  }
  [[nodiscard]] constexpr uint64_t word() const {
    return uint64_t{generation} << 32 | uint64_t{owner} << 8 | static_cast<uint64_t>(state);
  }
};

template <class Sync = StdSync>
class BasicLifeWord {
 public:
  // Relaxed: read by the owner, or at quiescence, or checked against an expectation that only the owner can meet.
  [[nodiscard]] Life get() const { return Life::of(word_.load(std::memory_order_relaxed)); }

  // By anybody. Acquire: pairs with the release of transfer(); who sees the block in transit sees what was noted of it before.
  [[nodiscard]] Life look() const { return Life::of(word_.load(std::memory_order_acquire)); }

  [[nodiscard]] bool held_by(uint16_t owner) const {
    const Life life = get();
    return life.state == BlockState::out && life.owner == owner;
  }

  // A block that was carved just now. By whoever did.
  void begin(uint32_t generation) { set({BlockState::cold, 0, generation}); }

  // To `owner`. By the block's owner so far.
  void hand_out(uint16_t owner) { set({BlockState::out, owner, get().generation}); }

  // To a state in which nobody holds it. By the block's owner.
  void lay_down(BlockState state) { set({state, 0, get().generation}); }

  // Out to transit: the generation that adopt() has to name. By the block's owner, who owns it no longer.
  uint32_t transfer(uint16_t sender) {
    const uint32_t generation = get().generation + 1;
    // Release: pairs with the acquire of adopt(); publishes every byte that the sender wrote into the block.
    word_.store(Life{BlockState::transit, sender, generation}.word(), std::memory_order_release);
    return generation;
  }

  // Transit to out, if the block is in transit and the low `bits` bits of its generation are those of `generation`. Any
  // thread; of several that try with one ticket, one succeeds.
  [[nodiscard]] bool adopt(uint32_t generation, uint16_t owner, uint32_t bits = kGenerationBits) {
    const auto mask = static_cast<uint32_t>((uint64_t{1} << bits) - 1);
    uint64_t seen = word_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    for (;;) {
      const Life life = Life::of(seen);
      if (life.state != BlockState::transit || ((life.generation ^ generation) & mask) != 0) return false;
      const uint64_t adopted = Life{BlockState::out, owner, life.generation}.word();
      // Acquire: pairs with the release of transfer(); the adopter reads what the sender wrote. It fails when another was
      // faster, or when the sender disowned the ticket meanwhile: then once more.
      if (word_.compare_exchange_strong(seen, adopted, std::memory_order_acquire, std::memory_order_relaxed))
        return true;
    }
  }

  // The ticket that `sender` gave, if it is out, is nobody's from now on, and as good as before.
  void disown(uint16_t sender) {
    uint64_t seen = word_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    const Life life = Life::of(seen);
    if (life.state != BlockState::transit || life.owner != sender) return;
    // Relaxed: a read-modify-write continues the release sequence of transfer(). It fails when the block was adopted.
    (void)word_.compare_exchange_strong(seen, Life{BlockState::transit, kNobodysIndex, life.generation}.word(),
                                        std::memory_order_relaxed, std::memory_order_relaxed);
  }

 private:
  // Relaxed: see Ownership.
  void set(Life life) { word_.store(life.word(), std::memory_order_relaxed); }

  typename Sync::template atomic<uint64_t> word_;
};

}  // namespace slabpool
