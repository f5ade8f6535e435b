// The part of Pool that makes requests wait, serves them, and summons threads.
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "core/pool/pool.h"

namespace slabpool {

Status Pool::wait(Member& member, uint32_t c, uint64_t most, uint64_t& number) {
  const std::lock_guard lock(queue_.lock);
  if (queue_.draining()) return Status::draining;
  if (queue_.size() >= most) return Status::queue_full;
  if (queue_.member == nullptr) queue_.member = take_place();
  std::unique_ptr<Request> request(new (std::nothrow) Request{{0, c, kNoIndex, 0}, &member});
  if (queue_.member == nullptr || !request) return Status::out_of_memory;
  number = queue_.push(std::move(request));
  waits_.fetch_add(1, std::memory_order_relaxed);
  joined(number, c);
  return Status::ok;
}

// Under the lock. Somebody waits with this number and for this class, for the first time or again.
void Pool::joined(uint64_t number, uint32_t c) {
  if (queue_.draining()) return;
  const Request* const first = queue_.first();
  // What others have in their magazines is free, but out of reach.
  if (queue_.size() == 1) ask(FlushRequest::flush, first->member);
  // Behind another it may have only what is of no use to that one: whoever frees something else has seen that one, and serves both.
  if (first->number == number) {
    serve_requests();
  } else {
    serve_past_first(c);
  }
}

bool Pool::cancel(uint64_t number) {
  {
    const std::lock_guard lock(queue_.lock);
    Request* const request = queue_.find(number);
    if (request == nullptr) return false;
    queue_.remove(*request);
  }
  serve();  // it may have been the one that all others waited for
  return true;
}

bool Pool::collect(Member& member, Grant& grant) {
  const std::lock_guard lock(queue_.lock);
  while (std::unique_ptr<Request> served = member.notifications.grants.pop_front()) {
    grant = *served;
    if (grant.block == kNoIndex || adopt(member, grant.block, grant.generation) == Status::ok) return true;
    // Somebody guessed the block's ticket: it waits again, in its old place.
    served->block = kNoIndex;
    queue_.put_back(std::move(served));
    joined(grant.number, grant.size_class);
  }
  return false;
}

void Pool::set_waker(Member& member, Waker waker) {
  if (waker.wake == nullptr) {
    close_notifications(member);
    serve();
    return;
  }
  const std::lock_guard lock(queue_.lock);
  member.notifications.waker = waker;
  member.notifications.drains = false;
  // It was not there to be summoned when the waiting began.
  if (!queue_.idle()) ask(member, queue_.draining() ? FlushRequest::drain : FlushRequest::flush);
}

bool Pool::others_may_serve(const Member& member) const {
  const std::lock_guard lock(queue_.lock);
  const Waker& own = member.notifications.waker;
  const uint32_t members = member_count();
  for (uint32_t a = 0; a < members; ++a) {
    const Member* other = member_at(a);
    if (other == nullptr) continue;
    const Waker& waker = other->notifications.waker;
    if (waker.wake != nullptr && waker.whose != own.whose) return true;
  }
  uint64_t passed;
  // A step may have the orphans in hand.
  bool rests = abandoned_.load(std::memory_order_seq_cst) != nullptr || stepping(passed);
  for (uint32_t c = 0; c < class_count_; ++c) {
    rests = rests || totals_[c].quarantined.load(std::memory_order_seq_cst) != 0;
  }
  return rests && janitor_.has_value();
}

FlushRequest Pool::take_flush_request(Member& member) {
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

void Pool::drain() {
  {
    const std::lock_guard lock(queue_.lock);
    queue_.drain();
    ask(FlushRequest::drain, nullptr);
  }
  // No epoch does it. Whoever dies later finds that the pool drains.
  if (epoch_ms_ == 0) (void)wake(0);
  serve();
}

// Under the lock. A thread that knows of the draining is given nothing any more: since it said so under the lock, all that it was
// given is counted here. And what it gives back is counted before it comes here to look, so that the last one finds the end.
void Pool::note_drained() {
  if (drained()) return;
  const uint32_t members = member_count();
  for (uint32_t a = 0; a < members; ++a) {
    const Member* member = member_at(a);
    if (member != nullptr && member->notifications.waker.wake != nullptr && !member->notifications.drains) return;
  }
  for (uint32_t c = 0; c < class_count_; ++c) {
    const ClassStats k = stats(c);
    if (k.held + k.in_flight != 0) return;
  }
  // Relaxed: it only says so, and the bells make it certain.
  drained_.store(true, std::memory_order_relaxed);
  ask(FlushRequest::drain, nullptr);
}

void Pool::request_flush(FlushRequest what, const Member* but) {
  const std::lock_guard lock(queue_.lock);
  ask(what, but);
}

// Under the lock.
void Pool::ask(FlushRequest what, const Member* but) {
  const uint32_t members = member_count();
  for (uint32_t a = 0; a < members; ++a) {
    Member* member = member_at(a);
    if (member != nullptr && member != but) ask(*member, what);
  }
}

// Under the lock.
void Pool::ask(Member& member, FlushRequest what) {
  Notifications& notifications = member.notifications;
  if (notifications.waker.wake == nullptr) return;
  // Relaxed: a hint, which the bell makes certain. Only who raises it rings.
  FlushRequest before = notifications.flush_request.load(std::memory_order_relaxed);
  while (before < what && !notifications.flush_request.compare_exchange_weak(before, what, std::memory_order_relaxed,
                                                                             std::memory_order_relaxed)) {
  }
  if (before < what) notifications.waker.wake(notifications.waker.of);
}

void Pool::serve() {
  if (queue_.idle()) return;
  const std::lock_guard lock(queue_.lock);
  serve_requests();
}

// Under the lock.
void Pool::serve_requests() {
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

// Under the lock. From the queue to the mailbox of whoever asked.
void Pool::deliver(Request& served) {
  Notifications& notifications = served.member->notifications;
  notifications.grants.push_back(queue_.remove(served));
  if (notifications.waker.wake != nullptr) notifications.waker.wake(notifications.waker.of);
}

// Under the lock. A block on its way to whoever asked.
Status Pool::take_one(Request& request) {
  const RefillResult taken = try_take(*request.member->heap, request.size_class, 1, &request.block);
  if (taken.status == Status::ok) grant(request, taken.step);
  return taken.status;
}

// Under the lock. The request's block, which was just taken, goes into transit.
void Pool::grant(Request& request, Step step) {
  Member& member = *queue_.member;
  const uint32_t c = request.size_class;
  member.classes[c].refills[static_cast<size_t>(step)].add(1);
  hand_out(member, c, &request.block, 1);
  (void)transfer(member, c, request.block, Carrier::channel, request.generation);
  member.classes[c].acquires.add(1);
}

// Under the lock. Of those who wait for this class, behind the first of all, as many as it loses nothing by.
void Pool::serve_past_first(uint32_t c) {
  while (Request* const request = queue_.first_of(c)) {
    if (request == queue_.first()) return;
    request->block = take_past(*request->member->heap, c);
    if (request->block == kNoIndex) return;
    grant(*request, Step::cold);
    deliver(*request);
  }
}

RefillResult Pool::refill_past_queue(Member& member, uint32_t c, uint32_t* out) {
  const std::lock_guard lock(queue_.lock);
  if (queue_.draining()) return {Status::draining, 0};
  // Not ahead of those who wait for the same; and one block only, which the next may get as well when it comes back.
  if (queue_.first_of(c) != nullptr || (*out = take_past(*member.heap, c)) == kNoIndex) return {Status::exhausted, 0};
  member.classes[c].refills[static_cast<size_t>(Step::cold)].add(1);
  hand_out(member, c, out, 1);
  return {Status::ok, 1, Step::cold};
}

// The thread will not look any more: nobody wakes it, and what waits for it goes to others. The caller serves the queue then.
void Pool::close_notifications(Member& member) {
  const std::lock_guard lock(queue_.lock);
  member.notifications.waker = {};
  member.notifications.flush_request.store(FlushRequest::none, std::memory_order_relaxed);
  queue_.remove_all_of(member);
  while (const std::unique_ptr<Request> served = member.notifications.grants.pop_front()) {
    if (served->block != kNoIndex) recall_block(served->block, served->generation);
  }
}

}  // namespace slabpool
