#include "core/channel.h"

#include <bit>
#include <new>
#include <thread>

namespace slabpool {

namespace {

constexpr uint64_t bit(uint32_t endpoint) { return uint64_t{1} << endpoint; }

Channel::Result of(RingResult result) {
  using Result = Channel::Result;
  static_assert(static_cast<Result>(RingResult::ok) == Result::ok &&
                static_cast<Result>(RingResult::not_now) == Result::would_block &&
                static_cast<Result>(RingResult::closed) == Result::closed &&
                static_cast<Result>(RingResult::alone) == Result::alone);
  return static_cast<Result>(result);
}

}  // namespace

std::unique_ptr<Channel> Channel::create(Pool& pool, uint32_t capacity) {
  std::unique_ptr<Channel> channel(new (std::nothrow) Channel(pool, capacity));
  if (!channel) return nullptr;
  channel->cells_.reset(new (std::nothrow) Ring<Message>::Cell[capacity]);
  if (!channel->cells_) return nullptr;
  channel->ring_.init(channel->cells_.get(), capacity);
  return channel;
}

uint32_t Channel::join(bool holds) {
  const std::lock_guard lock(lock_);
  const uint64_t taken = endpoints_.load(std::memory_order_relaxed);  // written under the lock
  if (~taken == 0) return kNobody;
  const auto free = static_cast<uint32_t>(std::countr_one(taken));
  ++joins_;
  if (holds) holders_ |= bit(free);
  set_endpoints(taken | bit(free));
  return free;
}

void Channel::leave(uint32_t endpoint) {
  // A wake-up that was under way is passed on with all the others.
  (void)receivers_.disarm(endpoint);
  (void)senders_.disarm(endpoint);
  const std::lock_guard lock(lock_);
  holders_ &= ~bit(endpoint);
  set_endpoints(endpoints_.load(std::memory_order_relaxed) & ~bit(endpoint));
}

void Channel::set_endpoints(uint64_t endpoints) {
  // Release: pairs with the acquire of endpoints().
  endpoints_.store(endpoints, std::memory_order_release);
  if (joins_ > 1 && holders_ == 0 && std::has_single_bit(endpoints)) {
    ring_.mark(RingMark::alone);
  } else {
    ring_.unmark(RingMark::alone);
  }
}

void Channel::close() {
  // Under the lock: who joins before is among the endpoints that are woken, who joins after sees the mark.
  const std::lock_guard lock(lock_);
  ring_.mark(RingMark::closed);
}

Channel::Result Channel::try_send(Member& from, uint32_t size_class, uint32_t size, Message message,
                                  uint32_t& to_wake) {
  to_wake = kNobody;
  if (pool_.transfer(from, size_class, message.block, Carrier::channel, message.generation, size) != Status::ok) {
    return Result::not_held;
  }
  const RingResult result = ring_.try_push(message);
  if (result != RingResult::ok) {
    // Who guesses the generation can have adopted the block meanwhile.
    return pool_.adopt(from, message.block, message.generation) == Status::ok ? of(result) : Result::not_held;
  }
  to_wake = receivers_.notify();
  return Result::ok;
}

Channel::Result Channel::try_receive(Member& to, Message& message, uint32_t& to_wake) {
  to_wake = kNobody;
  RingResult result = ring_.try_pop(message);
  // A sender that has claimed a place fills it with its next instructions.
  for (; result == RingResult::not_now && closed(); result = ring_.try_pop(message)) std::this_thread::yield();
  if (result != RingResult::ok) return of(result);
  to_wake = senders_.notify();
  return pool_.adopt(to, message.block, message.generation) == Status::ok ? Result::ok : Result::stale;
}

Channel::~Channel() {
  for (Message message; ring_.try_pop(message) == RingResult::ok;) pool_.recall(message.block, message.generation);
}

}  // namespace slabpool
