// Full: a pool of which one thread has all, so that everybody else has to wait.
#pragma once

#include "client.h"

namespace slabpool::test {

inline constexpr uint32_t kNever = 40u * 24 * 3600 * 1000;  // an epoch that no test outlives
inline constexpr uint32_t kBlock = 65'536;

using Numbers = std::vector<uint64_t>;

// A budget of four blocks of the first class, all of which `holder` has; one of the last class takes it all.
struct Full {
  std::unique_ptr<Pool> pool;
  Client holder{*pool};
  Blocks held = holder.refill_all(0);
  Client first{*pool};
  Client second{*pool};

  enum class Janitor { none, ages_it };
  explicit Full(uint32_t epoch_ms = kNever, Janitor janitor = Janitor::none) : pool(make(epoch_ms, janitor)) {
    CHECK_EQ(held.size(), size_t{4});
  }
  static std::unique_ptr<Pool> make(uint32_t epoch_ms, Janitor janitor) {
    auto made = make_pool({kBlock, 2 * kBlock, 4 * kBlock}, 4 * kBlock, epoch_ms);
    if (janitor == Janitor::ages_it) made->enroll();
    return made;
  }

  void release(size_t count = 1) {
    for (; count != 0; --count) {
      CHECK_EQ(holder.flush(0, {held.back()}), Status::ok);
      held.pop_back();
    }
  }
  [[nodiscard]] uint64_t waiting() const { return pool->stats().waiting; }
};

}  // namespace slabpool::test
