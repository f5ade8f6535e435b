#include "core/pool/shelf.h"

#include "core/block/page_runs.h"

namespace slabpool {

namespace {

constexpr uint32_t kLooksForPast = 8;  // slabs: a refusal is to cost little

Rank rank_of(const SizeClass& k, const Slab& slab) {
  if (!slab.idle.empty()) return Rank::idle;
  if (k.shares_pages()) {
    for (uint32_t b = slab.cold.next(0); b < k.slab_blocks; b = slab.cold.next(b + 1)) {
      if (slab.missing_pages(k, b) == 0) return Rank::pinned;
    }
  }
  return slab.cold.empty() ? Rank::none : Rank::cold;
}

}  // namespace

void Shelf::link(const ShelfOf& of, uint32_t number) {
  Slab& slab = of.slabs[number];
  const SizeClass& k = of.size_class;
  const Rank rank = slab.in_hand ? Rank::none : rank_of(k, slab);
  slab.rank = static_cast<uint8_t>(rank);
  if (rank == Rank::none) return;
  const uint32_t left = slab.idle.count() + slab.cold.count();
  slab.fill = static_cast<uint8_t>((left - 1) * kFills / k.slab_blocks);
  List& list = list_of(slab);
  slab.next = 0;
  slab.previous = list.last;
  (list.last != 0 ? of.slabs[list.last - 1].next : list.first) = number + 1;
  list.last = number + 1;
  // Seq_cst: see Never lost. A single writer, who has the lock.
  auto& count = counts_[slab.rank];
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
}

void Shelf::unlink(const ShelfOf& of, uint32_t number) {
  Slab& slab = of.slabs[number];
  if (static_cast<Rank>(slab.rank) == Rank::none) return;
  List& list = list_of(slab);
  (slab.previous != 0 ? of.slabs[slab.previous - 1].next : list.first) = slab.next;
  (slab.next != 0 ? of.slabs[slab.next - 1].previous : list.last) = slab.previous;
  auto& count = counts_[slab.rank];
  count.store(count.load(std::memory_order_relaxed) - 1, std::memory_order_seq_cst);  // as in link()
  slab.rank = static_cast<uint8_t>(Rank::none);
}

uint32_t Shelf::take(const ShelfOf& of, Rank rank, uint32_t most, uint32_t* out) {
  if (looks_empty(rank)) return 0;
  const std::lock_guard lock(lock_);
  uint32_t count = 0;
  for (const List& list : lists_[static_cast<size_t>(rank)]) {
    for (uint32_t number = list.first, next; number != 0 && count < most; number = next) {
      Slab& slab = of.slabs[number - 1];
      next = slab.next;
      const uint32_t taken = rank == Rank::idle ? take_idle(of, slab, most - count, out + count)
                                                : take_cold(of, slab, rank, most - count, out + count);
      // Where the budget has room for a block alone in its slab, it has room for one of any slab: the first of its
      // neighbours.
      if (taken == 0) break;
      count += taken;
      unlink(of, number - 1);
      link(of, number - 1);
    }
  }
  return count;
}

uint32_t Shelf::take_idle(const ShelfOf& of, Slab& slab, uint32_t most, uint32_t* out) {
  uint32_t count = 0;
  for (uint32_t b = slab.idle.next(0); b < of.size_class.slab_blocks && count < most; b = slab.idle.next(b + 1)) {
    slab.idle.remove(b);
    out[count++] = slab.first_block + b;
  }
  of.totals.idle.fetch_sub(count, std::memory_order_relaxed);
  return count;
}

uint32_t Shelf::take_cold(const ShelfOf& of, Slab& slab, Rank rank, uint32_t most, uint32_t* out) {
  const SizeClass& k = of.size_class;
  uint32_t count = 0;
  uint64_t pages = 0;
  for (uint32_t b = slab.cold.next(0); b < k.slab_blocks && count < most; b = slab.cold.next(b + 1)) {
    const uint32_t missing = slab.missing_pages(k, b);
    if (missing != 0 && (rank == Rank::pinned || of.budget.claim(1, missing * k.page) == 0)) {
      // Blocks that are whole pages all need the same.
      if (!k.shares_pages()) break;
      continue;
    }
    slab.cold.remove(b);
    pages += missing;
    out[count++] = slab.first_block + b;
  }
  const uint64_t resident_pages = of.totals.resident_pages.fetch_add(pages, std::memory_order_relaxed) + pages;
  of.totals.peak_resident_pages.raise(resident_pages);
  of.totals.resident.fetch_add(count, std::memory_order_relaxed);
  return count;
}

uint32_t Shelf::take_past(const ShelfOf& of) {
  const SizeClass& k = of.size_class;
  if (!k.shares_pages() || looks_empty(Rank::pinned)) return kNoIndex;
  const std::lock_guard lock(lock_);
  uint32_t looks = kLooksForPast;
  for (const List& list : lists_[static_cast<size_t>(Rank::pinned)]) {
    for (uint32_t number = list.first; number != 0 && looks != 0; number = of.slabs[number - 1].next, --looks) {
      Slab& slab = of.slabs[number - 1];
      for (uint32_t b = slab.cold.next(0); b < k.slab_blocks; b = slab.cold.next(b + 1)) {
        if (slab.missing_pages(k, b) != 0 || !slab.is_held(k, b)) continue;
        slab.cold.remove(b);
        slab.past.add(b);
        of.totals.resident.fetch_add(1, std::memory_order_relaxed);
        unlink(of, number - 1);
        link(of, number - 1);
        return slab.first_block + b;
      }
    }
  }
  return kNoIndex;
}

void Shelf::add(const ShelfOf& of, uint32_t number) {
  const std::lock_guard lock(lock_);
  Slab& slab = of.slabs[number];
  for (uint32_t b = 0; b < of.size_class.slab_blocks; ++b) slab.cold.add(b);
  link(of, number);
}

void Shelf::put(const ShelfOf& of, uint32_t batch) {
  const std::lock_guard lock(lock_);
  uint32_t number = kNoIndex;
  uint32_t count = 0;
  for (uint32_t b = batch; b != kNoIndex; b = of.blocks[b].next, ++count) {
    if (of.blocks[b].slab != number) {
      if (number != kNoIndex) link(of, number);
      number = of.blocks[b].slab;
      unlink(of, number);
    }
    Slab& slab = of.slabs[number];
    slab.idle.add(b - slab.first_block);
    slab.past.remove(b - slab.first_block);
  }
  if (number != kNoIndex) link(of, number);
  of.totals.idle.fetch_add(count, std::memory_order_relaxed);
}

// The emptiest one first: it gives the most back.
uint32_t Shelf::next_to_give_back(const ShelfOf& of, uint32_t pass) const {
  for (uint32_t fill = kFills; fill-- > 0;) {
    const uint32_t first = lists_[static_cast<size_t>(Rank::idle)][fill].first;
    // Those that the pass has seen were linked behind the others.
    if (first != 0 && of.slabs[first - 1].pass != pass) return first - 1;
  }
  return kNoIndex;
}

GivenBack Shelf::give_back(const ShelfOf& of, uint32_t pass, uint64_t most_pages, const StdSync::atomic<bool>* stop) {
  GivenBack given;
  if (looks_empty(Rank::idle)) return given;
  const SizeClass& k = of.size_class;
  BlockSet idle;
  PageRuns runs;
  uint32_t number;
  {
    const std::lock_guard lock(lock_);
    number = next_to_give_back(of, pass);
    if (number == kNoIndex) return given;
    unlink(of, number);
    Slab& slab = of.slabs[number];
    slab.pass = pass;
    idle = slab.idle;
    find_runs(k, slab.cold, idle, runs);
    for (uint32_t b = kMaxSlabBlocks; runs.pages(k.page) > most_pages && b-- > 0;) {
      if (!idle.has(b)) continue;
      idle.remove(b);
      runs = {};
      find_runs(k, slab.cold, idle, runs);
    }
    // From here on these are this thread's; what is put there meanwhile is found when the slab is linked again.
    slab.in_hand = true;
    for (uint32_t b = idle.next(0); b < k.slab_blocks; b = idle.next(b + 1)) slab.idle.remove(b);
  }
  given.any = true;
  Slab& slab = of.slabs[number];
  of.reach.note(k, slab.range->address(), idle);
  const bool gone = runs.decommit(slab.range->address(), given.calls, stop);
  const uint32_t count = idle.count();
  if (gone) {
    for (uint32_t b = idle.next(0); b < k.slab_blocks; b = idle.next(b + 1)) {
      of.blocks[slab.first_block + b].state.release_as(BlockState::cold);
    }
    given.pages = runs.pages(k.page);
    of.totals.resident.fetch_sub(count, std::memory_order_relaxed);
    of.totals.resident_pages.fetch_sub(given.pages, std::memory_order_relaxed);
    of.totals.idle.fetch_sub(count, std::memory_order_relaxed);
  }
  {
    const std::lock_guard lock(lock_);
    (gone ? slab.cold : slab.idle).add(idle);
    slab.in_hand = false;
    link(of, number);
  }
  // Last: the budget counts pages until they are cold for everyone, so that it never counts too little.
  if (given.pages != 0) of.budget.give_back(given.pages * k.page);
  return given;
}

}  // namespace slabpool
