// SizeClass: the geometry of one tier, derived from its capacity, the pool's budget and the page size alone.
//
// What        Blocks lie `stride` bytes apart; a batch is what one call of JavaScript moves; a slab is the address
//             range that is carved at once. Memory is charged and given back by the page: where blocks share pages, a
//             page is resident as long as one of its blocks is.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>

namespace slabpool {

inline constexpr size_t kBlockAlignment = 64;     // a cache line; kernel copies into such memory take the fast path
inline constexpr size_t kBatchBytes = 128 << 10;  // what a batch aims at, so that large classes cache few blocks
inline constexpr size_t kShortBatch = 4;        // a batch of fewer blocks may have twice as many bytes, up to this many
inline constexpr uint64_t kBudgetBatches = 16;  // a batch is at most this fraction of the budget (or one block)
inline constexpr uint32_t kMaxBatch = 32;       // blocks
inline constexpr size_t kLargeSlabBytes = 2 << 20;    // of blocks that are whole pages
inline constexpr size_t kSmallSlabBytes = 256 << 10;  // of blocks that share pages, about
inline constexpr uint32_t kMaxSlabBlocks = 512;
inline constexpr size_t kMaxCapacity = 1 << 30;  // bytes
inline constexpr uint32_t kMaxClasses = 128;     // in one pool

struct SizeClass {
  size_t capacity;        // bytes that a lease sees
  size_t stride;          // bytes from block to block, a multiple of kBlockAlignment
  size_t page;            // bytes
  uint32_t batch;         // blocks in a full batch
  uint32_t slab_blocks;   // blocks in a slab, at most kMaxSlabBlocks
  size_t slab_bytes;      // whole pages
  size_t slab_alignment;  // a multiple of the page size

  [[nodiscard]] constexpr bool shares_pages() const { return stride % page != 0; }
  // Of a slab, by the places of its blocks and pages.
  [[nodiscard]] constexpr size_t first_page_of(uint32_t at) const { return at * stride / page; }
  [[nodiscard]] constexpr size_t last_page_of(uint32_t at) const { return ((at + 1) * stride - 1) / page; }
  [[nodiscard]] constexpr uint32_t first_block_on(size_t p) const { return static_cast<uint32_t>(p * page / stride); }
  [[nodiscard]] constexpr uint32_t last_block_on(size_t p) const {
    return std::min(static_cast<uint32_t>(((p + 1) * page - 1) / stride), slab_blocks - 1);
  }
  // What a block alone in its slab is charged at the least.
  [[nodiscard]] constexpr size_t least_bytes() const { return round_up(stride, page); }

  static constexpr SizeClass of(size_t capacity, uint64_t max_bytes, size_t page) {
    SizeClass c{};
    c.capacity = capacity;
    c.page = page;
    c.stride = round_up(capacity, kBlockAlignment);
    const auto within = [&](size_t bytes) {
      return static_cast<size_t>(std::min<uint64_t>(bytes, max_bytes / kBudgetBatches)) / c.stride;
    };
    const size_t blocks = std::max(within(kBatchBytes), std::min(within(2 * kBatchBytes), kShortBatch));
    c.batch = static_cast<uint32_t>(std::clamp<size_t>(std::bit_floor(blocks), 1, kMaxBatch));
    c.slab_alignment = page;
    if (c.shares_pages()) c.share_pages(max_bytes);
    if (!c.shares_pages()) {
      c.slab_bytes = round_up(c.stride, kLargeSlabBytes);
      c.slab_blocks = static_cast<uint32_t>(c.slab_bytes / c.stride);
      c.slab_alignment = kLargeSlabBytes;
    }
    return c;
  }

 private:
  // Chooses how many blocks lie in a slab, so that no part of the last page is of use to nobody.
  constexpr void share_pages(uint64_t max_bytes) {
    // After so many blocks one begins on a page again.
    const size_t period = page / std::gcd(stride, page);
    const size_t fits = std::min<size_t>(kSmallSlabBytes / stride, kMaxSlabBlocks);
    if (stride * kBudgetBatches > max_bytes || fits <= 1) {
      // It is to need no page of a neighbour's, since the budget may have room for no more than its own.
      stride = round_up(stride, page);
      return;
    }
    if (period <= fits) {
      slab_blocks = static_cast<uint32_t>(fits / period * period);
    } else {
      // What is left of the last page is spread. The stride stays a multiple of 64, as page / slab_blocks is one.
      slab_blocks = static_cast<uint32_t>(std::bit_floor(fits));
      stride = round_up(stride * slab_blocks, page) / slab_blocks;
    }
    slab_bytes = stride * slab_blocks;
  }

  static constexpr size_t round_up(size_t n, size_t to) { return (n + to - 1) / to * to; }
};

}  // namespace slabpool
