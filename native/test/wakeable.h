// Wakeable: a Client that counts how often it is woken.
#pragma once

#include "client.h"

namespace slabpool::test {

// A thread with a waker.
struct Wakeable : Client {
  uint32_t wakes = 0;

  explicit Wakeable(Pool& p) : Client(p) { listen(); }

  void listen() {
    pool.set_waker(*member, {[](void* self) { static_cast<Wakeable*>(self)->wakes++; }, this});
  }
  // How often since it was asked last.
  uint32_t woken() { return std::exchange(wakes, 0); }
  [[nodiscard]] FlushRequest flush_request() const { return member->notifications.flush_request.load(); }
  // What the thread does when it obeys, but for the flush.
  FlushRequest obey() { return pool.take_flush_request(*member); }
};

}  // namespace slabpool::test
