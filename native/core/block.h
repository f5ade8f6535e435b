// Block: the metadata of one block, kept apart from the block's bytes, which JavaScript can scribble on.
//
// A block is in exactly one state at any time, and its life word says which:
//
//   cold     no pages; in a cold stack of its home heap
//   free     pages; in a depot or victim stack
//   out      held by the thread attached to heap `owner`
//   retired  its ArrayBuffer was detached; never used again
//
// Whoever holds the batch that a block is in owns the block; an `out` block is owned by its owner's thread. Only the
// owner moves the life word, so that plain relaxed loads and stores do; what a change of owner publishes travels
// through the TaggedStack that the batch passes through.
#pragma once

#include <cstdint>

#include "sync.h"
#include "tagged_stack.h"

namespace slabpool {

enum class BlockState : uint8_t { cold = 0, free = 1, out = 2, retired = 3 };

// The life word's value: generation (moves whenever the block goes out), owner (heap index, while out), state.
struct Life {
  BlockState state;
  uint16_t owner;
  uint32_t generation;

  static constexpr Life of(uint64_t word) {
    return {static_cast<BlockState>(word & 0xff), static_cast<uint16_t>(word >> 8), static_cast<uint32_t>(word >> 32)};
  }
  [[nodiscard]] constexpr uint64_t word() const {
    return uint64_t{generation} << 32 | uint64_t{owner} << 8 | static_cast<uint64_t>(state);
  }
};

template <class Sync = StdSync>
struct BasicBlock {
  // Link of the stack of batches that this block heads. Atomic: an overtaken popper may read it at any time.
  typename Sync::template atomic<uint32_t> next_batch;
  // Next block of the same batch, kNoIndex at its end. Written by the batch's owner, published with the batch.
  uint32_t next;
  uint32_t slab;
  typename Sync::template atomic<uint64_t> life;

  // Relaxed: read by the owner, or by a walk at quiescence, or checked against an expectation that only the owner can
  // meet.
  [[nodiscard]] Life get_life() const { return Life::of(life.load(std::memory_order_relaxed)); }
  // Relaxed: called by the owner only; see above for what publishes it.
  void set_life(BlockState state, uint16_t owner, uint32_t generation) {
    life.store(Life{state, owner, generation}.word(), std::memory_order_relaxed);
  }
};

using Block = BasicBlock<>;
static_assert(sizeof(Block) == 24);

struct Slab {
  char* address;
  uint32_t first_block;
  uint16_t size_class;
  uint16_t home;  // index of the heap that carved it: where its blocks return to
  // Scratch of the trimming thread: how many of the slab's free blocks it holds, and how many of them it has dealt
  // with.
  uint32_t in_hand;
  uint32_t dealt_with;
};

}  // namespace slabpool
