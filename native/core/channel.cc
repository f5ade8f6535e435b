#include "channel.h"

#include <bit>
#include <new>

namespace slabpool {

std::unique_ptr<Channel> Channel::create(Pool& pool, uint32_t capacity) {
  std::unique_ptr<Channel> channel(new (std::nothrow) Channel(pool, capacity));
  if (!channel) return nullptr;
  channel->cells_.reset(new (std::nothrow) Ring<Message>::Cell[capacity]);
  if (!channel->cells_) return nullptr;
  channel->ring_.init(channel->cells_.get(), capacity);
  return channel;
}

uint32_t Channel::join() {
  uint64_t taken = endpoints_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
  while (~taken != 0) {
    const auto free = static_cast<uint32_t>(std::countr_one(taken));
    // Acquire: pairs with the release in leave(); what belonged to the number's former owner is cleared away.
    if (endpoints_.compare_exchange_weak(taken, taken | uint64_t{1} << free, std::memory_order_acquire,
                                         std::memory_order_relaxed)) {
      // Release: pairs with the acquire in alone(), which then sees the bit as well.
      joins_.fetch_add(1, std::memory_order_release);
      return free;
    }
  }
  return kNobody;
}

void Channel::leave(uint32_t endpoint) {
  // A wake-up that was under way is passed on with all the others.
  (void)receivers_.disarm(endpoint);
  (void)senders_.disarm(endpoint);
  endpoints_.fetch_and(~(uint64_t{1} << endpoint), std::memory_order_release);
}

Channel::Result Channel::try_send(Attachment& from, uint32_t size_class, uint32_t block, const double* meta,
                                  uint32_t& to_wake) {
  to_wake = kNobody;
  if (closed()) return Result::closed;
  if (alone()) return Result::alone;
  Message message{block, 0, {meta[0], meta[1]}};
  if (pool_.transfer(from, size_class, block, Carrier::channel, message.generation) != Status::ok) {
    return Result::not_held;
  }
  if (!ring_.try_push(message)) {
    // Nobody else knows the generation, so the block is still there.
    (void)pool_.adopt(from, block, message.generation);
    return Result::would_block;
  }
  to_wake = receivers_.ring();
  return Result::ok;
}

Channel::Result Channel::try_receive(Attachment& to, Message& message, uint32_t& to_wake) {
  to_wake = kNobody;
  // Looked at first: what was sent before the channel was closed, or before the last peer left, is then found below.
  const bool was_closed = closed();
  const bool was_alone = alone();
  if (ring_.try_pop(message)) {
    to_wake = senders_.ring();
    return pool_.adopt(to, message.block, message.generation) == Status::ok ? Result::ok : Result::stale;
  }
  if (was_closed) return Result::closed;
  return was_alone ? Result::alone : Result::would_block;
}

Channel::~Channel() {
  for (Message message; ring_.try_pop(message);) pool_.recall(message.block, message.generation);
}

}  // namespace slabpool
