// SharedChannel: a channel as the process has it: the pool that it keeps from ending, and the bells of its endpoints.
#pragma once

#include <node_api.h>

#include <bit>
#include <memory>
#include <thread>
#include <utility>

#include "core/channel.h"
#include "core/registry.h"
#include "membership.h"

namespace slabpool {

inline constexpr uint32_t kMaxChannels = 4096;  // at once, in the process

class SharedChannel {
 public:
  // Never destroyed: workers may outlive the main thread's statics.
  static Registry<SharedChannel, kMaxChannels>& all() {
    static auto& registry = *new Registry<SharedChannel, kMaxChannels>;
    return registry;
  }

  // nullptr: no memory. By a member of the pool, which therefore is there.
  static std::unique_ptr<SharedChannel> create(Handle pool_handle, uint32_t capacity) {
    Pool* pool = Membership::retain(pool_handle);
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
  ~SharedChannel() {
    channel_.reset();  // gives blocks back to the pool, which may end below
    Membership::release(pool_handle_);
  }

  Channel* operator->() const { return channel_.get(); }
  [[nodiscard]] bool is_of(Handle pool) const {
    return pool_handle_.slot == pool.slot && pool_handle_.serial == pool.serial;
  }

  // By the endpoint's owner, when it joins.
  void install(uint32_t endpoint, napi_threadsafe_function bell) {
    wakers_[endpoint].function = bell;
    // Seq_cst, with the three below: either a ringer sees the bell gone, or remove() sees the ringer.
    wakers_[endpoint].installed.store(true, std::memory_order_seq_cst);
  }
  // By the endpoint's owner, when it leaves: from now on nobody calls the bell. Waits for those who are at it.
  void remove(uint32_t endpoint) {
    Waker& bell = wakers_[endpoint];
    bell.installed.store(false, std::memory_order_seq_cst);
    while (bell.ringers.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
  }
  // Any thread.
  void wake(uint32_t endpoint) {
    if (endpoint == kNobody) return;
    Waker& bell = wakers_[endpoint];
    bell.ringers.fetch_add(1, std::memory_order_seq_cst);
    if (bell.installed.load(std::memory_order_seq_cst)) {
      (void)napi_call_threadsafe_function(bell.function, nullptr, napi_tsfn_nonblocking);
    }
    // Release: pairs with the load in remove(); the call is over.
    bell.ringers.fetch_sub(1, std::memory_order_release);
  }
  // By who rang for receivers: wakes the endpoint unless its thread is blocked. Then JavaScript has to, and the endpoint is
  // returned.
  [[nodiscard]] uint32_t wake_receiver(uint32_t endpoint) {
    // Relaxed: written before arm(), which releases it to ring().
    if (endpoint != kNobody && wakers_[endpoint].blocked.load(std::memory_order_relaxed)) return endpoint;
    wake(endpoint);
    return kNobody;
  }
  // By the endpoint's owner, before it arms its bell as a receiver: whether its thread will block.
  void set_blocked(uint32_t endpoint, bool blocked) {
    wakers_[endpoint].blocked.store(blocked, std::memory_order_relaxed);
  }
  void wake_all() {
    for (uint64_t endpoints = channel_->endpoints(); endpoints != 0; endpoints &= endpoints - 1) {
      wake(static_cast<uint32_t>(std::countr_zero(endpoints)));
    }
  }

 private:
  explicit SharedChannel(Handle pool_handle) : pool_handle_(pool_handle) {}

  struct Waker {
    napi_threadsafe_function function = nullptr;
    StdSync::atomic<bool> installed{false};
    StdSync::atomic<uint32_t> ringers{0};
    StdSync::atomic<bool> blocked{false};
  };

  const Handle pool_handle_;
  std::unique_ptr<Channel> channel_;
  Waker wakers_[kMaxSleepers];
};

}  // namespace slabpool
