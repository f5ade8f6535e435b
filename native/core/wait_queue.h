// WaitQueue: the requests that a pool's budget has no room for; first come, first served, across classes and threads.
//
// Callers     Any thread, under the lock; size() without. No thread comes here before the budget is exhausted.
// Order       The first request is served before any other is, however small: so a stream of small ones starves no large one.
// Never lost  Whoever waits raises `size`, and then looks for blocks and budget; whoever frees blocks or budget looks at `size` then.
//             All four are seq_cst, so they have one order: either the waiter finds what was freed, or whoever freed it finds
//             the waiter, and serves it.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "attachment.h"
#include "peak.h"
#include "sync.h"

namespace slabpool {

struct WaitQueue {
  struct Request {
    Attachment* thread;
    uint32_t size_class;
  };

  // To be called after each change of `requests`.
  void count() {
    size_.store(requests.size(), std::memory_order_seq_cst);
    peak.raise(requests.size());
  }
  // Any thread. On a line of its own, since every flush reads it.
  [[nodiscard]] uint64_t size() const { return size_.load(std::memory_order_seq_cst); }

  mutable std::mutex lock;
  std::map<uint64_t, Request> requests;  // by number: in the order of arrival
  uint64_t last_number = 0;
  // In whose name blocks are taken for others: from the first request on.
  Attachment* thread = nullptr;
  Peak<> peak;

 private:
  alignas(64) StdSync::atomic<uint64_t> size_{0};
};

}  // namespace slabpool
