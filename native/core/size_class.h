// SizeClass: the geometry of one tier, derived from its capacity, the pool's budget and the page size alone.
//
// Blocks lie `stride` bytes apart; a batch is what one call of JavaScript moves; a slab is the address range that is carved
// at once; a span is what is committed and decommitted at once. Where a block is whole pages the span is that block; smaller
// blocks share pages, so there the span is the slab, which is then one batch. Spans are whole pages either way: the budget
// charges exactly what the OS can be made to allocate.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace slabpool {

inline constexpr size_t kBlockAlignment = 64;     // a cache line; kernel copies into such memory take the fast path
inline constexpr size_t kBatchBytes = 128 << 10;  // what a batch aims at, so that large classes cache few blocks
inline constexpr size_t kShortBatch = 4;        // a batch of fewer blocks may have twice as many bytes, up to this many
inline constexpr uint64_t kBudgetBatches = 16;  // a batch is at most this fraction of the budget (or one block)
inline constexpr uint32_t kMaxBatch = 32;       // blocks
inline constexpr size_t kLargeSlabBytes = 2 << 20;  // one huge page, and aligned to it
inline constexpr size_t kMaxCapacity = 1 << 30;     // bytes
inline constexpr uint32_t kMaxClasses = 128;        // in one pool

struct SizeClass {
  size_t capacity;        // bytes that a lease sees
  size_t stride;          // bytes from block to block, a multiple of kBlockAlignment
  uint32_t batch;         // blocks in a full batch
  uint32_t span;          // blocks in a span: 1 or slab_blocks
  uint32_t slab_blocks;   // blocks in a slab
  size_t slab_bytes;      // whole pages
  size_t slab_alignment;  // a multiple of the page size

  [[nodiscard]] constexpr size_t span_bytes() const { return stride * span; }

  static constexpr SizeClass of(size_t capacity, uint64_t max_bytes, size_t page) {
    SizeClass c{};
    c.capacity = capacity;
    c.stride = round_up(capacity, kBlockAlignment);
    const auto within = [&](size_t bytes) {
      return static_cast<size_t>(std::min<uint64_t>(bytes, max_bytes / kBudgetBatches)) / c.stride;
    };
    const size_t blocks = std::max(within(kBatchBytes), std::min(within(2 * kBatchBytes), kShortBatch));
    c.batch = static_cast<uint32_t>(std::clamp<size_t>(std::bit_floor(blocks), 1, kMaxBatch));
    if (c.stride % page == 0) {
      c.span = 1;
      c.slab_bytes = round_up(c.stride, kLargeSlabBytes);
      c.slab_blocks = static_cast<uint32_t>(c.slab_bytes / c.stride);
      c.slab_alignment = kLargeSlabBytes;
    } else {
      c.span = c.slab_blocks = c.batch;
      c.slab_bytes = round_up(c.stride * c.batch, page);
      c.slab_alignment = page;
      c.stride =
          c.slab_bytes / c.batch;  // spreads the page's remainder: still a multiple of 64, as a batch is 2^0..2^5
    }
    return c;
  }

 private:
  static constexpr size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
};

}  // namespace slabpool
