#include "shared_channel.h"

#include <bit>
#include <new>
#include <thread>
#include <utility>

namespace slabpool {

Registry<SharedChannel, kMaxChannels>& SharedChannel::all() {
  // Never destroyed: workers may outlive the main thread's statics.
  static auto& registry = *new Registry<SharedChannel, kMaxChannels>;
  return registry;
}

std::unique_ptr<SharedChannel> SharedChannel::create(Handle pool_handle, uint32_t capacity) {
  Pool* const pool = Membership::retain(pool_handle);
  if (pool == nullptr) return nullptr;
  auto channel = Channel::create(*pool, capacity);
  std::unique_ptr<SharedChannel> shared;
  if (channel) shared.reset(new (std::nothrow) SharedChannel(pool_handle));
  if (shared) {
    shared->channel_ = std::move(channel);
  } else {
    Membership::release(pool_handle);
  }
  return shared;
}

SharedChannel::~SharedChannel() {
  channel_.reset();  // gives blocks back to the pool, which may end below
  Membership::release(pool_handle_);
}

bool SharedChannel::is_of(Handle pool) const {
  return pool_handle_.slot == pool.slot && pool_handle_.serial == pool.serial;
}

void SharedChannel::install(uint32_t endpoint, napi_threadsafe_function waker) {
  wakers_[endpoint].function = waker;
  // Release: pairs with the load in wake(); publishes the function. Seq_cst: see Ownership.
  wakers_[endpoint].installed.store(true, std::memory_order_seq_cst);
}

void SharedChannel::remove(uint32_t endpoint) {
  EndpointWaker& waker = wakers_[endpoint];
  waker.installed.store(false, std::memory_order_seq_cst);
  while (waker.callers.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
}

void SharedChannel::wake(uint32_t endpoint) {
  EndpointWaker& waker = wakers_[endpoint];
  waker.callers.fetch_add(1, std::memory_order_seq_cst);
  if (waker.installed.load(std::memory_order_seq_cst)) {
    (void)napi_call_threadsafe_function(waker.function, nullptr, napi_tsfn_nonblocking);
  }
  // Release: pairs with the load in remove(); the call is over.
  waker.callers.fetch_sub(1, std::memory_order_release);
}

void SharedChannel::wake_all() {
  for (uint64_t endpoints = channel_->endpoints(); endpoints != 0; endpoints &= endpoints - 1) {
    wake(static_cast<uint32_t>(std::countr_zero(endpoints)));
  }
}

uint32_t SharedChannel::wake_receiver(uint32_t endpoint) {
  // Relaxed: written before arm(), which releases it to notify().
  if (wakers_[endpoint].blocked.load(std::memory_order_relaxed)) return endpoint;
  wake(endpoint);
  return kNobody;
}

void SharedChannel::set_blocked(uint32_t endpoint, bool blocked) {
  wakers_[endpoint].blocked.store(blocked, std::memory_order_relaxed);
}

}  // namespace slabpool
