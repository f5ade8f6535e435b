// The part of Pool that makes requests wait, serves them, and summons threads.
#include <mutex>

#include "pool.h"

namespace slabpool {

uint64_t Pool::wait(Attachment& thread, uint32_t c) {
  const std::lock_guard lock(queue_.lock);
  if (queue_.thread == nullptr) queue_.thread = attach();
  if (queue_.thread == nullptr) return 0;
  const uint64_t number = ++queue_.last_number;
  enqueue(number, thread, c);
  waits_.fetch_add(1, std::memory_order_relaxed);
  return number;
}

// Under the lock.
void Pool::enqueue(uint64_t number, Attachment& thread, uint32_t c) {
  const auto at = queue_.requests.emplace(number, WaitQueue::Request{&thread, c}).first;
  queue_.count();
  // What others have in their magazines is free, but out of reach.
  if (queue_.requests.size() == 1) summon(Summons::flush, &thread);
  // Behind another it cannot be served: whoever frees something has seen that one, and serves both.
  if (at == queue_.requests.begin()) serve_requests();
}

bool Pool::cancel(uint64_t number) {
  {
    const std::lock_guard lock(queue_.lock);
    if (queue_.requests.erase(number) == 0) return false;
    queue_.count();
  }
  serve();  // it may have been the one that all others waited for
  return true;
}

bool Pool::collect(Attachment& thread, Grant& grant) {
  const std::lock_guard lock(queue_.lock);
  std::deque<Grant>& grants = thread.mailbox.grants;
  while (!grants.empty()) {
    grant = grants.front();
    grants.pop_front();
    if (grant.block == kNoIndex || adopt(thread, grant.block, grant.generation) == Status::ok) return true;
    // Somebody guessed the block's ticket: it waits again, in its old place.
    enqueue(grant.number, thread, grant.size_class);
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
  // It was not there to be summoned when the waiting began.
  if (!queue_.requests.empty()) summon(thread, Summons::flush);
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
  if (queue_.size() == 0) return;
  const std::lock_guard lock(queue_.lock);
  serve_requests();
}

// Under the lock.
void Pool::serve_requests() {
  for (bool aged = false; !queue_.requests.empty();) {
    const auto first = queue_.requests.begin();
    const auto [number, request] = *first;
    Grant grant{number, request.size_class, kNoIndex, 0};
    const Status status = take_one(*request.thread->heap, request.size_class, grant);
    if (status == Status::exhausted) {
      // Idle blocks of other classes give their memory up. Whoever ages the pool just now serves the queue when it is done.
      if (aged || !begin_aging()) return;
      age_once(Cause::exhausted);
      age_once(Cause::exhausted);
      end_aging();
      aged = true;
      continue;
    }
    aged = false;
    Mailbox& mailbox = request.thread->mailbox;
    mailbox.grants.push_back(grant);
    queue_.requests.erase(first);
    queue_.count();
    if (mailbox.bell.ring != nullptr) mailbox.bell.ring(mailbox.bell.of);
  }
}

// Under the lock. A block on its way to whoever asked.
Status Pool::take_one(const Heap& heap, uint32_t c, Grant& grant) {
  uint32_t blocks[kMaxBatch];
  const RefillResult taken = try_refill(*queue_.thread, heap, c, 1, blocks);
  if (taken.status != Status::ok) return taken.status;
  grant.block = blocks[0];
  (void)transfer(*queue_.thread, c, blocks[0], Carrier::channel, grant.generation);
  queue_.thread->classes[c].acquires.add(1);
  (void)flush_held(*queue_.thread, c, blocks + 1, taken.count - 1);
  return Status::ok;
}

// The thread will not look any more: nobody rings it, and what waits for it goes to others. The caller serves the queue then.
void Pool::close_mailbox(Attachment& thread) {
  const std::lock_guard lock(queue_.lock);
  thread.mailbox.bell = {};
  thread.mailbox.summons.store(Summons::none, std::memory_order_relaxed);
  std::erase_if(queue_.requests, [&](const auto& entry) { return entry.second.thread == &thread; });
  queue_.count();
  for (const Grant& grant : thread.mailbox.grants) {
    if (grant.block != kNoIndex) recall_block(grant.block, grant.generation);
  }
  thread.mailbox.grants.clear();
}

}  // namespace slabpool
