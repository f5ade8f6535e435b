// ChannelBinding: one endpoint of a channel as one environment's JavaScript sees it, and how it is woken.
#pragma once

#include <napi.h>

#include <thread>

#include "core/channel.h"
#include "environment.h"
#include "pool_binding.h"

namespace slabpool {

inline constexpr uint32_t kMaxChannels = 4096;   // at once, in the process
inline constexpr uint32_t kMaxMessages = 65536;  // in a channel

// A channel, the pool that it keeps from ending, and the bells of its endpoints.
class SharedChannel {
 public:
  static std::unique_ptr<SharedChannel> create(Handle pool_handle, uint32_t capacity) {
    Pool* pool = Membership::retain(pool_handle);
    if (pool == nullptr) return nullptr;
    std::unique_ptr<SharedChannel> shared(new SharedChannel(pool_handle, Channel::create(*pool, capacity)));
    return shared->channel_ ? std::move(shared) : nullptr;
  }
  ~SharedChannel() {
    channel_.reset();  // gives blocks back to the pool, which may end below
    Membership::release(pool_handle_);
  }

  Channel* operator->() const { return channel_.get(); }
  [[nodiscard]] Handle pool_handle() const { return pool_handle_; }

  // By the endpoint's owner, when it joins.
  void install(uint32_t endpoint, napi_threadsafe_function bell) {
    bells_[endpoint].function = bell;
    // Seq_cst, with the three below: either a ringer sees the bell gone, or remove() sees the ringer.
    bells_[endpoint].installed.store(true, std::memory_order_seq_cst);
  }
  // By the endpoint's owner, when it leaves: from now on nobody calls the bell. Waits for those who are at it.
  void remove(uint32_t endpoint) {
    Bell& bell = bells_[endpoint];
    bell.installed.store(false, std::memory_order_seq_cst);
    while (bell.ringers.load(std::memory_order_seq_cst) != 0) std::this_thread::yield();
  }
  // Any thread.
  void wake(uint32_t endpoint) {
    if (endpoint == kNobody) return;
    Bell& bell = bells_[endpoint];
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
    if (endpoint != kNobody && bells_[endpoint].blocked.load(std::memory_order_relaxed)) return endpoint;
    wake(endpoint);
    return kNobody;
  }
  // By the endpoint's owner, before it arms its bell as a receiver: whether its thread will block.
  void set_blocked(uint32_t endpoint, bool blocked) {
    bells_[endpoint].blocked.store(blocked, std::memory_order_relaxed);
  }
  void wake_all() {
    for (uint64_t endpoints = channel_->endpoints(); endpoints != 0; endpoints &= endpoints - 1) {
      wake(static_cast<uint32_t>(std::countr_zero(endpoints)));
    }
  }

 private:
  SharedChannel(Handle pool_handle, std::unique_ptr<Channel> channel)
      : pool_handle_(pool_handle), channel_(std::move(channel)) {}

  struct Bell {
    napi_threadsafe_function function = nullptr;
    StdSync::atomic<bool> installed{false};
    StdSync::atomic<uint32_t> ringers{0};
    StdSync::atomic<bool> blocked{false};
  };

  const Handle pool_handle_;
  std::unique_ptr<Channel> channel_;
  Bell bells_[kMaxSleepers];
};

class ChannelBinding : public Napi::ObjectWrap<ChannelBinding> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Channel",
        {InstanceMethod<&ChannelBinding::close>("close"), InstanceMethod<&ChannelBinding::leave>("leave"),
         InstanceAccessor<&ChannelBinding::slot>("slot"), InstanceAccessor<&ChannelBinding::serial>("serial"),
         InstanceAccessor<&ChannelBinding::endpoint>("endpoint"), InstanceAccessor<&ChannelBinding::peers>("peers"),
         InstanceAccessor<&ChannelBinding::joins>("joins"), InstanceAccessor<&ChannelBinding::size>("size"),
         InstanceAccessor<&ChannelBinding::closed>("closed")});
  }

  // new Channel(pool: Pool, onWake: () => void, capacity: number), or of a channel that there is: new Channel(pool, onWake,
  // slot, serial)
  explicit ChannelBinding(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<ChannelBinding>(info), environment_(info.Env().GetInstanceData<Environment>()) {
    bind_method<ChannelBinding, &ChannelBinding::try_send>(info, "trySend", this);
    bind_method<ChannelBinding, &ChannelBinding::try_receive>(info, "tryReceive", this);
    bind_method<ChannelBinding, &ChannelBinding::try_send_many>(info, "trySendMany", this);
    bind_method<ChannelBinding, &ChannelBinding::try_receive_many>(info, "tryReceiveMany", this);
    bind_method<ChannelBinding, &ChannelBinding::arm_receiver>(info, "armReceiver", this);
    bind_method<ChannelBinding, &ChannelBinding::arm_sender>(info, "armSender", this);
    bind_method<ChannelBinding, &ChannelBinding::disarm_receiver>(info, "disarmReceiver", this);
    bind_method<ChannelBinding, &ChannelBinding::disarm_sender>(info, "disarmSender", this);
    bind_method<ChannelBinding, &ChannelBinding::pass_on>(info, "passOn", this);
    bind_method<ChannelBinding, &ChannelBinding::ref>(info, "ref", this);
    bind_method<ChannelBinding, &ChannelBinding::unref>(info, "unref", this);
    const Napi::Env env = info.Env();
    pool_ = info[0].IsObject() ? PoolBinding::from(env, info[0]) : nullptr;
    if (pool_ == nullptr || !pool_->membership() || !info[1].IsFunction()) {
      Napi::TypeError::New(env, "expected (pool: Pool, onWake: function, ...)").ThrowAsJavaScriptException();
      return;
    }
    if (!open(info)) {
      Napi::Error::New(env, "no such channel, or no room").ThrowAsJavaScriptException();
      return;
    }
    pool_reference_ = Napi::Persistent(info[0].As<Napi::Object>());
    napi_value name;
    napi_create_string_utf8(env, "slabpool.Channel", NAPI_AUTO_LENGTH, &name);
    if (napi_create_threadsafe_function(env, info[1], nullptr, name, 0, 1, nullptr, nullptr, nullptr, nullptr,
                                        &bell_) != napi_ok) {
      depart();
      Napi::Error::New(env, "no wake-up function to be had").ThrowAsJavaScriptException();
      return;
    }
    napi_unref_threadsafe_function(env, bell_);
    shared_->install(endpoint_, bell_);
    // After the function's own hook, so that this one runs first.
    napi_add_env_cleanup_hook(env, &on_environment_exit, this);
  }

  ~ChannelBinding() override { part(); }

 private:
  static Registry<SharedChannel, kMaxChannels>& channels() {
    static auto& registry = *new Registry<SharedChannel, kMaxChannels>;
    return registry;
  }

  static void on_environment_exit(void* self) { static_cast<ChannelBinding*>(self)->depart(); }

  bool open(const Napi::CallbackInfo& info) {
    uint32_t number;
    if (napi_get_value_uint32(info.Env(), info[2], &number) != napi_ok) return false;
    const Handle pool = pool_->membership().handle();
    if (info.Length() == 3) {
      if (number < 2 || number > kMaxMessages || !std::has_single_bit(number)) return false;
      auto made = SharedChannel::create(pool, number);
      SharedChannel* channel = made.get();
      if (!made || !channels().add(made, handle_)) return false;
      shared_ = channel;
    } else {
      handle_.slot = number;
      if (napi_get_value_uint32(info.Env(), info[3], &handle_.serial) != napi_ok) return false;
      shared_ = channels().join(handle_);
      if (shared_ == nullptr) return false;
    }
    const Handle of_channel = shared_->pool_handle();
    const bool same_pool = of_channel.slot == pool.slot && of_channel.serial == pool.serial;
    endpoint_ = same_pool ? (*shared_)->join() : kNobody;
    if (endpoint_ != kNobody) return true;
    shared_ = nullptr;
    channels().leave(handle_);
    return false;
  }

  // Ends the endpoint, from a method or the destructor.
  void part() {
    if (shared_ == nullptr) return;
    napi_remove_env_cleanup_hook(Env(), &on_environment_exit, this);
    depart();
  }

  void depart() {
    if (shared_ == nullptr) return;
    SharedChannel* shared = std::exchange(shared_, nullptr);
    if (bell_ != nullptr) {
      shared->remove(endpoint_);
      (void)napi_release_threadsafe_function(bell_, napi_tsfn_abort);
    }
    (*shared)->leave(endpoint_);
    // A wake-up may have been given to this endpoint; and the others want to know that a peer is gone.
    shared->wake_all();
    channels().leave(handle_);
  }

  // True when the endpoint and its pool are open.
  bool usable(napi_env env) {
    if (shared_ != nullptr && pool_->membership()) return true;
    Napi::Error::New(env, "the channel is closed").ThrowAsJavaScriptException();
    return false;
  }

  // Negative: -1 - Result; else the blocked endpoint that JavaScript has to wake, + 1, or 0.
  static napi_value answer(const HotCall& call, Channel::Result result, uint32_t blocked) {
    return call.number(result == Channel::Result::ok ? to_wake(blocked) : failure(result));
  }
  static int32_t failure(Channel::Result result) { return -1 - static_cast<int32_t>(result); }
  static int32_t to_wake(uint32_t blocked) { return blocked == kNobody ? 0 : static_cast<int32_t>(blocked) + 1; }

  // trySend(sizeClass, block), with `meta` filled in.
  napi_value try_send(const HotCall& call) {
    uint32_t size_class;
    uint32_t block;
    if (!usable(call.env) || napi_get_value_uint32(call.env, call.arguments[0], &size_class) != napi_ok ||
        napi_get_value_uint32(call.env, call.arguments[1], &block) != napi_ok) {
      return nullptr;
    }
    uint32_t rung;
    const auto result = (*shared_)->try_send(pool_->membership().thread(), size_class, block, environment_->meta, rung);
    return answer(call, result, shared_->wake_receiver(rung));
  }

  // trySendMany(count): the first `count` of `exchange`, with their classes and metas. How many were sent, each with the
  // blocked endpoint to wake, + 1, or 0, in the place of its class; or -1 - Result.
  napi_value try_send_many(const HotCall& call) {
    uint32_t count;
    if (!usable(call.env) || napi_get_value_uint32(call.env, call.arguments[0], &count) != napi_ok ||
        count > kMaxBatch) {
      return nullptr;
    }
    uint32_t* const classes = environment_->exchange + kClasses;
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t rung;
      const auto result = (*shared_)->try_send(pool_->membership().thread(), classes[i], environment_->exchange[i],
                                               environment_->meta + size_t{2} * i, rung);
      if (result != Channel::Result::ok) return call.number(i == 0 ? failure(result) : static_cast<int32_t>(i));
      classes[i] = static_cast<uint32_t>(to_wake(shared_->wake_receiver(rung)));
    }
    return call.number(static_cast<int32_t>(count));
  }

  // tryReceive(): with 0, the block and its class are in `exchange`, and `meta` is filled in.
  napi_value try_receive(const HotCall& call) {
    if (!usable(call.env)) return nullptr;
    return answer(call, take(0), kNobody);
  }

  // tryReceiveMany(most): how many there are in `exchange` and `meta`; or -1 - Result.
  napi_value try_receive_many(const HotCall& call) {
    uint32_t most;
    if (!usable(call.env) || napi_get_value_uint32(call.env, call.arguments[0], &most) != napi_ok || most > kMaxBatch) {
      return nullptr;
    }
    for (uint32_t i = 0; i < most; ++i) {
      const auto result = take(i);
      if (result != Channel::Result::ok) return call.number(i == 0 ? failure(result) : static_cast<int32_t>(i));
    }
    return call.number(static_cast<int32_t>(most));
  }

  // A message into the places of number `i`.
  Channel::Result take(uint32_t i) {
    Message message;
    Channel::Result result;
    do {
      uint32_t rung;
      result = (*shared_)->try_receive(pool_->membership().thread(), message, rung);
      shared_->wake(rung);
    } while (result == Channel::Result::stale);
    if (result == Channel::Result::ok) {
      environment_->exchange[i] = message.block;
      environment_->exchange[kClasses + i] = pool_->membership()->class_of(message.block);
      environment_->meta[2 * i] = message.meta[0];
      environment_->meta[2 * i + 1] = message.meta[1];
    }
    return result;
  }

  // armReceiver(blocking: boolean)
  napi_value arm_receiver(const HotCall& call) {
    bool blocking = false;
    if (usable(call.env) && napi_get_value_bool(call.env, call.arguments[0], &blocking) == napi_ok) {
      shared_->set_blocked(endpoint_, blocking);
      (*shared_)->receivers().arm(endpoint_);
    }
    return nullptr;
  }
  napi_value arm_sender(const HotCall& call) {
    if (usable(call.env)) (*shared_)->senders().arm(endpoint_);
    return nullptr;
  }
  // A wake-up that came meanwhile is passed on by whoever was woken, in passOn().
  napi_value disarm_receiver(const HotCall&) {
    if (shared_ != nullptr) (void)(*shared_)->receivers().disarm(endpoint_);
    return nullptr;
  }
  napi_value disarm_sender(const HotCall&) {
    if (shared_ != nullptr) (void)(*shared_)->senders().disarm(endpoint_);
    return nullptr;
  }

  // passOn(toReceivers: boolean, toSenders: boolean), by who was woken: rings again if there is more than it took.
  napi_value pass_on(const HotCall& call) {
    bool to_receivers = false;
    bool to_senders = false;
    if (!usable(call.env) || napi_get_value_bool(call.env, call.arguments[0], &to_receivers) != napi_ok ||
        napi_get_value_bool(call.env, call.arguments[1], &to_senders) != napi_ok) {
      return nullptr;
    }
    Channel& channel = *shared_->operator->();
    const uint64_t size = channel.size();
    if (to_senders && size < channel.capacity()) shared_->wake(channel.senders().ring());
    const uint32_t receiver = to_receivers && size != 0 ? channel.receivers().ring() : kNobody;
    return answer(call, Channel::Result::ok, shared_->wake_receiver(receiver));
  }

  // Whether waiting keeps the environment alive.
  napi_value ref(const HotCall& call) {
    if (shared_ != nullptr) (void)napi_ref_threadsafe_function(call.env, bell_);
    return nullptr;
  }
  napi_value unref(const HotCall& call) {
    if (shared_ != nullptr) (void)napi_unref_threadsafe_function(call.env, bell_);
    return nullptr;
  }

  // close(): nobody sends any more; all endpoints are woken.
  Napi::Value close(const Napi::CallbackInfo& info) {
    if (shared_ != nullptr) {
      (*shared_)->close();
      shared_->wake_all();
    }
    return info.Env().Undefined();
  }

  // leave(): this endpoint is done.
  Napi::Value leave(const Napi::CallbackInfo& info) {
    part();
    return info.Env().Undefined();
  }

  Napi::Value slot(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), handle_.slot); }
  Napi::Value serial(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), handle_.serial); }
  Napi::Value endpoint(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), endpoint_); }
  // Other endpoints that there are now.
  Napi::Value peers(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), shared_ == nullptr ? 0 : std::popcount((*shared_)->endpoints()) - 1);
  }
  // Endpoints that there ever were.
  Napi::Value joins(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), shared_ == nullptr ? 0 : (*shared_)->joins());
  }
  Napi::Value size(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), shared_ == nullptr ? 0 : static_cast<double>((*shared_)->size()));
  }
  Napi::Value closed(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), shared_ == nullptr || (*shared_)->closed());
  }

  Environment* const environment_;
  PoolBinding* pool_ = nullptr;
  Napi::ObjectReference pool_reference_;  // keeps pool_ from being collected
  Handle handle_{};
  SharedChannel* shared_ = nullptr;
  uint32_t endpoint_ = kNobody;
  napi_threadsafe_function bell_ = nullptr;
};

}  // namespace slabpool
