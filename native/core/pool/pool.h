// Pool: size classes, slabs, heaps and one byte budget; what JavaScript calls a BufferPool.
//
// What        Hands out batches of blocks of one size class (refill) and takes them back (flush). A block is a number.
//             A pool is a facade of four parts, each with fields of its own:
//               BlockStore    blocks that nobody holds, and the slabs that all of them lie in
//               Members       threads, and who holds which block
//               Reclaimer     pages go back to the OS, and what members left behind is free again
//               BudgetQueue   who waits for room, and for the end
// Callers     Any thread through its own Member. What refills and flushes go through first is lock-free; shelves, and
//             the queue of those that wait for budget, have locks that nobody holds over a system call. One call waits:
//             a refill that would be refused while another thread gives a slab's pages back lets that one slab be
//             finished.
// Identity    Of blocks: stats.h. Of bytes: block_store.h.
// Never lost  Each call that may free blocks or budget ends with serve(): see wait_queue.h.
#pragma once

#include <cstdint>
#include <memory>

#include "core/janitor.h"
#include "core/pool/block_store.h"
#include "core/pool/budget_queue.h"
#include "core/pool/members.h"
#include "core/pool/reclaimer.h"
#include "core/pool/stats.h"

namespace slabpool {

class Pool final : private Ageable {
 public:
  // `capacities`: strictly ascending, 1..kMaxCapacity bytes each, at most kMaxClasses. `epoch_ms`: how long the blocks
  // of a member that is gone are in quarantine. `min_bytes`: what epochs leave resident. nullptr: the OS refused the
  // address space for the metadata.
  static std::unique_ptr<Pool> create(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms,
                                      uint64_t min_bytes = 0);
  ~Pool();

  // Makes the calling thread a member. nullptr: no memory, or, with `full`, kMaxThreads are.
  [[nodiscard]] Member* attach(bool* full = nullptr) { return members_.attach(full); }

  // Ends a membership, in the name of a thread that is gone or will not use it any more. What the member held is in
  // quarantine for an epoch, since the operating system may still be writing to it, and is free then. So is, if the
  // member was abandoned, what it sent by tickets that nobody has adopted by then.
  void detach(Member& member, Departure departure);

  // -- Blocks. By the member's thread.

  // Up to one batch of `size_class` into `out` (room for kMaxBatch).
  [[nodiscard]] RefillResult refill(Member& member, uint32_t size_class, uint32_t* out);

  // From now on `count` free blocks of the class have memory, unless the budget has no room for those that are missing:
  // then nothing has changed, since nothing is given up for them. (What others take meanwhile may be missing in the
  // end.)
  [[nodiscard]] WarmResult warm(Member& member, uint32_t size_class, uint64_t count);
  // Up to `most` blocks (of a batch) that are free, into `out`; how many. All of their pages have memory then, if the
  // system has any to spare.
  [[nodiscard]] uint32_t take_free(Member& member, uint32_t size_class, uint32_t most, uint32_t* out);

  // Takes `count` blocks back, each to its home heap; reorders `blocks`. A block that the member does not hold is left
  // alone and makes the result not_held; the others are taken all the same.
  [[nodiscard]] Status flush(Member& member, uint32_t size_class, uint32_t* blocks, uint32_t count);

  // The block is never used again.
  [[nodiscard]] Status retire(Member& member, uint32_t size_class, uint32_t block);

  // The block leaves the member: `generation` is what adopt() needs. `size` of its bytes are used.
  [[nodiscard]] Status transfer(Member& member, uint32_t size_class, uint32_t block, Carrier carrier,
                                uint32_t& generation, uint32_t size = 0) {
    return members_.transfer(member, size_class, block, carrier, generation, size);
  }

  // The block comes to the member, if it is in flight with this generation; otherwise stale. The thread sees all that
  // was written before transfer().
  [[nodiscard]] Status adopt(Member& member, uint32_t block, uint32_t generation) {
    return members_.adopt(member, block, generation);
  }

  // As adopt(), by a number that may be any, and is good for the blocks of another pool by chance only. With ok, which
  // block it is.
  [[nodiscard]] Status adopt_ticket(Member& member, uint64_t number, uint32_t& block);
  // What transfer() was told. By the thread that has adopted the block, before it does anything else with it.
  [[nodiscard]] uint32_t size_of(uint32_t block) const { return store_.block(block).size; }

  // A block that nobody will adopt goes home, if it is still in flight with this generation. Any thread.
  void recall(uint32_t block, uint32_t generation);

  [[nodiscard]] bool holds(const Member& member, uint32_t size_class, uint32_t block) const {
    return members_.holds(member, size_class, block);
  }
  // Whether the member holds any block, leased or in a magazine.
  [[nodiscard]] bool holds_any(const Member& member) const { return members_.holds_any(member); }

  // -- Memory. Any thread.

  // From now on the janitor looks after the pool, and ages it once an epoch (0: never). By its maker, once.
  void enroll() { reclaimer_.enroll(*this); }
  // The janitor trims the pool as soon as it can.
  void trim_soon() { reclaimer_.trim_soon(); }
  // All that is free loses its pages: two epochs at once. Returns the bytes given back to the OS. It works slab by
  // slab, and nobody waits for it; it waits for what others have in hand, unless there is a `stop`, which ends it
  // between two slabs.
  uint64_t trim(Cause cause = Cause::trim, const StdSync::atomic<bool>* stop = nullptr);
  // One epoch: what is idle loses its pages, what is in the depots becomes idle. Returns the bytes given back to the
  // OS.
  uint64_t age(const StdSync::atomic<bool>* stop = nullptr);

  // -- Waiting for budget. While somebody waits, refills get what is of no use to the first in the queue, and nothing
  // else.

  // A place in the queue for one block, and its number; queue_full when `most` wait already. When it is served, a Grant
  // is in the member's notifications, and its thread is woken. By the member's thread.
  [[nodiscard]] Status wait(Member& member, uint32_t size_class, uint64_t most, uint64_t& number) {
    return queue_.wait(member, size_class, most, number);
  }
  // Gives a place up. False: it has been served, or never was. Any thread.
  bool cancel(uint64_t number) { return queue_.cancel(number); }
  // Takes a grant out of the notifications; the member holds its block then. By the member's thread.
  [[nodiscard]] bool collect(Member& member, Grant& grant);
  // Whether anybody waits, for budget or for the end of what is held: then nothing is to stay in magazines.
  [[nodiscard]] bool waiting() const { return queue_.waiting(); }
  // Whether anything may serve the member's requests of which its thread is not the cause itself: another thread that
  // can be woken, or the end of a quarantine. By the member's thread.
  [[nodiscard]] bool others_may_serve(const Member& member) const { return queue_.others_may_serve(member); }

  // From now on nothing is given out to any thread, for good; what is held may still be handed over. When the last
  // block is back, and each thread with a waker has taken its flush request, drained() is true and all are asked again.
  // Any thread.
  void drain() { queue_.drain(); }
  [[nodiscard]] bool draining() const { return queue_.draining(); }
  [[nodiscard]] bool drained() const { return queue_.drained(); }

  // -- Notifications

  // How the member's thread is told of its notifications, until it leaves. By that thread. None: it will not look any
  // more, which gives up its requests, and what it was granted.
  void set_waker(Member& member, Waker waker) { queue_.set_waker(member, waker); }
  // What the member's thread was asked to do, once. By that thread.
  FlushRequest take_flush_request(Member& member) { return queue_.take_flush_request(member); }
  // Asks the threads of all members with wakers, but one. Any thread.
  void request_flush(FlushRequest what, const Member* but) { queue_.request_flush(what, but); }

  // -- What there is. Any thread.

  // Whether a block has no pages just now: a hint.
  [[nodiscard]] bool is_cold(uint32_t block) const {
    return block < store_.block_count() && store_.block(block).state.get().state == BlockState::cold;
  }
  // Of a block that was handed out or adopted.
  [[nodiscard]] char* address(uint32_t block) const { return store_.address(block); }
  // Where the block lies; whoever makes an ArrayBuffer over it retains that.
  [[nodiscard]] Range& range_of(uint32_t block) const { return *store_.slab_of(block).range; }
  [[nodiscard]] uint32_t class_of(uint32_t block) const { return store_.class_of(block); }
  [[nodiscard]] uint32_t class_count() const { return store_.class_count(); }
  [[nodiscard]] const SizeClass& size_class(uint32_t c) const { return store_.size_class(c); }
  [[nodiscard]] const Budget<>& budget() const { return store_.budget(); }

  [[nodiscard]] ClassStats stats(uint32_t size_class) const { return class_stats(store_, members_, size_class); }
  [[nodiscard]] PoolStats stats() const;
  // False: no thread is attached with this index.
  [[nodiscard]] bool stats(uint32_t index, ThreadStats& stats) const;
  // A bound for such indices: nobody ever was at or above it.
  [[nodiscard]] uint32_t member_count() const { return members_.count(); }
  // See BlockStore::each_in_flight().
  template <class Visit>
  void each_in_flight(const Visit& visit) const {
    store_.each_in_flight(visit);
  }
  // An acquire was refused, after all that was tried.
  void count_refusal() { queue_.count_refusal(); }
  // See invariants.h.
  [[nodiscard]] const char* check_invariants() const;

 private:
  friend struct PoolInsides;  // of the tests

  Pool(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms, uint64_t min_bytes);

  // By the janitor.
  void age(Aging why, const StdSync::atomic<bool>& stop) override;
  [[nodiscard]] bool has_pages() const override { return budget().used() != 0; }

  BlockStore store_;
  Members members_;
  Reclaimer reclaimer_;
  BudgetQueue queue_;
};

}  // namespace slabpool
