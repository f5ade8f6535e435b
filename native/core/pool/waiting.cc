// The part of Pool that makes requests wait, serves them, and summons threads.
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "core/pool/pool.h"

namespace slabpool {

Status Pool::wait(Attachment& thread, uint32_t c, uint64_t most, uint64_t& number) {
  const std::lock_guard lock(queue_.lock);
  if (queue_.draining()) return Status::draining;
  if (queue_.size() >= most) return Status::queue_full;
  if (queue_.thread == nullptr) queue_.thread = take_place();
  std::unique_ptr<Request> request(new (std::nothrow) Request{{0, c, kNoIndex, 0}, &thread});
  if (queue_.thread == nullptr || !request) return Status::out_of_memory;
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
  if (queue_.size() == 1) summon(Summons::flush, first->thread);
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

bool Pool::collect(Attachment& thread, Grant& grant) {
  const std::lock_guard lock(queue_.lock);
  while (std::unique_ptr<Request> served = thread.mailbox.grants.pop_front()) {
    grant = *served;
    if (grant.block == kNoIndex || adopt(thread, grant.block, grant.generation) == Status::ok) return true;
    // Somebody guessed the block's ticket: it waits again, in its old place.
    served->block = kNoIndex;
    queue_.put_back(std::move(served));
    joined(grant.number, grant.size_class);
  }
  return false;
}

void Pool::set_bell(Attachment& thread, Bell bell) {
  if (bell.ring == nullptr) {
    close_mailbox(thread);
    serve();
    return;
  }
  const std::lock_guard lock(queue_.lock);
  thread.mailbox.bell = bell;
  thread.mailbox.drains = false;
  // It was not there to be summoned when the waiting began.
  if (!queue_.idle()) summon(thread, queue_.draining() ? Summons::drain : Summons::flush);
}

bool Pool::others_may_serve(const Attachment& thread) const {
  const std::lock_guard lock(queue_.lock);
  const Bell& own = thread.mailbox.bell;
  const uint32_t attachments = attachment_count();
  for (uint32_t a = 0; a < attachments; ++a) {
    const Attachment* other = attachment_at(a);
    if (other == nullptr) continue;
    const Bell& bell = other->mailbox.bell;
    if (bell.ring != nullptr && bell.whose != own.whose) return true;
  }
  uint64_t passed;
  // A step may have the orphans in hand.
  bool rests = orphans_.load(std::memory_order_seq_cst) != nullptr || stepping(passed);
  for (uint32_t c = 0; c < class_count_; ++c) {
    rests = rests || totals_[c].resting.load(std::memory_order_seq_cst) != 0;
  }
  return rests && janitor_.has_value();
}

Summons Pool::take_summons(Attachment& thread) {
  // Relaxed: see summon().
  const Summons taken = thread.mailbox.summons.exchange(Summons::none, std::memory_order_relaxed);
  if (taken == Summons::drain) {
    {
      const std::lock_guard lock(queue_.lock);
      thread.mailbox.drains = true;
    }
    serve();
  }
  return taken;
}

void Pool::drain() {
  {
    const std::lock_guard lock(queue_.lock);
    queue_.drain();
    summon(Summons::drain, nullptr);
  }
  // No epoch does it. Whoever dies later finds that the pool drains.
  if (epoch_ms_ == 0) (void)wake(0);
  serve();
}

// Under the lock. A thread that knows of the draining is given nothing any more: since it said so under the lock, all that it was
// given is counted here. And what it gives back is counted before it comes here to look, so that the last one finds the end.
void Pool::note_drained() {
  if (drained()) return;
  const uint32_t attachments = attachment_count();
  for (uint32_t a = 0; a < attachments; ++a) {
    const Attachment* thread = attachment_at(a);
    if (thread != nullptr && thread->mailbox.bell.ring != nullptr && !thread->mailbox.drains) return;
  }
  for (uint32_t c = 0; c < class_count_; ++c) {
    const ClassStats k = stats(c);
    if (k.out + k.transit != 0) return;
  }
  // Relaxed: it only says so, and the bells make it certain.
  drained_.store(true, std::memory_order_relaxed);
  summon(Summons::drain, nullptr);
}

void Pool::summon_all(Summons what, const Attachment* but) {
  const std::lock_guard lock(queue_.lock);
  summon(what, but);
}

// Under the lock.
void Pool::summon(Summons what, const Attachment* but) {
  const uint32_t attachments = attachment_count();
  for (uint32_t a = 0; a < attachments; ++a) {
    Attachment* thread = attachment_at(a);
    if (thread != nullptr && thread != but) summon(*thread, what);
  }
}

// Under the lock.
void Pool::summon(Attachment& thread, Summons what) {
  Mailbox& mailbox = thread.mailbox;
  if (mailbox.bell.ring == nullptr) return;
  // Relaxed: a hint, which the bell makes certain. Only who raises it rings.
  Summons before = mailbox.summons.load(std::memory_order_relaxed);
  while (before < what &&
         !mailbox.summons.compare_exchange_weak(before, what, std::memory_order_relaxed, std::memory_order_relaxed)) {
  }
  if (before < what) mailbox.bell.ring(mailbox.bell.of);
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
  Mailbox& mailbox = served.thread->mailbox;
  mailbox.grants.push_back(queue_.remove(served));
  if (mailbox.bell.ring != nullptr) mailbox.bell.ring(mailbox.bell.of);
}

// Under the lock. A block on its way to whoever asked.
Status Pool::take_one(Request& request) {
  const RefillResult taken = try_take(*request.thread->heap, request.size_class, 1, &request.block);
  if (taken.status == Status::ok) grant(request, taken.step);
  return taken.status;
}

// Under the lock. The request's block, which was just taken, goes into transit.
void Pool::grant(Request& request, Step step) {
  Attachment& thread = *queue_.thread;
  const uint32_t c = request.size_class;
  thread.classes[c].refills[static_cast<size_t>(step)].add(1);
  hand_out(thread, c, &request.block, 1);
  (void)transfer(thread, c, request.block, Carrier::channel, request.generation);
  thread.classes[c].acquires.add(1);
}

// Under the lock. Of those who wait for this class, behind the first of all, as many as it loses nothing by.
void Pool::serve_past_first(uint32_t c) {
  while (Request* const request = queue_.first_of(c)) {
    if (request == queue_.first()) return;
    request->block = take_past(*request->thread->heap, c);
    if (request->block == kNoIndex) return;
    grant(*request, Step::cold);
    deliver(*request);
  }
}

RefillResult Pool::refill_past_queue(Attachment& thread, uint32_t c, uint32_t* out) {
  const std::lock_guard lock(queue_.lock);
  if (queue_.draining()) return {Status::draining, 0};
  // Not ahead of those who wait for the same; and one block only, which the next may get as well when it comes back.
  if (queue_.first_of(c) != nullptr || (*out = take_past(*thread.heap, c)) == kNoIndex) return {Status::exhausted, 0};
  thread.classes[c].refills[static_cast<size_t>(Step::cold)].add(1);
  hand_out(thread, c, out, 1);
  return {Status::ok, 1, Step::cold};
}

// The thread will not look any more: nobody rings it, and what waits for it goes to others. The caller serves the queue then.
void Pool::close_mailbox(Attachment& thread) {
  const std::lock_guard lock(queue_.lock);
  thread.mailbox.bell = {};
  thread.mailbox.summons.store(Summons::none, std::memory_order_relaxed);
  queue_.remove_all_of(thread);
  while (const std::unique_ptr<Request> served = thread.mailbox.grants.pop_front()) {
    if (served->block != kNoIndex) recall_block(served->block, served->generation);
  }
}

}  // namespace slabpool
