// Rung: a Client that counts how often its bell rings.
#pragma once

#include "client.h"

namespace slabpool::test {

// A thread with a bell.
struct Rung : Client {
  uint32_t rings = 0;

  explicit Rung(Pool& p) : Client(p) { listen(); }

  void listen() {
    pool.set_bell(*thread, {[](void* self) { static_cast<Rung*>(self)->rings++; }, this});
  }
  // Since it was asked last.
  uint32_t rung() { return std::exchange(rings, 0); }
  [[nodiscard]] Summons summons() const { return thread->mailbox.summons.load(); }
  // What the thread does when it obeys, but for the flush.
  Summons obey() { return pool.take_summons(*thread); }
};

}  // namespace slabpool::test
