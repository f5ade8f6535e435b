// Slab: the address range that is carved at once, for one class, and which of its blocks nobody has.
//
// Identity    A page of the slab is resident if a block that touches it is not cold. So what the budget is charged
//             follows from the set of cold blocks.
// Ownership   Who has locked the shelf that the slab belongs to, but for what is set when it is carved.
#pragma once

#include <bit>
#include <cstdint>

#include "core/block/size_class.h"
#include "core/os/address_space.h"

namespace slabpool {

// Blocks of one slab, by their place in it.
class BlockSet {
 public:
  [[nodiscard]] bool has(uint32_t at) const { return (words_[at / 64] >> at % 64 & 1) != 0; }
  void add(uint32_t at) { words_[at / 64] |= uint64_t{1} << at % 64; }
  void remove(uint32_t at) { words_[at / 64] &= ~(uint64_t{1} << at % 64); }
  void add(const BlockSet& other) {
    for (uint32_t w = 0; w < kWords; ++w) words_[w] |= other.words_[w];
  }
  [[nodiscard]] bool empty() const {
    for (const uint64_t word : words_) {
      if (word != 0) return false;
    }
    return true;
  }
  [[nodiscard]] uint32_t count() const {
    uint32_t sum = 0;
    for (const uint64_t word : words_) sum += static_cast<uint32_t>(std::popcount(word));
    return sum;
  }
  // The first one from `at` on, or kMaxSlabBlocks.
  [[nodiscard]] uint32_t next(uint32_t at) const {
    for (uint32_t w = at / 64; w < kWords; ++w) {
      const uint64_t word = w == at / 64 ? words_[w] & UINT64_MAX << at % 64 : words_[w];
      if (word != 0) return w * 64 + static_cast<uint32_t>(std::countr_zero(word));
    }
    return kMaxSlabBlocks;
  }
  [[nodiscard]] bool has_all(uint32_t first, uint32_t last) const {
    while (first <= last && has(first)) ++first;
    return first > last;
  }

 private:
  static constexpr uint32_t kWords = kMaxSlabBlocks / 64;
  uint64_t words_[kWords];
};

struct Slab {
  Range* range;
  uint32_t first_block;
  uint16_t size_class;
  uint16_t home;  // index of the heap that carved it: where its blocks return to

  BlockSet idle;  // free, and unused for an epoch
  BlockSet cold;  // of no use until the budget is charged for their pages
  BlockSet past;  // given out past those who wait, and not seen here since
  // Of the list of the shelf that it is in: numbers of slabs, plus one.
  uint32_t next, previous;
  uint8_t rank, fill;  // which list; rank Rank::none: none
  bool in_hand;        // of a thread that gives pages back
  uint32_t pass;       // of such a thread that saw it last

  // Whether the page has no memory, if the blocks in `without` have none.
  [[nodiscard]] static bool page_is_cold(const SizeClass& k, const BlockSet& without, size_t page) {
    return without.has_all(k.first_block_on(page), k.last_block_on(page));
  }
  // Pages that the block at this place needs, beside those that are resident.
  [[nodiscard]] uint32_t missing_pages(const SizeClass& k, uint32_t at) const {
    uint32_t missing = 0;
    if (!k.shares_pages()) return static_cast<uint32_t>(k.stride / k.page);
    for (size_t page = k.first_page_of(at); page <= k.last_page_of(at); ++page) missing += page_is_cold(k, cold, page);
    return missing;
  }
  // Whether all pages of the block at this place are held by blocks that were given to somebody in his turn.
  [[nodiscard]] bool is_held(const SizeClass& k, uint32_t at) const {
    for (size_t page = k.first_page_of(at); page <= k.last_page_of(at); ++page) {
      BlockSet others = cold;
      others.add(idle);
      others.add(past);
      if (others.has_all(k.first_block_on(page), k.last_block_on(page))) return false;
    }
    return true;
  }
  [[nodiscard]] uint64_t resident_pages(const SizeClass& k) const {
    if (!k.shares_pages()) return uint64_t{k.slab_blocks - cold.count()} * (k.stride / k.page);
    uint64_t pages = 0;
    for (size_t page = 0; page <= k.last_page_of(k.slab_blocks - 1); ++page) pages += !page_is_cold(k, cold, page);
    return pages;
  }
};

}  // namespace slabpool
