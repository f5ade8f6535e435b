// Block: the metadata of one block, kept apart from the block's bytes, which JavaScript can scribble on. block_state.h
// says who may touch what.
#pragma once

#include <cstdint>

#include "core/block/block_state.h"
#include "core/sync/sync.h"
#include "core/sync/tagged_stack.h"

namespace slabpool {

struct Block {
  // Link of the stack of batches that this block heads. Atomic: an overtaken popper may read it at any time, and make
  // nothing of it. While the block is in flight by a ticket: when it was sent, by os::coarse_now_ms().
  StdSync::atomic<uint32_t> next_batch;
  // Next block of the same batch, kNoIndex at its end. Written by the batch's owner, published with the batch.
  uint32_t next;
  uint32_t slab;
  union {
    // While the block heads a quarantined batch: since when, in milliseconds of os::now_ms(), which may wrap.
    uint32_t quarantined_since;
    // While the block is in flight: the bytes of it that are used. Written by the sender, published with the state.
    uint32_t size;
  };
  AtomicBlockState<> state;
};
static_assert(sizeof(Block) == 24);

}  // namespace slabpool
