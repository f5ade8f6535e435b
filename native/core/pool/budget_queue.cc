#include "core/pool/budget_queue.h"

#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "core/pool/stats.h"

namespace slabpool {

Status BudgetQueue::wait(Member& member, uint32_t c, uint64_t most, uint64_t& number) {
  const std::lock_guard lock(queue_.lock);
  if (queue_.draining()) return Status::draining;
  if (queue_.size() >= most) return Status::queue_full;
  if (own_ == nullptr) own_ = members_.take_place();
  std::unique_ptr<Request> request(new (std::nothrow) Request{{0, c, kNoIndex, 0, false}, &member});
  if (own_ == nullptr || !request) return Status::out_of_memory;
  number = queue_.push(std::move(request));
  waits_.fetch_add(1, std::memory_order_relaxed);
  joined(number, c);
  return Status::ok;
}

// Needs the lock. Somebody waits with this number and for this class, for the first time or again.
void BudgetQueue::joined(uint64_t number, uint32_t c) {
  if (queue_.draining()) return;
  const Request* const first = queue_.first();
  // What others have in their magazines is free, but out of reach.
  if (queue_.size() == 1) ask(FlushRequest::flush, first->member);
  // Behind another it may have only what is of no use to that one: whoever frees something else has seen that one, and
  // serves both.
  if (first->number == number) {
    serve_requests();
  } else {
    serve_past_first(c);
  }
}

bool BudgetQueue::cancel(uint64_t number) {
  {
    const std::lock_guard lock(queue_.lock);
    Request* const request = queue_.find(number);
    if (request == nullptr) return false;
    queue_.remove(*request);
  }
  serve();  // it may have been the one that all others waited for
  return true;
}

bool BudgetQueue::collect(Member& member, Grant& grant) {
  const std::lock_guard lock(queue_.lock);
  while (std::unique_ptr<Request> served = member.notifications.grants.pop_front()) {
    grant = *served;
    if (grant.block == kNoIndex || members_.adopt(member, grant.block, grant.generation) == Status::ok) return true;
    // Somebody guessed the block's ticket: the request waits again, in its old place.
    served->block = kNoIndex;
    queue_.put_back(std::move(served));
    joined(grant.number, grant.size_class);
  }
  return false;
}

RefillResult BudgetQueue::refill_past(Member& member, uint32_t c, uint32_t* out) {
  const std::lock_guard lock(queue_.lock);
  if (queue_.draining()) return {Status::draining, 0};
  // Not ahead of those who wait for the same; and one block only, which the next may get as well when it comes back.
  if (queue_.first_of(c) != nullptr) return {Status::exhausted, 0};
  *out = store_.take_past(*member.heap, c);
  if (*out == kNoIndex) return {Status::exhausted, 0};
  member.classes[c].count_refill(Step::cold);
  members_.hand_out(member, c, out, 1);
  return {Status::ok, 1, Step::cold};
}

void BudgetQueue::serve_waiting() {
  const std::lock_guard lock(queue_.lock);
  serve_requests();
}

// Needs the lock.
void BudgetQueue::serve_requests() {
  if (queue_.draining()) {
    note_drained();
    return;
  }
  while (Request* const first = queue_.first()) {
    if (take_one(*first) == Status::exhausted) break;
    deliver(*first);
  }
  queue_.each_class([this](uint32_t c) { serve_past_first(c); });
}

// Needs the lock. Of those who wait for this class, behind the first of all, as many as that one loses nothing by.
void BudgetQueue::serve_past_first(uint32_t c) {
  while (Request* const request = queue_.first_of(c)) {
    if (request == queue_.first()) return;
    request->block = store_.take_past(*request->member->heap, c);
    if (request->block == kNoIndex) return;
    grant(*request, Step::cold);
    deliver(*request);
  }
}

// Needs the lock. A block on its way to whoever asked.
Status BudgetQueue::take_one(Request& request) {
  const RefillResult taken = reclaimer_.take(*request.member->heap, request.size_class, 1, &request.block);
  request.unbacked = taken.unbacked;
  if (taken.status == Status::ok) grant(request, taken.step);
  return taken.status;
}

// Needs the lock. The request's block, which was just taken, takes flight.
void BudgetQueue::grant(Request& request, Step step) {
  const uint32_t c = request.size_class;
  own_->classes[c].count_refill(step);
  members_.hand_out(*own_, c, &request.block, 1);
  (void)members_.transfer(*own_, c, request.block, Carrier::channel, request.generation, 0);
  own_->classes[c].acquires.add(1);
}

// Needs the lock. From the queue to the notifications of whoever asked.
void BudgetQueue::deliver(Request& served) {
  Notifications& notifications = served.member->notifications;
  notifications.grants.push_back(queue_.remove(served));
  if (notifications.waker.wake != nullptr) notifications.waker.wake(notifications.waker.of);
}

// Never lost: 1. A member with a waker says that it knows of the draining, under the lock: it is given nothing
// afterwards, so all that it ever got is counted by then. 2. Whoever gives a block back counts that, and then comes
// here to look. 3. So the one that gives the last block back, or the last one that gets to know, finds all of them
// counted.
void BudgetQueue::drain() {
  {
    const std::lock_guard lock(queue_.lock);
    queue_.drain();
    ask(FlushRequest::drain, nullptr);
  }
  reclaimer_.release_without_epochs();  // whoever leaves later finds that the pool drains
  serve();
}

// Needs the lock.
void BudgetQueue::note_drained() {
  if (drained()) return;
  bool all_know = true;
  members_.each([&](const Member& member) {
    all_know = all_know && (member.notifications.waker.wake == nullptr || member.notifications.drains);
  });
  if (!all_know) return;
  for (uint32_t c = 0; c < store_.class_count(); ++c) {
    const ClassStats k = class_stats(store_, members_, c);
    if (k.held + k.in_flight != 0) return;
  }
  // Relaxed: it only says so, and the wakers make it certain.
  drained_.store(true, std::memory_order_relaxed);
  ask(FlushRequest::drain, nullptr);
}

void BudgetQueue::set_waker(Member& member, Waker waker) {
  if (waker.wake == nullptr) {
    close_notifications(member);
    serve();
    return;
  }
  const std::lock_guard lock(queue_.lock);
  member.notifications.waker = waker;
  member.notifications.drains = false;
  // It was not there to be asked when the waiting began.
  if (!queue_.idle()) ask(member, queue_.draining() ? FlushRequest::drain : FlushRequest::flush);
}

void BudgetQueue::close_notifications(Member& member) {
  const std::lock_guard lock(queue_.lock);
  member.notifications.waker = {};
  member.notifications.flush_request.store(FlushRequest::none, std::memory_order_relaxed);
  queue_.remove_all_of(member);
  while (const std::unique_ptr<Request> served = member.notifications.grants.pop_front()) {
    if (served->block != kNoIndex) store_.recall(served->block, served->generation);
  }
}

FlushRequest BudgetQueue::take_flush_request(Member& member) {
  // Relaxed: see ask().
  const FlushRequest taken = member.notifications.flush_request.exchange(FlushRequest::none, std::memory_order_relaxed);
  if (taken == FlushRequest::drain) {
    {
      const std::lock_guard lock(queue_.lock);
      member.notifications.drains = true;
    }
    serve();
  }
  return taken;
}

void BudgetQueue::request_flush(FlushRequest what, const Member* but) {
  const std::lock_guard lock(queue_.lock);
  ask(what, but);
}

// Needs the lock.
void BudgetQueue::ask(FlushRequest what, const Member* but) {
  members_.each([&](Member& member) {
    if (&member != but) ask(member, what);
  });
}

// Needs the lock.
void BudgetQueue::ask(Member& member, FlushRequest what) {
  Notifications& notifications = member.notifications;
  if (notifications.waker.wake == nullptr) return;
  // Relaxed: a hint, which the waker makes certain. Only who raises the request wakes.
  FlushRequest before = notifications.flush_request.load(std::memory_order_relaxed);
  while (before < what && !notifications.flush_request.compare_exchange_weak(before, what, std::memory_order_relaxed,
                                                                             std::memory_order_relaxed)) {
  }
  if (before < what) notifications.waker.wake(notifications.waker.of);
}

bool BudgetQueue::others_may_serve(const Member& member) const {
  const std::lock_guard lock(queue_.lock);
  const Waker& own = member.notifications.waker;
  bool others = false;
  members_.each([&](const Member& other) {
    const Waker& waker = other.notifications.waker;
    others = others || (waker.wake != nullptr && waker.whose != own.whose);
  });
  return others || reclaimer_.may_free_by_itself();
}

bool BudgetQueue::is_own(const Member* member) const {
  const std::lock_guard lock(queue_.lock);
  return member == own_;
}

}  // namespace slabpool
