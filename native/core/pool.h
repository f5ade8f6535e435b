// Pool: size classes, slabs, heaps and one byte budget; what JavaScript calls a BufferPool.
//
// What        Hands out batches of blocks of one size class (refill) and takes them back (flush). A block is a number.
// Callers     Any thread through its own Heap from attach(). All shared structures are lock-free. One call waits: a
//             refill that would be refused while another thread trims lets that finish, since idle blocks may be in
//             its hands.
// Identity    resident == out + cached + retired (blocks, per class), and budget.used() == sum of resident * stride.
// Memory      Block memory is never unmapped and never re-classed: any view that ever existed stays memory-safe. The
//             destructor gives all pages back, of blocks that are out as well; their views then read zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "block.h"
#include "budget.h"
#include "heap.h"
#include "size_class.h"
#include "stable_array.h"

namespace slabpool {

inline constexpr uint32_t kMaxClasses = 128;
inline constexpr uint32_t kMaxHeaps = 256;

enum class Status : uint8_t {
  ok,
  exhausted,      // the budget is full
  out_of_memory,  // the OS, or the pool's address space, refuses
  not_held,       // a block that the caller does not hold, or not of this class
};

struct RefillResult {
  Status status;
  uint32_t count;  // blocks handed out: at least 1 with Status::ok
};

// Blocks of one class, process-wide. Exact at quiescence; in between each figure is one that was true lately.
struct ClassStats {
  uint64_t carved;    // in slabs, cold ones included
  uint64_t resident;  // not cold
  uint64_t out;       // held by threads (leased or in a magazine)
  uint64_t retired;
  uint64_t slabs;
  uint64_t refills[kSteps];
};

class Pool {
 public:
  // `capacities`: strictly ascending, 1..kMaxCapacity bytes each, at most kMaxClasses. nullptr: the OS refused the
  // address space for the metadata.
  static std::unique_ptr<Pool> create(const uint32_t* capacities, uint32_t count, uint64_t max_bytes);
  ~Pool();

  // A heap for one more thread, or nullptr: kMaxHeaps are attached, or no memory.
  [[nodiscard]] Heap* attach();

  // Up to one batch of `size_class` into `out` (room for kMaxBatch). By the heap's thread.
  [[nodiscard]] RefillResult refill(Heap& heap, uint32_t size_class, uint32_t* out);

  // Takes `count` blocks back, each to its home heap; reorders `blocks`. A block that the heap's thread does not hold
  // is left alone and makes the result not_held; the others are taken all the same. By the heap's thread.
  [[nodiscard]] Status flush(Heap& heap, uint32_t size_class, uint32_t* blocks, uint32_t count);

  // The block is never used again. By the heap's thread.
  [[nodiscard]] Status retire(Heap& heap, uint32_t size_class, uint32_t block);

  // One epoch: what is in the victim stacks loses its pages, what is in the depots becomes victim. Returns the bytes
  // given back to the OS. Any thread; while one is at it, others return 0 at once.
  uint64_t age();

  [[nodiscard]] bool holds(const Heap& heap, uint32_t size_class, uint32_t block) const;
  [[nodiscard]] char* address(uint32_t block) const;

  [[nodiscard]] uint32_t class_count() const { return class_count_; }
  [[nodiscard]] const SizeClass& size_class(uint32_t c) const { return classes_[c]; }
  [[nodiscard]] const Budget<>& budget() const { return budget_; }
  [[nodiscard]] ClassStats stats(uint32_t size_class) const;

  // Walks everything, at quiescence: each block is in exactly one place, its state says which, and the identities hold.
  // nullptr, or the first thing that is wrong.
  [[nodiscard]] const char* check_invariants() const;

  // TaggedStack's links.
  [[nodiscard]] StdSync::atomic<uint32_t>& next_batch(uint32_t block) { return blocks_[block].next_batch; }
  [[nodiscard]] const StdSync::atomic<uint32_t>& next_batch(uint32_t block) const { return blocks_[block].next_batch; }

 private:
  class BatchBuilder;
  using ClassHeap = Heap::ClassHeap;

  Pool(const uint32_t* capacities, uint32_t count, uint64_t max_bytes);

  RefillResult try_refill(Heap& heap, uint32_t c, uint32_t* out);
  // Batches (their first block), or kNoIndex. The caller owns what is returned.
  uint32_t take_free(Heap& heap, uint32_t c, Step& step);
  uint32_t take_cold(Heap& heap, uint32_t c, uint32_t limit, Step& step);
  uint32_t carve(Heap& heap, uint32_t c);

  uint32_t hand_out(Heap& heap, uint32_t c, uint32_t batch, uint32_t* out);
  void push_cold(const Slab& slab, uint32_t from);
  uint64_t decommit(Heap& heap, uint32_t c);

  // The heap in slot (from + i) % kMaxHeaps order is found by walking attached slots only.
  [[nodiscard]] Heap* heap_at(uint32_t slot) const;
  [[nodiscard]] uint32_t heap_slots() const;

  const uint32_t class_count_;
  SizeClass classes_[kMaxClasses];
  Budget<> budget_;
  StableArray<Block> blocks_;
  StableArray<Slab> slabs_;

  // Grow-only: a slot below heap_count_ is null only while its attach() is under way.
  StdSync::atomic<Heap*> heaps_[kMaxHeaps]{};
  StdSync::atomic<uint32_t> heap_count_{0};

  // Moved by whoever carves, commits, decommits or retires; all are rare.
  struct ClassTotals {
    StdSync::atomic<uint64_t> carved{0}, resident{0}, retired{0}, slabs{0};
  };
  ClassTotals totals_[kMaxClasses];

  // Odd while a thread is in age().
  StdSync::atomic<uint32_t> ages_{0};
};

}  // namespace slabpool
