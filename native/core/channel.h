// Channel: a bounded queue of blocks in transit, between up to kMaxSleepers endpoints (threads) of one pool.
//
// Callers     Any thread through its own endpoint number from join(). try_send() and try_receive() never wait; who wants to
//             wait arms its bell, tries once more and sleeps until a wake-up with its number (doorbell.h).
// Ownership   A message's block is in transit: try_send() takes it from the sender, try_receive() gives it to the receiver.
// Wake-ups    `to_wake` of each call names an endpoint whose bell the call has cleared: the caller has to wake it.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>

#include "doorbell.h"
#include "pool.h"
#include "ring.h"

namespace slabpool {

struct Message {
  uint32_t block;
  uint32_t generation;
  double meta[2];
};

class Channel {
 public:
  // `capacity`: messages, a power of two from 2. The pool outlives the channel. nullptr: no memory.
  static std::unique_ptr<Channel> create(Pool& pool, uint32_t capacity);
  // What was sent and never received goes home.
  ~Channel();

  // An endpoint number, or kNobody when all are taken.
  [[nodiscard]] uint32_t join();
  // The endpoint is gone. A wake-up that it had been given may be lost with it: the others have to be woken.
  void leave(uint32_t endpoint);

  // stale: somebody guessed the ticket of the message's block and adopted it: try again.
  // alone: would block, or would send to nobody, since every other endpoint that there was is gone.
  enum class Result : uint8_t { ok, would_block, closed, not_held, alone, stale };

  [[nodiscard]] Result try_send(Attachment& from, uint32_t size_class, uint32_t block, const double* meta,
                                uint32_t& to_wake);
  // With `ok`, the block is out with the receiver.
  [[nodiscard]] Result try_receive(Attachment& to, Message& message, uint32_t& to_wake);

  // No more sends; what is in the ring can still be received. Each endpoint has to be woken.
  void close() { closed_.store(true, std::memory_order_release); }
  [[nodiscard]] bool closed() const { return closed_.load(std::memory_order_acquire); }

  Doorbell<>& receivers() { return receivers_; }
  Doorbell<>& senders() { return senders_; }

  [[nodiscard]] uint64_t endpoints() const { return endpoints_.load(std::memory_order_acquire); }
  // Endpoints that there ever were.
  [[nodiscard]] uint32_t joins() const { return joins_.load(std::memory_order_relaxed); }  // counts only
  [[nodiscard]] uint64_t size() const { return ring_.size(); }
  [[nodiscard]] uint32_t capacity() const { return capacity_; }

 private:
  // Acquire, twice: pairs with the releases in join() and leave(). Whoever has joined is seen, and what was sent by those that
  // have left.
  [[nodiscard]] bool alone() const {
    return joins_.load(std::memory_order_acquire) > 1 &&
           std::has_single_bit(endpoints_.load(std::memory_order_acquire));
  }

  explicit Channel(Pool& pool, uint32_t capacity) : pool_(pool), capacity_(capacity) {}

  Pool& pool_;
  const uint32_t capacity_;
  std::unique_ptr<Ring<Message>::Cell[]> cells_;
  Ring<Message> ring_;
  Doorbell<> receivers_;
  Doorbell<> senders_;
  StdSync::atomic<uint64_t> endpoints_{0};  // a bit for each that is taken
  StdSync::atomic<uint32_t> joins_{0};
  StdSync::atomic<bool> closed_{false};
};

}  // namespace slabpool
