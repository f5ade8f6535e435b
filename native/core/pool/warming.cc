// The part of BlockStore that has blocks ready before anybody asks for them.
#include <algorithm>

#include "core/pool/block_store.h"

namespace slabpool {

WarmResult BlockStore::warm(Heap& heap, uint32_t c, uint64_t count, uint64_t free) {
  const SizeClass& k = classes_[c];
  const uint64_t missing = count - std::min(count, free);
  // Blocks that straddle pages do not tell how many blocks the pinned bytes are; and they may begin on a page that they
  // do not fill.
  const bool straddle = k.page % k.stride != 0 && k.shares_pages();
  const uint64_t slack = straddle ? k.page : 0;
  const uint64_t pinned = straddle || !k.shares_pages() ? 0 : pinned_bytes(c) / k.stride;
  const uint64_t cold = missing - std::min(missing, pinned);
  uint64_t bytes = 0;
  if (cold != 0) {
    const bool absurd = cold > budget_.max() / k.stride;
    if (!absurd) bytes = (cold * k.stride + slack + k.page - 1) / k.page * k.page;
    if (absurd || budget_.claim(1, bytes) == 0) {
      const uint64_t room = budget_.room() / k.page * k.page;
      return {Status::ok, free + pinned + (room - std::min(room, slack)) / k.stride};
    }
  }

  // What was claimed is nobody else's, and the blocks are charged against it.
  Budget<> claimed(budget_.max());
  if (bytes != budget_.max()) (void)claimed.claim(1, budget_.max() - bytes);
  const ShelfOf of = shelf_of(c, claimed);
  WarmResult result{Status::ok, count};
  uint32_t some[kMaxSlabBlocks];
  // Slabs with idle blocks have cold ones out of sight. They are as good as used now.
  for (uint32_t idle = 1; missing != 0 && idle != 0;) {
    in_hand_.during([&] {
      idle = take_from_shelves(of, heap, c, Rank::idle, kMaxSlabBlocks, some);
      to_depot(c, some, idle);
    });
  }
  for (uint64_t left = missing; left != 0;) {
    const auto most = static_cast<uint32_t>(std::min<uint64_t>(left, kMaxSlabBlocks));
    uint32_t took = 0;
    in_hand_.during([&] {
      took = take_from_shelves(of, heap, c, Rank::pinned, most, some);
      if (took == 0) took = heap.classes[c].shelf.take(of, Rank::cold, most, some);
      if (took == 0 && !may_carve(c)) took = take_from_shelves(of, heap, c, Rank::cold, most, some);
      to_depot(c, some, took);
    });
    left -= took;
    if (took != 0) continue;
    // Others have taken what was pinned, or give its pages back just now.
    if (claimed.room() < k.least_bytes()) {
      if (budget_.claim(1, k.least_bytes()) == 0) {
        result.possible = count - left;
        break;
      }
      claimed.give_back(k.least_bytes());
      continue;
    }
    if (!carve(heap, c)) {
      result.status = Status::out_of_memory;
      break;
    }
    result.carved = true;
  }
  budget_.give_back(claimed.room());
  return result;
}

// Blocks of one shelf, which the caller owns, and which have memory: they are free, in the depot of their home.
void BlockStore::to_depot(uint32_t c, const uint32_t* blocks, uint32_t count) {
  if (count == 0) return;
  BatchBuilder depot(*this, home_of(blocks[0], c).depot, classes_[c].batch);
  for (uint32_t i = 0; i < count; ++i) {
    blocks_[blocks[i]].state.release_as(BlockState::free);
    depot.add(blocks[i]);
  }
}

}  // namespace slabpool
