// Pool: size classes, slabs, heaps and one byte budget; what JavaScript calls a BufferPool.
//
// What        Hands out batches of blocks of one size class (refill) and takes them back (flush). A block is a number.
// Callers     Any thread through its own Member. What refills and flushes go through first is lock-free; shelves, and the queue
//             of those that wait for budget, have locks that nobody holds over a system call. One call waits: a refill that would
//             be refused while another thread gives a slab's pages back lets that one slab be finished.
// Identity    resident == out + transit + cached + resting + retired (blocks, per class), and budget.used() == sum of
//             resident_pages * page == sum of resident * stride + pinned bytes.
// Memory      Block memory is never unmapped, and its addresses are used by nobody else while an ArrayBuffer may be over them
//             (address_space.h). The destructor gives all pages back but those of blocks that somebody may still be using.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "core/block/block.h"
#include "core/block/size_class.h"
#include "core/block/ticket.h"
#include "core/janitor.h"
#include "core/os/os.h"
#include "core/os/stable_array.h"
#include "core/pool/budget.h"
#include "core/pool/heap.h"
#include "core/pool/member.h"
#include "core/pool/shelf.h"
#include "core/pool/wait_queue.h"

namespace slabpool {

inline constexpr uint32_t kMaxHeaps = 256;
inline constexpr uint32_t kMaxMembers = 4096;
inline constexpr uint32_t kMaxThreads = kMaxMembers - 1;  // in one pool at once: the last place is the wait queue's
inline constexpr uint32_t kMaxBlocks = 1u << Ticket::kBlockBits;

enum class Status : uint8_t {
  ok,
  exhausted,      // the budget is full, or others wait for it
  out_of_memory,  // the OS, or the pool's address space, refuses
  not_held,       // a block that the caller does not hold, or not of this class
  stale,          // a ticket that was used before, or was never given out
  queue_full,     // as many wait as may
  draining,       // nothing is given out any more
};

struct RefillResult {
  Status status;
  uint32_t count;                // blocks handed out: at least 1 with Status::ok
  Step step{};                   // with Status::ok
  uint64_t reclaimed_bytes = 0;  // of idle blocks, to make room
};

struct WarmResult {
  Status status;
  uint64_t possible;  // with Status::ok: how many free blocks there can be; fewer than were asked for: nothing was done
  bool carved = false;
};

// What a block in transit travels with. A ticket is good as long as its sender lives, and an epoch more: then nobody may
// know it any more. A channel keeps what is in it.
enum class Carrier : uint8_t { ticket, channel };

// How a thread leaves a pool. One that says goodbye has left its tickets to others: they are good for ever.
enum class Departure : uint8_t { clean_exit, abandoned };

// Why memory was given back.
enum class Cause : uint8_t { decay, trim, exhausted, pressure };
inline constexpr size_t kCauses = 4;

// Blocks of one class, process-wide. Exact at quiescence; in between each figure is one that was true lately.
struct ClassStats {
  uint64_t carved;          // in slabs, cold ones included
  uint64_t resident;        // not cold
  uint64_t resident_bytes;  // whole pages: what the budget is charged
  uint64_t held;            // held by threads (leased or in a magazine)
  uint64_t in_flight;       // handed over by one thread, not yet adopted by another
  uint64_t quarantined;     // of dead threads, not yet free again
  uint64_t retired;
  uint64_t slabs;
  uint64_t idle;                 // free, and unused for an epoch
  uint64_t pinned_bytes;         // of pages that are resident because of one block, and belong to others
  uint64_t peak_resident_bytes;  // the most at once
  // As far as threads have reported it:
  uint64_t cached;    // of those out, in magazines
  uint64_t acquires;  // leases
  uint64_t refills[kSteps];
};

// Of one thread, over all classes.
struct ThreadStats {
  uint32_t index;
  uint64_t held, held_bytes;      // held: leased or in a magazine
  uint64_t cached, cached_bytes;  // of these, in magazines, as reported
  uint64_t acquires;
  uint64_t refills[kSteps];
};

// Of the pool.
struct PoolStats {
  uint64_t waits;    // requests that ever waited
  uint64_t waiting;  // now
  uint64_t peak_waiting;
  uint64_t peak_resident_bytes;
  uint64_t refused;
  uint64_t dropped_bytes[kCauses];
  uint64_t drop_calls;  // of the system, for that
};

class Pool : private Ageable {
 public:
  // `capacities`: strictly ascending, 1..kMaxCapacity bytes each, at most kMaxClasses. `epoch_ms`: how long the blocks
  // of a dead thread rest. `min_bytes`: what epochs leave resident. nullptr: the OS refused the address space for the metadata.
  static std::unique_ptr<Pool> create(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms,
                                      uint64_t min_bytes = 0);
  ~Pool();

  // Makes the calling thread a member. nullptr: no memory, or, with `full`, kMaxThreads are.
  [[nodiscard]] Member* attach(bool* full = nullptr);

  // Ends a membership, in the name of a thread that is gone or will not use it any more. What it held rests for an
  // epoch, since the operating system may still be writing to it, and is free then. So does, with `death`, what it sent by
  // tickets that nobody has adopted by then.
  void detach(Member& member, Departure departure);

  // Up to one batch of `size_class` into `out` (room for kMaxBatch). By the attached thread.
  [[nodiscard]] RefillResult refill(Member& member, uint32_t size_class, uint32_t* out);

  // From now on `count` free blocks of the class have memory, unless the budget has no room for those that are missing: then nothing
  // has changed, since nothing is given up for them. (What others take meanwhile may be missing in the end.) By the attached thread.
  [[nodiscard]] WarmResult warm(Member& member, uint32_t size_class, uint64_t count);
  // Up to `most` blocks (of a batch) that are free and have memory, into `out`; how many. By the attached thread.
  [[nodiscard]] uint32_t take_free(Member& member, uint32_t size_class, uint32_t most, uint32_t* out);

  // Takes `count` blocks back, each to its home heap; reorders `blocks`. A block that the thread does not hold is left
  // alone and makes the result not_held; the others are taken all the same. By the attached thread.
  [[nodiscard]] Status flush(Member& member, uint32_t size_class, uint32_t* blocks, uint32_t count);

  // The block is never used again. By the attached thread.
  [[nodiscard]] Status retire(Member& member, uint32_t size_class, uint32_t block);

  // The block leaves the thread: `generation` is what adopt() needs. `size` of its bytes are used. By the attached thread.
  [[nodiscard]] Status transfer(Member& member, uint32_t size_class, uint32_t block, Carrier carrier,
                                uint32_t& generation, uint32_t size = 0);

  // The block comes to the thread, if it is in transit and the low `bits` bits of its generation are those of `generation`;
  // otherwise stale. By the attached thread, which sees all that was written before transfer().
  [[nodiscard]] Status adopt(Member& member, uint32_t block, uint32_t generation, uint32_t bits = kGenerationBits);

  // As adopt(), by a number that may be any, and is good for the blocks of another pool by chance only. With ok, which block it is.
  [[nodiscard]] Status adopt_ticket(Member& member, uint64_t number, uint32_t& block);
  // What transfer() was told. By the thread that has adopted the block, before it does anything else with it.
  [[nodiscard]] uint32_t size_of(uint32_t block) const { return blocks_[block].size; }

  // A block that nobody will adopt goes home, if it is still in transit with this generation. Any thread.
  void recall(uint32_t block, uint32_t generation);

  // From now on the janitor looks after the pool, and ages it once an epoch (0: never). By its maker, once.
  void enroll() { janitor_.emplace(static_cast<Ageable&>(*this), epoch_ms_); }
  // The janitor trims the pool as soon as it can. Any thread.
  void trim_soon() {
    if (janitor_) janitor_->trim_soon();
  }

  // -- Waiting for budget. While somebody waits, refills get what is of no use to the first in the queue, and nothing else.

  // A place in the queue for one block, and its number; queue_full when `most` wait already. When it is served, a Grant is in
  // the thread's mailbox, and its bell rings. By the attached thread.
  [[nodiscard]] Status wait(Member& member, uint32_t size_class, uint64_t most, uint64_t& number);
  // Gives a place up. False: it has been served, or never was. Any thread.
  bool cancel(uint64_t number);
  // Takes a grant out of the mailbox; its block is out with the thread then. By the attached thread.
  [[nodiscard]] bool collect(Member& member, Grant& grant);
  // Whether anybody waits, for budget or for the end of what is out: then nothing is to stay in magazines.
  [[nodiscard]] bool waiting() const { return !queue_.idle(); }

  // From now on nothing is given out to any thread, for good; what is out may still be handed over. When the last block is back, and
  // each thread with a bell has taken its summons, drained() is true and all are summoned again. Any thread.
  void drain();
  [[nodiscard]] bool draining() const { return queue_.draining(); }
  [[nodiscard]] bool drained() const { return drained_.load(std::memory_order_relaxed); }

  // How the attached thread is told of its mail, until it leaves. By that thread. None: it will not look any more, which gives
  // up its requests, and what it was granted.
  void set_waker(Member& member, Waker waker);
  // Whether anything may serve the thread's requests of which it is not the cause itself: another thread that can be rung, or the
  // end of what the dead left. By the attached thread.
  [[nodiscard]] bool others_may_serve(const Member& member) const;
  // What the attached thread was asked to do, once. By that thread.
  FlushRequest take_flush_request(Member& member);
  // Asks all threads with bells, but one.
  void request_flush(FlushRequest what, const Member* but);

  // --

  // A thread tells of its magazine: leases since it did so last, and blocks in it now. By the attached thread.
  static void publish_counters(Member& member, uint32_t size_class, uint64_t acquires, uint32_t cached) {
    member.classes[size_class].acquires.add(acquires);
    member.classes[size_class].cached.store(cached, std::memory_order_relaxed);
  }
  static void count_acquire(Member& member, uint32_t size_class) { member.classes[size_class].acquires.add(1); }
  // An acquire was refused, after all that was tried.
  void count_refusal() { refused_.fetch_add(1, std::memory_order_relaxed); }

  // All that is free loses its pages: two epochs at once. Returns the bytes given back to the OS. Any thread. It works slab by
  // slab, and nobody waits for it; it waits for what others have in hand, unless there is a `stop`, which ends it between two.
  uint64_t trim(Cause cause = Cause::trim, const StdSync::atomic<bool>* stop = nullptr);

  // One epoch: what is idle loses its pages, what is in the depots becomes idle. Returns the bytes given back to the OS. Any
  // thread; as trim().
  uint64_t age(const StdSync::atomic<bool>* stop = nullptr);

  // Whether a block has no pages just now: a hint. Any thread.
  [[nodiscard]] bool is_cold(uint32_t block) const {
    return block < blocks_.size() && blocks_[block].state.get().state == BlockState::cold;
  }

  [[nodiscard]] bool holds(const Member& member, uint32_t size_class, uint32_t block) const;
  // Whether the thread has any block, leased or in a magazine. By the attached thread.
  [[nodiscard]] bool holds_any(const Member& member) const;
  // Of a block that was handed out or adopted.
  [[nodiscard]] char* address(uint32_t block) const;
  // Where it lies; whoever makes an ArrayBuffer over the block retains it.
  [[nodiscard]] Range& range_of(uint32_t block) const { return *slabs_[blocks_[block].slab].range; }
  [[nodiscard]] uint32_t class_of(uint32_t block) const { return slabs_[blocks_[block].slab].size_class; }

  [[nodiscard]] uint32_t class_count() const { return class_count_; }
  [[nodiscard]] const SizeClass& size_class(uint32_t c) const { return classes_[c]; }
  [[nodiscard]] const Budget<>& budget() const { return budget_; }
  [[nodiscard]] ClassStats stats(uint32_t size_class) const;
  [[nodiscard]] PoolStats stats() const;
  // False: no thread is attached with this index.
  [[nodiscard]] bool stats(uint32_t index, ThreadStats& stats) const;
  // Visits what is in transit, with the index of the member that sent it (kNoMember: it travels by a channel) and for how many
  // milliseconds, about: a walk through all blocks, of which each is told as it was lately. Any thread.
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
  // A bound for such indices, and for loops: nobody ever was at or above it.
  [[nodiscard]] uint32_t member_count() const;

  // Walks everything, at quiescence: each block is in exactly one place, its state says which, and the identities hold.
  // nullptr, or the first thing that is wrong.
  [[nodiscard]] const char* check_invariants() const;

  // TaggedStack's links.
  [[nodiscard]] StdSync::atomic<uint32_t>& next_batch(uint32_t block) { return blocks_[block].next_batch; }
  [[nodiscard]] const StdSync::atomic<uint32_t>& next_batch(uint32_t block) const { return blocks_[block].next_batch; }

 private:
  // By the janitor.
  void age(Aging why, const StdSync::atomic<bool>& stop) override;
  [[nodiscard]] bool has_pages() const override { return budget_.used() != 0; }

  friend struct PoolInsides;  // of the tests: starts counters high
  class BatchBuilder;
  using ClassHeap = Heap::ClassHeap;

  Pool(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms, uint64_t min_bytes);

  [[nodiscard]] ShelfOf shelf_of(uint32_t c) { return {blocks_, slabs_, classes_[c], budget_, totals_[c]}; }

  // Up to `most` blocks of the class, which the caller owns then, into `out`; looks and carves in `heap` first. try_take() gives up
  // idle blocks of other classes, if the budget has no room.
  RefillResult try_take(Heap& heap, uint32_t c, uint32_t most, uint32_t* out);
  RefillResult take(Heap& heap, uint32_t c, uint32_t most, uint32_t* out);
  uint32_t take_batch(const Heap& heap, uint32_t c, uint32_t most, uint32_t first, uint32_t* out);
  uint32_t take_past(const Heap& heap, uint32_t c);
  RefillResult refill_past_queue(Member& member, uint32_t c, uint32_t* out);
  uint32_t take_from_shelves(const ShelfOf& of, const Heap& heap, uint32_t c, Rank rank, uint32_t most, uint32_t* out);
  void to_depot(uint32_t c, const uint32_t* blocks, uint32_t count);
  [[nodiscard]] bool may_carve(uint32_t c) const;
  // False: no memory, or no address space.
  bool carve(Heap& heap, uint32_t c);

  void hand_out(Member& member, uint32_t c, const uint32_t* blocks, uint32_t count);
  Status flush_held(Member& member, uint32_t c, uint32_t* blocks, uint32_t count);

  // Serves those who wait, as far as it goes. By whoever has freed blocks or budget, after that.
  void serve();
  void serve_requests();
  void note_drained();
  void joined(uint64_t number, uint32_t c);
  void deliver(Request& served);
  Status take_one(Request& request);
  void serve_past_first(uint32_t c);
  void grant(Request& request, Step step);
  void ask(FlushRequest what, const Member* but);
  static void ask(Member& member, FlushRequest what);
  void close_notifications(Member& member);
  void recall_block(uint32_t block, uint32_t generation);

  void let_go(const Slab& slab);
  // Gives pages of idle blocks back until the budget has room for so many bytes; what it gave.
  uint64_t reclaim(uint64_t bytes);
  // Gives pages of one slab back.
  GivenBack give_back(Heap& heap, uint32_t c, uint32_t pass, Cause cause, uint64_t most_pages,
                      const StdSync::atomic<bool>* stop);
  [[nodiscard]] bool has_idle() const;                                                                // a hint
  [[nodiscard]] uint32_t next_pass() { return passes_.fetch_add(1, std::memory_order_relaxed) + 1; }  // only a number
  // Whether another thread has blocks in hand that are in no place, and how many such steps have ended.
  [[nodiscard]] bool stepping(uint64_t& passed) const;
  // Until one more has.
  void await_step(uint64_t passed) const;
  template <class Action>
  void step(Action&& action);
  // The depot's batches turn idle.
  void shelve(Heap& heap, uint32_t c);
  template <class Visit>
  void each_heap(Visit&& visit);
  // Frees the resting batches of the class, and the orphans of all, whose epoch has passed. True if there were any.
  bool wake(uint32_t c);
  bool free_quarantined(uint32_t c);
  bool recall_abandoned();
  void abandon_ticket(uint32_t block, uint32_t generation, uint32_t now);

  Member* take_place();

  // Null while the slot has no heap yet.
  [[nodiscard]] Heap* heap_at(uint32_t slot) const;
  [[nodiscard]] Heap* heap_for(uint32_t slot);
  [[nodiscard]] ClassHeap& home_of(uint32_t block, uint32_t c) {
    return heap_at(slabs_[blocks_[block].slab].home)->classes[c];
  }
  [[nodiscard]] Member* member_at(uint32_t index) const;
  [[nodiscard]] Member* member_for(uint32_t index);
  // A bound for loops: nobody ever was at or above it.
  [[nodiscard]] uint32_t heap_slots() const;

  const uint64_t salt_;  // of the generations that blocks begin with; differs from pool to pool
  const uint32_t class_count_;
  const uint32_t epoch_ms_;
  const uint64_t min_bytes_;
  SizeClass classes_[kMaxClasses];
  Budget<> budget_;
  StableArray<Block> blocks_;
  StableArray<Slab> slabs_;

  // Grow-only, as is members_: heaps and counters outlive the threads.
  StdSync::atomic<Heap*> heaps_[kMaxHeaps]{};
  StdSync::atomic<Member*> members_[kMaxMembers]{};
  // A bit for each index that a thread has now.
  StdSync::atomic<uint64_t> attached_[kMaxMembers / 64]{};
  // Threads that have a place, or look for one: at most kMaxThreads.
  StdSync::atomic<uint32_t> threads_{0};
  // Highest index ever attached, plus one.
  StdSync::atomic<uint32_t> member_count_{0};

  ClassTotals totals_[kMaxClasses];
  StdSync::atomic<uint64_t> refused_{0}, waits_{0};
  StdSync::atomic<uint64_t> dropped_bytes_[kCauses]{}, drop_calls_{0};

  WaitQueue queue_;
  StdSync::atomic<bool> drained_{false};

  // Blocks in transit whose senders died: a stack that is only pushed to and emptied at once.
  struct AbandonedTicket {
    uint32_t block;
    uint32_t generation;
    uint32_t since;  // os::now_ms()
    AbandonedTicket* next;
  };
  StdSync::atomic<AbandonedTicket*> abandoned_{nullptr};

  // Numbers those who go through the shelves to give pages back.
  StdSync::atomic<uint32_t> passes_{0};
  // Threads that have a slab or a batch in hand, and how often that was put back; under the lock.
  mutable std::mutex steps_lock_;
  mutable std::condition_variable step_ended_;
  uint32_t stepping_ = 0;
  uint64_t steps_ = 0;

  std::optional<Enrollment> janitor_;
};

// While `action` runs, blocks are in this thread's hand that others would find in no place.
template <class Action>
void Pool::step(Action&& action) {
  {
    const std::lock_guard lock(steps_lock_);
    ++stepping_;
  }
  action();
  {
    const std::lock_guard lock(steps_lock_);
    --stepping_;
    ++steps_;
  }
  step_ended_.notify_all();
}

}  // namespace slabpool
