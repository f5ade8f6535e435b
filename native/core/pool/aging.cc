// The part of Pool that epochs drive, and those who need room: blocks turn idle, lose their pages, and wake from their rest.
#include <algorithm>
#include <memory>
#include <utility>

#include "core/os/os.h"
#include "core/pool/batch_builder.h"
#include "core/pool/pool.h"

namespace slabpool {

namespace {

constexpr uint32_t kMostTrims = 8;  // passes over the shelves by one trim(): the OS may keep what is idle

// Relaxed: nothing is read because of it.
bool stopped(const StdSync::atomic<bool>* stop) { return stop != nullptr && stop->load(std::memory_order_relaxed); }

}  // namespace

template <class Visit>
void Pool::each_heap(Visit&& visit) {
  for (uint32_t h = 0; h < heap_slots(); ++h) {
    Heap* heap = heap_at(h);
    if (heap == nullptr) continue;
    for (uint32_t c = 0; c < class_count_; ++c) {
      if (!visit(*heap, c)) return;
    }
  }
}

uint64_t Pool::age(const StdSync::atomic<bool>* stop) {
  for (uint32_t c = 0; c < class_count_; ++c) (void)wake(c);
  const uint32_t pass = next_pass();
  uint64_t bytes = 0;
  each_heap([&](Heap& heap, uint32_t c) {
    for (GivenBack given{true}; given.any && budget_.used() > min_bytes_;) {
      const uint64_t most = (budget_.used() - std::min(budget_.used(), min_bytes_)) / classes_[c].page;
      given = give_back(heap, c, pass, Cause::decay, most, stop);
      bytes += given.pages * classes_[c].page;
      if (stopped(stop)) return false;
    }
    shelve(heap, c);
    return true;
  });
  serve();
  return bytes;
}

uint64_t Pool::trim(Cause cause, const StdSync::atomic<bool>* stop) {
  for (uint32_t c = 0; c < class_count_; ++c) (void)wake(c);
  uint64_t bytes = 0;
  bool again = true;
  for (uint32_t tries = 0; again && tries < kMostTrims; ++tries) {
    const uint32_t pass = next_pass();
    each_heap([&](Heap& heap, uint32_t c) {
      shelve(heap, c);
      for (GivenBack given{true}; given.any && !stopped(stop);) {
        given = give_back(heap, c, pass, cause, UINT64_MAX, stop);
        bytes += given.pages * classes_[c].page;
      }
      return !stopped(stop);
    });
    // What another thread had in hand meanwhile is idle when it puts it back. The janitor does not wait for that: it comes again.
    uint64_t passed;
    again = stop == nullptr && stepping(passed);
    if (again) await_step(passed);
    if (stop == nullptr) again = again || has_idle();
  }
  serve();
  return bytes;
}

bool Pool::has_idle() const {
  for (uint32_t c = 0; c < class_count_; ++c) {
    if (totals_[c].idle.load(std::memory_order_relaxed) != 0) return true;
  }
  return false;
}

void Pool::age(Aging why, const StdSync::atomic<bool>& stop) {
  switch (why) {
    case Aging::epoch:
      (void)age(&stop);
      break;
    case Aging::trim:
      (void)trim(Cause::trim, &stop);
      break;
    case Aging::pressure:
      request_flush(FlushRequest::pressure, nullptr);
      (void)trim(Cause::pressure, &stop);
      break;
  }
}

uint64_t Pool::reclaim(uint64_t bytes) {
  for (uint32_t c = 0; c < class_count_; ++c) (void)wake(c);
  uint32_t pass = next_pass();
  uint64_t given_bytes = 0;
  const auto give = [&](Heap& heap, uint32_t c) {
    for (GivenBack given{true}; given.any && budget_.room() < bytes;) {
      given = give_back(heap, c, pass, Cause::exhausted, UINT64_MAX, nullptr);
      given_bytes += given.pages * classes_[c].page;
    }
    return budget_.room() < bytes;
  };
  each_heap(give);
  if (budget_.room() >= bytes) return given_bytes;
  pass = next_pass();
  each_heap([&](Heap& heap, uint32_t c) {
    shelve(heap, c);
    return give(heap, c);
  });
  return given_bytes;
}

GivenBack Pool::give_back(Heap& heap, uint32_t c, uint32_t pass, Cause cause, uint64_t most_pages,
                          const StdSync::atomic<bool>* stop) {
  Shelf& shelf = heap.classes[c].shelf;
  if (shelf.looks_empty(Rank::idle)) return {};
  GivenBack given;
  step([&] { given = shelf.give_back(shelf_of(c), pass, most_pages, stop); });
  // Relaxed: they only count.
  dropped_bytes_[static_cast<size_t>(cause)].fetch_add(given.pages * classes_[c].page, std::memory_order_relaxed);
  drop_calls_.fetch_add(given.calls, std::memory_order_relaxed);
  return given;
}

bool Pool::stepping(uint64_t& passed) const {
  const std::lock_guard lock(steps_lock_);
  passed = steps_;
  return stepping_ != 0;
}

void Pool::await_step(uint64_t passed) const {
  std::unique_lock lock(steps_lock_);
  step_ended_.wait(lock, [&] { return steps_ != passed; });
}

void Pool::shelve(Heap& heap, uint32_t c) {
  TaggedStack<>& depot = heap.classes[c].depot;
  // One by one, so that never more than a batch is out of reach; at most as many as there can be, since others go on flushing.
  const uint64_t most = totals_[c].carved.load(std::memory_order_relaxed);
  for (uint64_t batches = 0; batches <= most; ++batches) {
    if (depot.looks_empty()) return;
    step([&] {
      const uint32_t batch = depot.pop(*this);
      if (batch != kNoIndex) heap.classes[c].shelf.put(shelf_of(c), batch);
    });
  }
}

bool Pool::wake(uint32_t c) {
  // What is being laid down is found the next time. Seq_cst: see detach().
  const bool rests = totals_[c].quarantined.load(std::memory_order_seq_cst) != 0;
  const bool orphaned = abandoned_.load(std::memory_order_seq_cst) != nullptr;
  if (!rests && !orphaned) return false;
  bool any = false;
  step([&] {
    if (rests) any = free_quarantined(c);
    if (orphaned && recall_abandoned()) any = true;
  });
  return any;
}

bool Pool::recall_abandoned() {
  bool recalled = false;
  // Acquire: pairs with the release of abandon_ticket().
  AbandonedTicket* orphan = abandoned_.exchange(nullptr, std::memory_order_acquire);
  const uint32_t now = os::now_ms();
  while (orphan != nullptr) {
    const std::unique_ptr<AbandonedTicket> taken(std::exchange(orphan, orphan->next));
    if (now - taken->since >= epoch_ms_) {
      recall_block(taken->block, taken->generation);
      recalled = true;
    } else {
      abandon_ticket(taken->block, taken->generation, taken->since);
    }
  }
  return recalled;
}

bool Pool::free_quarantined(uint32_t c) {
  uint32_t freed = 0;
  for (uint32_t h = 0; h < heap_slots(); ++h) {
    Heap* heap = heap_at(h);
    if (heap == nullptr) continue;
    ClassHeap& k = heap->classes[c];
    uint32_t batch = k.quarantine.take_all();
    // Read after the batches were taken, so that none of them began to rest later.
    const uint32_t now = os::now_ms();
    while (batch != kNoIndex) {
      // Relaxed: take_all acquired the links. Read before a push gives the batch away.
      const uint32_t next = next_batch(batch).load(std::memory_order_relaxed);
      if (now - blocks_[batch].quarantined_since >= epoch_ms_) {
        for (uint32_t b = batch; b != kNoIndex; b = blocks_[b].next, ++freed)
          blocks_[b].state.release_as(BlockState::free);
        k.depot.push(*this, batch);
      } else {
        k.quarantine.push(*this, batch);
      }
      batch = next;
    }
  }
  totals_[c].quarantined.fetch_sub(freed, std::memory_order_relaxed);
  return freed != 0;
}

}  // namespace slabpool
