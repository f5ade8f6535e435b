// BlockStore: the blocks of a pool that nobody holds, and the slabs that all of its blocks lie in.
//
// What        Finds free blocks, nearest first: the depot of the caller's heap, other heaps' depots, idle blocks on
//             shelves, blocks without pages, which the budget is charged for, and a new slab. Takes blocks back, each
//             to the heap that is its home.
// Callers     Any thread. Depots are lock-free; shelves have locks that nobody holds over a system call.
// Ownership   What take_*() returns belongs to the caller; what is put belongs to the store. A block in between, in the
//             hand of a thread that moves it from one place of the store to another, is counted by in_hand().
// Identity    budget().used() == sum of resident_pages * page == sum of resident * stride + pinned bytes.
// Memory      Block memory is never unmapped, and its addresses are used by nobody else while an ArrayBuffer may be
//             over them (address_space.h). The destructor gives all pages back but those of blocks that somebody may
//             still be using.
#pragma once

#include <cstdint>

#include "core/block/block.h"
#include "core/block/reach.h"
#include "core/block/size_class.h"
#include "core/block/slab.h"
#include "core/block/ticket.h"
#include "core/os/os.h"
#include "core/os/stable_array.h"
#include "core/pool/budget.h"
#include "core/pool/heap.h"
#include "core/pool/in_hand.h"
#include "core/pool/shelf.h"
#include "core/pool/status.h"

namespace slabpool {

inline constexpr uint32_t kMaxHeaps = 256;
inline constexpr uint32_t kMaxBlocks = 1u << Ticket::kBlockBits;

class BlockStore {
 public:
  using ClassHeap = Heap::ClassHeap;
  class BatchBuilder;

  // See Pool::create(). `epoch_ms`: how long the destructor keeps addresses of blocks in quarantine from others, at the
  // least.
  BlockStore(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms);
  ~BlockStore();
  BlockStore(const BlockStore&) = delete;
  BlockStore& operator=(const BlockStore&) = delete;

  // Before anything else. False: the OS refused the address space for the metadata.
  [[nodiscard]] bool reserve();

  // -- Taking: up to `most` blocks of the class into `out`; looks in `heap` first.

  // Blocks that are free and have pages: those of one batch, or of shelves. The count is 0 when there are none.
  [[nodiscard]] RefillResult take_free(const Heap& heap, uint32_t c, uint32_t most, uint32_t* out);
  // Blocks that have no pages yet, of a new slab if need be. Exhausted: the budget has no room for one.
  [[nodiscard]] RefillResult take_cold(Heap& heap, uint32_t c, uint32_t most, uint32_t* out);
  // One block that those who wait lose nothing by (Shelf::take_past()), or kNoIndex.
  [[nodiscard]] uint32_t take_past(const Heap& heap, uint32_t c);

  // -- Populating (populating.cc)

  // Blocks that the caller was given, whose pages the budget is charged for, get their memory by a system call for each
  // run of them, instead of by a fault for each page. Where memory is short, or the system has no such call, nothing
  // happens. Under no lock.
  enum class Amount : uint8_t { reach, all };
  void populate(uint32_t c, const uint32_t* blocks, uint32_t count, Amount amount);

  // -- Putting

  // Each of the caller's blocks, whose state is `free`, goes to the depot of its home. Reorders `blocks`.
  void put(uint32_t c, uint32_t* blocks, uint32_t count);
  // The caller's block is never used again.
  void retire(uint32_t block);
  // A block in flight that nobody will adopt goes home, if its generation is still this one.
  void recall(uint32_t block, uint32_t generation);
  // The heap's depot of the class turns idle.
  void shelve(Heap& heap, uint32_t c);
  // Pages of one slab of the heap go back to the OS: see Shelf::give_back().
  GivenBack give_back(Heap& heap, uint32_t c, uint32_t pass, uint64_t most_pages, const StdSync::atomic<bool>* stop);

  // -- Warming (warming.cc)

  // From now on the class has `count` free blocks with pages, `free` of which there are now, if the budget has room for
  // the others; otherwise nothing has changed.
  WarmResult warm(Heap& heap, uint32_t c, uint64_t count, uint64_t free);

  // -- Heaps

  // nullptr: no memory.
  [[nodiscard]] Heap* heap_for(uint32_t slot);
  // nullptr while the slot has no heap yet. Seq_cst: see heap_for().
  [[nodiscard]] Heap* heap_at(uint32_t slot) const { return heaps_[slot].load(std::memory_order_seq_cst); }
  // A bound for loops: no slot from here on ever had a heap. Seq_cst: see heap_for().
  [[nodiscard]] uint32_t heap_slots() const { return heap_slots_.load(std::memory_order_seq_cst); }
  // Visits each heap and class until `visit` returns false.
  template <class Visit>
  void each_heap(Visit&& visit) {
    for (uint32_t h = 0; h < heap_slots(); ++h) {
      Heap* heap = heap_at(h);
      if (heap == nullptr) continue;
      for (uint32_t c = 0; c < class_count_; ++c) {
        if (!visit(*heap, c)) return;
      }
    }
  }
  [[nodiscard]] ClassHeap& home_of(uint32_t block, uint32_t c) const {
    return heap_at(slabs_[blocks_[block].slab].home)->classes[c];
  }

  // -- Blocks

  // A safe bound for numbers from outside.
  [[nodiscard]] uint32_t block_count() const { return blocks_.size(); }
  [[nodiscard]] Block& block(uint32_t b) { return blocks_[b]; }
  [[nodiscard]] const Block& block(uint32_t b) const { return blocks_[b]; }
  [[nodiscard]] uint32_t slab_count() const { return slabs_.size(); }
  [[nodiscard]] const Slab& slab(uint32_t s) const { return slabs_[s]; }
  [[nodiscard]] const Slab& slab_of(uint32_t block) const { return slabs_[blocks_[block].slab]; }
  [[nodiscard]] uint32_t class_of(uint32_t block) const { return slab_of(block).size_class; }
  [[nodiscard]] char* address(uint32_t block) const;
  // TaggedStack's links.
  [[nodiscard]] StdSync::atomic<uint32_t>& next_batch(uint32_t block) { return blocks_[block].next_batch; }

  // Visits the blocks in flight, with the index of the member that sent each (kNoMember: it travels by a channel) and
  // for how many milliseconds, about: a walk through all blocks, of which each is told as it was lately. Any thread.
  template <class Visit>
  void each_in_flight(const Visit& visit) const {
    const uint32_t blocks = blocks_.size();
    for (uint32_t b = 0; b < blocks; ++b) {
      const BlockStateWord word = blocks_[b].state.look();
      if (word.state != BlockState::in_flight) continue;
      // Acquire: the word is read again after it.
      const uint32_t since = blocks_[b].next_batch.load(std::memory_order_acquire);
      if (blocks_[b].state.get().bits() == word.bits()) visit(word.owner, os::coarse_now_ms() - since);
    }
  }

  // -- Figures

  [[nodiscard]] uint32_t class_count() const { return class_count_; }
  [[nodiscard]] const SizeClass& size_class(uint32_t c) const { return classes_[c]; }
  [[nodiscard]] const Budget<>& budget() const { return budget_; }
  [[nodiscard]] ClassTotals& totals(uint32_t c) { return totals_[c]; }
  [[nodiscard]] const ClassTotals& totals(uint32_t c) const { return totals_[c]; }
  // Of all pages that a block of the class needs, and of the parts of these that belong to neighbours without pages of
  // their own.
  [[nodiscard]] uint64_t resident_bytes(uint32_t c) const;
  [[nodiscard]] uint64_t pinned_bytes(uint32_t c) const;
  [[nodiscard]] InHand& in_hand() { return in_hand_; }
  [[nodiscard]] const InHand& in_hand() const { return in_hand_; }

 private:
  [[nodiscard]] ShelfOf shelf_of(uint32_t c) { return shelf_of(c, budget_); }
  [[nodiscard]] ShelfOf shelf_of(uint32_t c, Budget<>& charged) {
    return {blocks_, slabs_, classes_[c], charged, totals_[c], reach_[c]};
  }

  uint32_t take_batch(const Heap& heap, uint32_t c, uint32_t most, uint32_t first, uint32_t* out);
  uint32_t take_from_shelves(const ShelfOf& of, const Heap& heap, uint32_t c, Rank rank, uint32_t most, uint32_t* out);
  // `take` of one heap after the other, from `heap` on, until it returns anything but `nothing`.
  template <class Take>
  uint32_t from_heaps(const Heap& heap, uint32_t nothing, const Take& take) const;
  void to_depot(uint32_t c, const uint32_t* blocks, uint32_t count);
  [[nodiscard]] bool may_carve(uint32_t c) const;
  // False: no memory, or no address space.
  bool carve(Heap& heap, uint32_t c);
  void let_go(const Slab& slab);

  const uint64_t salt_;  // of the generations that blocks begin with; differs from pool to pool
  const uint32_t class_count_;
  const uint32_t epoch_ms_;
  SizeClass classes_[kMaxClasses];
  Budget<> budget_;
  StableArray<Block> blocks_;
  StableArray<Slab> slabs_;
  // Grow-only: heaps outlive the members.
  StdSync::atomic<Heap*> heaps_[kMaxHeaps]{};
  StdSync::atomic<uint32_t> heap_slots_{0};
  ClassTotals totals_[kMaxClasses];
  Reach reach_[kMaxClasses];
  InHand in_hand_;
};

// Chains blocks that the caller owns into batches and pushes each full one: at that moment its blocks are given away.
class BlockStore::BatchBuilder {
 public:
  BatchBuilder(BlockStore& store, TaggedStack<>& to, uint32_t batch) : store_(store), to_(to), batch_(batch) {}
  BatchBuilder(const BatchBuilder&) = delete;
  BatchBuilder& operator=(const BatchBuilder&) = delete;
  ~BatchBuilder() {
    if (count_ != 0) push();
  }

  void add(uint32_t block) {
    store_.blocks_[block].next = head_;
    head_ = block;
    if (++count_ == batch_) push();
  }

 private:
  void push() {
    to_.push(store_, head_);
    head_ = kNoIndex;
    count_ = 0;
  }

  BlockStore& store_;
  TaggedStack<>& to_;
  const uint32_t batch_;
  uint32_t head_ = kNoIndex;
  uint32_t count_ = 0;
};

}  // namespace slabpool
