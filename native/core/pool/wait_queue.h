// WaitQueue: the requests that a pool's budget has no room for; first come, first served, across classes and threads.
//
// Callers     Any thread, under the lock; size() and idle() without. No thread comes here before the budget is
//             exhausted.
// Order       By number, in the order of arrival, in a list for each class: the first of all is the smallest of the
//             lists' first. That one is served before any other is, however small: so a stream of small ones starves no
//             large one. Others are served with what is of no use to the first (Shelf::take_past), those of one class
//             in their order.
// Identity    size() == requests in the lists == requests in the buckets.
// Draining    From drain() on nobody is served any more: everyone is to find the end of what is held.
// Never lost  1. Whoever waits raises `size`, and then looks for blocks and budget.
//             2. Whoever frees blocks or budget looks at `size` afterwards.
//             3. All four are seq_cst, so they have one order: either the waiter finds what was freed, or whoever freed
//             it finds the waiter, and serves it.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "core/block/size_class.h"
#include "core/pool/member.h"
#include "core/pool/request.h"
#include "core/sync/peak.h"
#include "core/sync/sync.h"

namespace slabpool {

class WaitQueue {
 public:
  // A new number for `request`, which is the last of all then.
  uint64_t push(std::unique_ptr<Request> request) {
    const uint64_t number = request->number = ++last_number_;
    put_back(std::move(request));
    return number;
  }

  // To its old place.
  void put_back(std::unique_ptr<Request> request) {
    Request*& bucket = bucket_of(request->number);
    request->next_of_bucket = std::exchange(bucket, request.get());
    occupied_[request->size_class / 64] |= uint64_t{1} << request->size_class % 64;
    of_class_[request->size_class].insert_in_order(std::move(request));
    count(size_.load(std::memory_order_relaxed) + 1);
  }

  // nullptr: nobody waits (for a block of that class).
  [[nodiscard]] Request* first() const {
    Request* first = nullptr;
    each_class([&](uint32_t c) {
      if (first == nullptr || first_of(c)->number < first->number) first = first_of(c);
    });
    return first;
  }
  [[nodiscard]] Request* first_of(uint32_t c) const { return of_class_[c].first(); }

  // nullptr: none that waits has this number.
  [[nodiscard]] Request* find(uint64_t number) const {
    Request* found = buckets_[number % kBuckets];
    while (found != nullptr && found->number != number) found = found->next_of_bucket;
    return found;
  }

  // Of one that waits.
  std::unique_ptr<Request> remove(Request& request) {
    Request** link = &bucket_of(request.number);
    while (*link != &request) link = &(*link)->next_of_bucket;
    *link = request.next_of_bucket;
    const uint32_t c = request.size_class;
    std::unique_ptr<Request> removed = of_class_[c].remove(request);
    if (first_of(c) == nullptr) occupied_[c / 64] &= ~(uint64_t{1} << c % 64);
    count(size_.load(std::memory_order_relaxed) - 1);
    return removed;
  }

  // All requests of the member.
  void remove_all_of(const Member& who) {
    each_class([&](uint32_t c) {
      for (Request *at = first_of(c), *behind; at != nullptr; at = behind) {
        behind = at->behind;
        if (at->member == &who) remove(*at);
      }
    });
  }

  // Visits the classes that somebody waits for. They may be emptied meanwhile.
  template <class Visit>
  void each_class(const Visit& visit) const {
    for (uint32_t w = 0; w < kMaxClasses / 64; ++w) {
      for (uint64_t left = occupied_[w]; left != 0; left &= left - 1) {
        visit(w * 64 + static_cast<uint32_t>(std::countr_zero(left)));
      }
    }
  }

  void drain() { size_.fetch_or(kDraining, std::memory_order_seq_cst); }

  // Any thread, without the lock. On a line of its own, since every flush reads it.
  [[nodiscard]] uint64_t size() const { return size_.load(std::memory_order_seq_cst) & ~kDraining; }
  [[nodiscard]] bool draining() const { return (size_.load(std::memory_order_seq_cst) & kDraining) != 0; }
  // Nobody waits for anything.
  [[nodiscard]] bool idle() const { return size_.load(std::memory_order_seq_cst) == 0; }

  mutable std::mutex lock;
  Peak<> peak;

 private:
  friend struct PoolInsides;  // of the tests

  static constexpr uint32_t kBuckets = 1024;
  static constexpr uint64_t kDraining = uint64_t{1} << 63;

  void count(uint64_t size) {
    size_.store(size, std::memory_order_seq_cst);
    peak.raise(size & ~kDraining);
  }

  Request*& bucket_of(uint64_t number) { return buckets_[number % kBuckets]; }

  RequestList of_class_[kMaxClasses];
  uint64_t occupied_[kMaxClasses / 64]{};  // a bit for each list that is not empty
  Request* buckets_[kBuckets]{};           // by number, for those who give up
  uint64_t last_number_ = 0;
  alignas(64) StdSync::atomic<uint64_t> size_{0};
};

}  // namespace slabpool
