// ChannelBinding: one endpoint of a channel as one environment's JavaScript sees it. Checks arguments, has no logic.
//
// Answers     Those below 0 are -1 - Channel::Result. "Whom to wake" is the blocked endpoint that JavaScript has to
//             wake, + 1, or 0.
// Woken       The message that the endpoint was woken for is taken before JavaScript is called, so that one call does
//             it, and that a thread that has just slept runs as little as there is to run.
// Identity    The waker keeps the environment alive == refed_ and (receiving_ or sending_).
#pragma once

#include <napi.h>

#include "environment.h"
#include "pool_binding.h"
#include "shared_channel.h"

namespace slabpool {

inline constexpr uint32_t kMaxMessages = 65536;  // in a channel

// What JavaScript is told when the endpoint was woken. From `wake` on: that it has to wake that blocked endpoint.
enum Notification : uint32_t {
  changed,  // something that is waited for may be had now
  arrived,  // as well as that, the first place of `exchange` has a message that was waited for
  wake,
};

class ChannelBinding : public Napi::ObjectWrap<ChannelBinding> {
 public:
  static Napi::Function define(Napi::Env env);

  // new Channel(pool: Pool, onNotify: (what: number) => void, capacity: number, holdOpen: boolean), or of a channel
  // that there is: new Channel(pool, onNotify, slot: number, serial: number). Throws errors with codes: see open().
  // `what`: see Notification.
  explicit ChannelBinding(const Napi::CallbackInfo& info);
  ~ChannelBinding() override;

 private:
  static void on_environment_exit(void* self);

  // nullptr, or the code of what is wrong, which JavaScript has a sentence for.
  const char* open(const Napi::CallbackInfo& info);
  // Ends the endpoint, from a method or the destructor.
  void part();
  void depart();

  // By the waker, in a turn of the event loop.
  static void woken(napi_env env, napi_value on_notify, void* self, void* data);
  // Makes the identity true.
  void keep_alive(napi_env env);

  // True when the endpoint and its pool are open; otherwise an error is pending.
  bool usable(napi_env env);

  // The message that number `i` of `exchange` and `tags` describes.
  Channel::Result give(uint32_t i, uint32_t& blocked);
  // A message into the places of number `i`.
  Channel::Result take(uint32_t i);

  // trySend(): the first of `exchange`, with its class, size and tag: whom to wake.
  napi_value try_send(const HotCall& call);
  // trySendMany(count): the first `count`: how many were sent, each with whom to wake in the place of its class.
  napi_value try_send_many(const HotCall& call);
  // tryReceive(): 0, with the block, its class, size and tag in `exchange` and `tags`.
  napi_value try_receive(const HotCall& call);
  // tryReceiveMany(most): how many there are in `exchange` and `tags`.
  napi_value try_receive_many(const HotCall& call);

  // armReceiver(blocking: boolean)
  napi_value arm_receiver(const HotCall& call);
  napi_value arm_sender(const HotCall& call);
  // A wake-up that came meanwhile is passed on by whoever was woken, in passOn().
  napi_value disarm_receiver(const HotCall& call);
  napi_value disarm_sender(const HotCall& call);
  // Wakes others for what JavaScript does not wait for: the blocked endpoint to wake, or kNobody.
  uint32_t pass_on();
  // passOn(), by who has blocked: whom to wake.
  napi_value pass_on(const HotCall& call);

  // Whether waiting keeps the environment alive.
  napi_value ref(const HotCall& call);
  napi_value unref(const HotCall& call);

  // close(): nobody sends any more; all endpoints are woken.
  Napi::Value close(const Napi::CallbackInfo& info);
  // leave(): this endpoint is done.
  Napi::Value leave(const Napi::CallbackInfo& info);

  // slot, serial: what another environment joins the channel by.
  Napi::Value slot(const Napi::CallbackInfo& info);
  Napi::Value serial(const Napi::CallbackInfo& info);
  Napi::Value endpoint(const Napi::CallbackInfo& info);
  // Other endpoints that there are now.
  Napi::Value peers(const Napi::CallbackInfo& info);
  Napi::Value size(const Napi::CallbackInfo& info);
  Napi::Value closed(const Napi::CallbackInfo& info);

  Environment* const environment_;
  PoolBinding* pool_ = nullptr;
  Napi::ObjectReference pool_reference_;  // keeps pool_ from being collected
  Handle handle_{};
  SharedChannel* shared_ = nullptr;
  uint32_t endpoint_ = kNobody;
  napi_threadsafe_function waker_ = nullptr;
  // Whether JavaScript waits, as it has said by arming and disarming, but for a thread that blocks.
  bool receiving_ = false;
  bool sending_ = false;
  bool refed_ = true;
  bool keeps_alive_ = false;
  // While JavaScript is told of a wake-up: where to say that it has let this object be collected.
  bool* collected_ = nullptr;
};

}  // namespace slabpool
