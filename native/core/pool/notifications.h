// Mailbox: what others have for an attached thread, and how it is told.
//
// Callers     Under the lock of the pool's wait queue, but for `summons`, which anybody may set and only the thread clears.
#pragma once

#include <cstdint>

#include "core/pool/request.h"
#include "core/sync/sync.h"

namespace slabpool {

// What a thread is asked to do at its next opportunity: to flush its magazines, and to trim the pool then, as somebody wishes or
// because memory is short; or to acquire nothing any more, and to look whether the pool is drained. The greater includes the less.
enum class Summons : uint8_t { none = 0, flush = 1, trim = 2, pressure = 3, drain = 4 };

// Tells a thread to look into its mailbox. May be called by any thread, and may ring more than once.
struct Bell {
  void (*ring)(void*) = nullptr;
  void* of = nullptr;
  const void* whose = nullptr;  // the thread: one that is attached twice has two bells
};

struct Mailbox {
  RequestList grants;  // the thread's requests that were served
  Bell bell;
  bool drains = false;  // the thread knows that the pool drains
  StdSync::atomic<Summons> summons{Summons::none};
};

}  // namespace slabpool
