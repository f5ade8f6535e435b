// Channel: a bounded queue of blocks in flight, between up to kMaxSleepers endpoints (threads) of one pool.
//
// What        A Ring of messages, an EventCount for those who found it empty, and one for those who found it full.
// Callers     Any thread through its own endpoint number from join(). try_send() and try_receive() do not wait for each
//             other; whoever wants to wait arms, tries once more and sleeps until a wake-up with its number
//             (event_count.h).
// Ownership   A message's block is in flight: try_send() takes it from the sender, try_receive() gives it to the
//             receiver.
// The end     What was accepted is received before anybody is told that the channel is closed, or that everybody else
//             is gone: both are marks of the ring.
// Wake-ups    `to_wake` of each call names an endpoint that the call has disarmed: the caller has to wake it. Whoever
//             was woken and leaves something for others notifies again: pass_on_*().
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "core/pool/pool.h"
#include "core/sync/event_count.h"
#include "core/sync/ring.h"

namespace slabpool {

struct Message {
  uint32_t block;
  uint32_t generation;
  double tag;
};

class Channel {
 public:
  // `capacity`: messages, a power of two from 2. The pool outlives the channel. nullptr: no memory.
  static std::unique_ptr<Channel> create(Pool& pool, uint32_t capacity);
  // What was sent and never received goes home.
  ~Channel();

  // An endpoint number, or kNobody when all are taken. As long as an endpoint `holds` the channel open, nobody is
  // alone.
  [[nodiscard]] uint32_t join(bool holds = false);
  // The endpoint is gone. A wake-up that it had been given may be lost with it: the others have to be woken.
  void leave(uint32_t endpoint);

  // The first four are the ring's.
  // alone: every other endpoint that there was is gone: it would send to nobody, or wait for nobody.
  // stale: somebody guessed the ticket of the message's block and adopted it: try again.
  enum class Result : uint8_t { ok, would_block, closed, alone, not_held, stale };

  // `message` says all but the generation; `size` of the block's bytes are used. The sender keeps the block unless the
  // result is `ok`.
  [[nodiscard]] Result try_send(Member& from, uint32_t size_class, uint32_t size, Message message, uint32_t& to_wake);
  // With `ok`, the receiver holds the block. When the channel is closed, it never would block: what a sender has
  // claimed a place for is received before the end is told.
  [[nodiscard]] Result try_receive(Member& to, Message& message, uint32_t& to_wake);

  // No more sends; what is in the ring can still be received. Each endpoint has to be woken.
  void close();
  [[nodiscard]] bool closed() const { return ring_.marked(RingMark::closed); }

  EventCount<>& receivers() { return receivers_; }
  EventCount<>& senders() { return senders_; }

  // By who was woken: whom to wake as well, or kNobody, since one wake-up may stand for two changes.
  [[nodiscard]] uint32_t pass_on_to_receivers() { return ring_.size() != 0 ? receivers_.notify() : kNobody; }
  [[nodiscard]] uint32_t pass_on_to_senders() { return ring_.size() < capacity_ ? senders_.notify() : kNobody; }

  // Acquire: pairs with the releases in join() and leave(); a figure for people, and for whoever wakes all.
  [[nodiscard]] uint64_t endpoints() const { return endpoints_.load(std::memory_order_acquire); }
  [[nodiscard]] uint64_t size() const { return ring_.size(); }
  [[nodiscard]] uint32_t capacity() const { return capacity_; }

 private:
  explicit Channel(Pool& pool, uint32_t capacity) : pool_(pool), capacity_(capacity) {}

  // Under the lock, after endpoints have come or gone.
  void set_endpoints(uint64_t endpoints);

  Pool& pool_;
  const uint32_t capacity_;
  std::unique_ptr<Ring<Message>::Cell[]> cells_;
  Ring<Message> ring_;
  EventCount<> receivers_;
  EventCount<> senders_;
  // Of who comes, goes and closes: so that the marks are those of the last of them.
  std::mutex lock_;
  StdSync::atomic<uint64_t> endpoints_{0};  // a bit for each that is taken
  uint64_t holders_ = 0;
  uint64_t joins_ = 0;  // that there ever were: until the second one, the first is early, not alone
};

}  // namespace slabpool
