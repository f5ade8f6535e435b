// What of the operating system's face is the same everywhere.
#include "core/os/os.h"

#include <bit>

#include "core/sync/sync.h"

namespace slabpool::os {

namespace {

constexpr size_t kLargestPage = 64 << 10;

StdSync::atomic<size_t>& page() {
  static StdSync::atomic<size_t> size{system_page_size()};
  return size;
}

StdSync::atomic<bool>& populating() {
  static StdSync::atomic<bool> on{system_can_populate()};
  return on;
}

}  // namespace

// Relaxed: it is set before anything depends on it.
size_t page_size() { return page().load(std::memory_order_relaxed); }

bool set_page_size(size_t bytes) {
  if (!std::has_single_bit(bytes) || bytes < system_page_size() || bytes > kLargestPage) return false;
  page().store(bytes, std::memory_order_relaxed);
  return true;
}

// Relaxed: nothing is read because of it.
bool can_populate() { return populating().load(std::memory_order_relaxed); }

void set_populating(bool on) { populating().store(on && system_can_populate(), std::memory_order_relaxed); }

}  // namespace slabpool::os
