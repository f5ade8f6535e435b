// The part of Pool that has blocks ready before anybody asks for them.
#include <algorithm>

#include "core/pool/batch_builder.h"
#include "core/pool/pool.h"

namespace slabpool {

WarmResult Pool::warm(Member& member, uint32_t c, uint64_t count) {
  if (draining()) return {Status::draining, 0};
  if (waiting()) return {Status::exhausted, 0};
  (void)wake(c);
  const SizeClass& k = classes_[c];
  const ClassStats now = stats(c);
  const uint64_t free = now.resident - std::min(now.resident, now.held + now.in_flight + now.quarantined + now.retired);
  const uint64_t missing = count - std::min(count, free);
  // Those that straddle pages do not tell how many blocks the pinned bytes are; and they may begin on a page that they do not fill.
  const bool straddle = k.page % k.stride != 0 && k.shares_pages();
  const uint64_t slack = straddle ? k.page : 0;
  const uint64_t pinned = straddle || !k.shares_pages() ? 0 : now.pinned_bytes / k.stride;
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
  const ShelfOf of{blocks_, slabs_, k, claimed, totals_[c]};
  WarmResult result{Status::ok, count};
  Heap& heap = *member.heap;
  uint32_t some[kMaxSlabBlocks];
  // Slabs with idle blocks have cold ones out of sight. They are as good as used now.
  for (uint32_t idle = 1; missing != 0 && idle != 0;) {
    step([&] {
      idle = take_from_shelves(of, heap, c, Rank::idle, kMaxSlabBlocks, some);
      to_depot(c, some, idle);
    });
  }
  for (uint64_t left = missing; left != 0;) {
    const auto most = static_cast<uint32_t>(std::min<uint64_t>(left, kMaxSlabBlocks));
    uint32_t took = 0;
    step([&] {
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
  if (janitor_) janitor_->wake();
  serve();
  return result;
}

// Blocks of one shelf, which the caller owns, and which have memory: they are free, in the depot of their home.
void Pool::to_depot(uint32_t c, const uint32_t* blocks, uint32_t count) {
  if (count == 0) return;
  BatchBuilder depot(*this, home_of(blocks[0], c).depot, classes_[c].batch);
  for (uint32_t i = 0; i < count; ++i) {
    blocks_[blocks[i]].state.release_as(BlockState::free);
    depot.add(blocks[i]);
  }
}

uint32_t Pool::take_free(Member& member, uint32_t c, uint32_t most, uint32_t* out) {
  if (waiting()) return 0;
  uint32_t count = take_batch(*member.heap, c, most, 0, out);
  if (count == 0) count = take_batch(*member.heap, c, most, 1, out);
  if (count == 0) count = take_from_shelves(shelf_of(c), *member.heap, c, Rank::idle, most, out);
  hand_out(member, c, out, count);
  // What was in hand may have been missed by somebody who began to wait meanwhile.
  serve();
  return count;
}

}  // namespace slabpool
