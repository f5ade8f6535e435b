// SharedChannel: a channel as the process has it: the pool that it keeps from ending, and the wakers of its endpoints.
//
// Callers     install(), remove() and set_blocked() come from the thread of the endpoint, wake*() from any.
// Ownership   A waker's function belongs to its endpoint. Nobody calls it after remove(): a caller counts itself and
//             then looks whether the function is installed, remove() takes it away and then looks for callers; all four
//             are seq_cst, so that one of them sees the other.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <memory>

#include "core/channel.h"
#include "core/registry.h"
#include "membership.h"

namespace slabpool {

inline constexpr uint32_t kMaxChannels = 4096;  // at once, in the process

class SharedChannel {
 public:
  static Registry<SharedChannel, kMaxChannels>& all();

  // nullptr: no memory. By a member of the pool, which therefore is there.
  static std::unique_ptr<SharedChannel> create(Handle pool_handle, uint32_t capacity);
  ~SharedChannel();

  // On every hot path, so it is here.
  Channel* operator->() const { return channel_.get(); }
  [[nodiscard]] bool is_of(Handle pool) const;

  // When an endpoint joins.
  void install(uint32_t endpoint, napi_threadsafe_function waker);
  // When an endpoint leaves: from now on nobody calls its waker. Waits for those who are at it.
  void remove(uint32_t endpoint);

  void wake(uint32_t endpoint);
  void wake_all();
  // By whoever notified receivers: wakes the endpoint unless its thread is blocked. Then JavaScript has to, and the
  // endpoint is returned.
  [[nodiscard]] uint32_t wake_receiver(uint32_t endpoint);
  // Before the endpoint arms as a receiver: whether its thread will block.
  void set_blocked(uint32_t endpoint, bool blocked);

 private:
  explicit SharedChannel(Handle pool_handle) : pool_handle_(pool_handle) {}

  struct EndpointWaker {
    napi_threadsafe_function function = nullptr;
    StdSync::atomic<bool> installed{false};
    StdSync::atomic<uint32_t> callers{0};
    StdSync::atomic<bool> blocked{false};
  };

  const Handle pool_handle_;
  std::unique_ptr<Channel> channel_;
  EndpointWaker wakers_[kMaxSleepers];
};

}  // namespace slabpool
