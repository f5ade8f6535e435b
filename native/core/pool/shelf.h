// Shelf: the slabs of one heap and class, and which of their blocks are there to be taken: idle ones, which have their
// pages still, and cold ones, which are of no use until the budget is charged for theirs.
//
// Callers     Any thread, under the shelf's lock, which nobody holds over a system call. It is off the hot path: who
//             comes here would otherwise have to carve, or gives pages back. looks_empty() needs no lock.
// Ownership   An idle or cold block belongs to the shelf. While a thread gives a slab's pages back, the slab is in that
//             thread's hand, and in no list: others do without it.
// Order       The fullest slab is used first, so that the others empty (as jemalloc's and mimalloc's pages do).
// Never lost  1. Whoever waits for blocks says so, and then looks here.
//             2. Whoever puts something here then looks for waiters.
//             3. One of the two is inside the lock before the other, or passes it by looks_empty(), which is seq_cst,
//             as is the count that link() writes: so one of them sees the other.
#pragma once

#include <cstdint>
#include <mutex>

#include "core/block/block.h"
#include "core/block/reach.h"
#include "core/block/slab.h"
#include "core/os/stable_array.h"
#include "core/pool/budget.h"
#include "core/sync/peak.h"

namespace slabpool {

// Figures of one class over all heaps. Relaxed: they only count.
struct ClassTotals {
  StdSync::atomic<uint64_t> carved{0}, resident{0}, resident_pages{0}, idle{0}, recalled{0}, quarantined{0}, retired{0},
      slabs{0};
  Peak<> peak_resident_pages;
};

// What all shelves of a class work on.
struct ShelfOf {
  StableArray<Block>& blocks;
  StableArray<Slab>& slabs;
  const SizeClass& size_class;
  Budget<>& budget;
  ClassTotals& totals;
  Reach& reach;
};

// What kind of blocks, cheapest first. Pinned ones are cold, but their pages are resident, since neighbours need them.
enum class Rank : uint8_t { idle, pinned, cold, none };

// What was given back at once.
struct GivenBack {
  bool any = false;    // false: there was no slab to take it from
  uint64_t pages = 0;  // which the OS has, and the budget
  uint32_t calls = 0;  // of the system
};

class Shelf {
 public:
  // Whether there seems to be no slab of this rank. Seq_cst: see Never lost.
  [[nodiscard]] bool looks_empty(Rank rank) const { return count_of(rank).load(std::memory_order_seq_cst) == 0; }

  // Takes up to `most` blocks of the rank into `out`, as far as the budget has room for their pages; how many.
  [[nodiscard]] uint32_t take(const ShelfOf& of, Rank rank, uint32_t most, uint32_t* out);

  // Takes one block whose pages others hold anyway, or kNoIndex. Nobody who waits for room loses anything by it, since
  // those who are given such blocks hold no page for each other. Looks at a few slabs only.
  [[nodiscard]] uint32_t take_past(const ShelfOf& of);

  // Puts a slab there, all of whose blocks are cold.
  void add(const ShelfOf& of, uint32_t slab);

  // Puts a batch of free blocks there, which the caller owns.
  void put(const ShelfOf& of, uint32_t batch);

  // The idle blocks of one slab, which `pass` has not seen yet, turn cold, and pages that nobody needs any more go back
  // to the OS, up to `most_pages`. `stop`, which may be null, ends it early.
  GivenBack give_back(const ShelfOf& of, uint32_t pass, uint64_t most_pages, const StdSync::atomic<bool>* stop);

 private:
  // Lists by fullness within a rank: 0 is the fullest.
  static constexpr uint32_t kFills = 4;
  static constexpr uint32_t kRanks = 3;
  struct List {
    uint32_t first, last;  // numbers of slabs, plus one
  };

  [[nodiscard]] List& list_of(const Slab& slab) { return lists_[slab.rank][slab.fill]; }
  [[nodiscard]] const StdSync::atomic<uint32_t>& count_of(Rank rank) const {
    return counts_[static_cast<size_t>(rank)];
  }

  // Under the lock. A slab is linked while it is not in hand and has something to take.
  void link(const ShelfOf& of, uint32_t slab);
  void unlink(const ShelfOf& of, uint32_t slab);
  static uint32_t take_idle(const ShelfOf& of, Slab& slab, uint32_t most, uint32_t* out);
  static uint32_t take_cold(const ShelfOf& of, Slab& slab, Rank rank, uint32_t most, uint32_t* out);
  [[nodiscard]] uint32_t next_to_give_back(const ShelfOf& of, uint32_t pass) const;

  std::mutex lock_;
  List lists_[kRanks][kFills]{};
  StdSync::atomic<uint32_t> counts_[kRanks]{};  // slabs by rank
};

}  // namespace slabpool
