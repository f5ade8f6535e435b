// BudgetQueue: who waits for blocks that the budget has no room for, and how they are served; and the end of a pool,
// for which everybody waits.
//
// What        A request waits in a WaitQueue until there is a block for it: from then on it is a grant in its member's
//             notifications. While anybody waits, refills get what is of no use to the first in the queue, and nothing
//             else. Draining is the state in which nothing is given out any more, for good, until the last block is
//             back.
// Callers     Any thread. Whoever has freed blocks or budget calls serve() after that: without a lock while nobody
//             waits. All else is under the lock of the WaitQueue, wakers included, so that none is called after
//             set_waker() has put it away.
// Ownership   A granted block is in flight to its member. It was taken in the name of a member of the queue's own,
//             since the lock's owner may be any thread.
// Identity    A request is in the WaitQueue, or among the grants of its member, or gone: never in two of these.
// Never lost  See wait_queue.h for requests, and drain() for the end.
#pragma once

#include <cstdint>

#include "core/pool/members.h"
#include "core/pool/reclaimer.h"
#include "core/pool/wait_queue.h"

namespace slabpool {

class BudgetQueue {
 public:
  BudgetQueue(BlockStore& store, Members& members, Reclaimer& reclaimer)
      : store_(store), members_(members), reclaimer_(reclaimer) {}
  BudgetQueue(const BudgetQueue&) = delete;
  BudgetQueue& operator=(const BudgetQueue&) = delete;

  // -- Requests

  // A place in the queue for one block, and its number; queue_full when `most` wait already. By the member's thread.
  [[nodiscard]] Status wait(Member& member, uint32_t c, uint64_t most, uint64_t& number);
  // Gives a place up. False: it has been served, or never was. Any thread.
  bool cancel(uint64_t number);
  // Takes a grant out of the notifications; the member holds its block then. By the member's thread.
  [[nodiscard]] bool collect(Member& member, Grant& grant);
  // Whether anybody waits, for budget or for the end of what is held.
  [[nodiscard]] bool waiting() const { return !queue_.idle(); }
  // A refill while somebody waits: of one block, by which those who wait lose nothing. By the member's thread.
  [[nodiscard]] RefillResult refill_past(Member& member, uint32_t c, uint32_t* out);

  // Serves those who wait, as far as it goes. By whoever has freed blocks or budget, after that.
  void serve() {
    if (!queue_.idle()) serve_waiting();
  }

  // -- Draining

  // See Pool::drain(). Any thread.
  void drain();
  [[nodiscard]] bool draining() const { return queue_.draining(); }
  [[nodiscard]] bool drained() const { return drained_.load(std::memory_order_relaxed); }

  // -- Notifications

  // See Pool::set_waker(). By the member's thread.
  void set_waker(Member& member, Waker waker);
  // Nobody wakes the member's thread any more, and what waited for it goes to others. The caller serves the queue then.
  void close_notifications(Member& member);
  // What the member's thread was asked to do, once. By that thread.
  FlushRequest take_flush_request(Member& member);
  // Asks the threads of all members with wakers, but one. Any thread.
  void request_flush(FlushRequest what, const Member* but);
  // See Pool::others_may_serve(). By the member's thread.
  [[nodiscard]] bool others_may_serve(const Member& member) const;

  // -- Figures

  [[nodiscard]] uint64_t size() const { return queue_.size(); }
  [[nodiscard]] uint64_t peak() const { return queue_.peak.get(); }
  [[nodiscard]] uint64_t waits() const { return waits_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  // An acquire was refused, after all that was tried.
  void count_refusal() { refused_.fetch_add(1, std::memory_order_relaxed); }
  // Whether the member is the queue's own.
  [[nodiscard]] bool is_own(const Member* member) const;

 private:
  friend struct PoolInsides;  // of the tests: starts counters high

  void serve_waiting();
  void serve_requests();
  void serve_past_first(uint32_t c);
  void joined(uint64_t number, uint32_t c);
  Status take_one(Request& request);
  void grant(Request& request, Step step);
  void deliver(Request& served);
  void note_drained();
  void ask(FlushRequest what, const Member* but);
  static void ask(Member& member, FlushRequest what);

  BlockStore& store_;
  Members& members_;
  Reclaimer& reclaimer_;
  WaitQueue queue_;
  // In whose name blocks are taken for those who wait: from the first request on.
  Member* own_ = nullptr;
  StdSync::atomic<bool> drained_{false};
  StdSync::atomic<uint64_t> refused_{0}, waits_{0};
};

}  // namespace slabpool
