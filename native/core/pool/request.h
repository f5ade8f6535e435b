// Request: a place in the queue for one block; from the moment it is served on, the grant in its member's
// notifications. It is made once, by whoever waits, so that serving it needs no memory.
//
// Callers     Under the lock of the pool's WaitQueue.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "core/sync/tagged_stack.h"

namespace slabpool {

struct Member;

// The answer to a request: a block in flight to the member, which has to adopt it. kNoIndex: the system has no memory
// for it.
struct Grant {
  uint64_t number;  // of the request
  uint32_t size_class;
  uint32_t block;
  uint32_t generation;
  bool unbacked;  // see RefillResult
};

struct Request : Grant {
  Member* member;  // that asked
  Request* before = nullptr;
  Request* behind = nullptr;
  Request* next_of_bucket = nullptr;
};

// A list that owns its requests, and is as long as it likes: the links are in the requests.
class RequestList {
 public:
  RequestList() = default;
  RequestList(const RequestList&) = delete;
  RequestList& operator=(const RequestList&) = delete;
  ~RequestList() {
    while (first_ != nullptr) delete std::exchange(first_, first_->behind);
  }

  [[nodiscard]] Request* first() const { return first_; }

  void push_back(std::unique_ptr<Request> request) { insert(last_, std::move(request)); }

  // By number. Looked for from the front: one that comes back was among the first before.
  void insert_in_order(std::unique_ptr<Request> request) {
    Request* before = last_;
    if (last_ != nullptr && last_->number > request->number) {
      before = nullptr;
      for (Request* at = first_; at->number < request->number; at = at->behind) before = at;
    }
    insert(before, std::move(request));
  }

  std::unique_ptr<Request> remove(Request& request) {
    (request.before != nullptr ? request.before->behind : first_) = request.behind;
    (request.behind != nullptr ? request.behind->before : last_) = request.before;
    request.before = request.behind = nullptr;
    return std::unique_ptr<Request>(&request);
  }

  std::unique_ptr<Request> pop_front() { return first_ != nullptr ? remove(*first_) : nullptr; }

 private:
  void insert(Request* before, std::unique_ptr<Request> inserted) {
    Request* const request = inserted.release();
    request->before = before;
    request->behind = before != nullptr ? before->behind : first_;
    (before != nullptr ? before->behind : first_) = request;
    (request->behind != nullptr ? request->behind->before : last_) = request;
  }

  Request* first_ = nullptr;
  Request* last_ = nullptr;
};

}  // namespace slabpool
