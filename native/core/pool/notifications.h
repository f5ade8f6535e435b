// Notifications: what others have for a member, and how its thread is told.
//
// Callers     Under the lock of the pool's wait queue, but for `flush_request`, which anybody may raise and only the
//             member's thread clears.
#pragma once

#include <cstdint>

#include "core/pool/request.h"
#include "core/sync/sync.h"

namespace slabpool {

// What a thread is asked to do at its next opportunity. The greater includes the less.
enum class FlushRequest : uint8_t {
  none = 0,
  flush = 1,     // to flush its magazines
  trim = 2,      // and to trim the pool then, as somebody wishes
  pressure = 3,  // the same, because memory is short
  drain = 4,     // and to acquire nothing any more, and to look whether the pool is drained
};

// Tells a thread to look at its notifications. May be called by any thread, and more than once for one of them.
struct Waker {
  void (*wake)(void*) = nullptr;
  void* of = nullptr;
  const void* whose = nullptr;  // the thread: one that is a member twice has two wakers
};

struct Notifications {
  RequestList grants;  // the member's requests that were served
  Waker waker;
  bool drains = false;  // the thread knows that the pool drains
  StdSync::atomic<FlushRequest> flush_request{FlushRequest::none};
};

}  // namespace slabpool
