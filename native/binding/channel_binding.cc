#include "channel_binding.h"

#include <bit>
#include <utility>

namespace slabpool {

namespace {

int32_t failure(Channel::Result result) { return -1 - static_cast<int32_t>(result); }

// The blocked endpoint that JavaScript has to wake, + 1, or 0.
int32_t to_wake(uint32_t blocked) { return blocked == kNobody ? 0 : static_cast<int32_t>(blocked) + 1; }

// False in a worker that is being terminated, where such calls fail: its messages are others'.
bool can_call(napi_env env, napi_value on_notify) {
  napi_value ignored;
  return napi_coerce_to_bool(env, on_notify, &ignored) == napi_ok;
}

// onNotify(what: number), which does not throw.
void notify(napi_env env, napi_value on_notify, uint32_t what) {
  napi_value undefined;
  napi_value argument;
  if (napi_get_undefined(env, &undefined) == napi_ok && napi_create_uint32(env, what, &argument) == napi_ok) {
    (void)napi_call_function(env, undefined, on_notify, 1, &argument, nullptr);
  }
}

}  // namespace

Napi::Function ChannelBinding::define(Napi::Env env) {
  return DefineClass(
      env, "Channel",
      {InstanceMethod<&ChannelBinding::close>("close"), InstanceMethod<&ChannelBinding::leave>("leave"),
       InstanceAccessor<&ChannelBinding::slot>("slot"), InstanceAccessor<&ChannelBinding::serial>("serial"),
       InstanceAccessor<&ChannelBinding::endpoint>("endpoint"), InstanceAccessor<&ChannelBinding::peers>("peers"),
       InstanceAccessor<&ChannelBinding::size>("size"), InstanceAccessor<&ChannelBinding::closed>("closed")});
}

ChannelBinding::ChannelBinding(const Napi::CallbackInfo& info)
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
    Napi::TypeError::New(env, "expected (pool: Pool, onNotify: function, ...)").ThrowAsJavaScriptException();
    return;
  }
  if (const char* wrong = open(info)) {
    napi_throw_error(env, wrong, "no endpoint of a channel to be had");
    return;
  }
  pool_reference_ = Napi::Persistent(info[0].As<Napi::Object>());
  napi_value name;
  napi_create_string_utf8(env, "slabpool.Channel", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(env, info[1], nullptr, name, 0, 1, nullptr, nullptr, this, &woken, &waker_) !=
      napi_ok) {
    depart();
    napi_throw_error(env, "NO_MEMORY", "no wake-up function to be had");
    return;
  }
  napi_unref_threadsafe_function(env, waker_);
  shared_->install(endpoint_, waker_);
  // After the function's own hook, so that this one runs first.
  napi_add_env_cleanup_hook(env, &on_environment_exit, this);
}

const char* ChannelBinding::open(const Napi::CallbackInfo& info) {
  uint32_t number;
  if (napi_get_value_uint32(info.Env(), info[2], &number) != napi_ok) return "NO_SUCH_CHANNEL";
  const Handle pool = pool_->membership().handle();
  bool holds_open = false;
  if (napi_get_value_bool(info.Env(), info[3], &holds_open) == napi_ok) {
    if (number < 2 || number > kMaxMessages || !std::has_single_bit(number)) return "NO_SUCH_CHANNEL";
    auto made = SharedChannel::create(pool, number);
    SharedChannel* channel = made.get();
    if (!made) return "NO_MEMORY";
    if (!SharedChannel::all().add(made, handle_)) return "TOO_MANY_CHANNELS";
    shared_ = channel;
  } else {
    handle_.slot = number;
    if (napi_get_value_uint32(info.Env(), info[3], &handle_.serial) == napi_ok) {
      shared_ = SharedChannel::all().join(handle_);
    }
    if (shared_ == nullptr) return "NO_SUCH_CHANNEL";
  }
  const bool same_pool = shared_->is_of(pool);
  if (same_pool) endpoint_ = (*shared_)->join(holds_open);
  if (endpoint_ != kNobody) return nullptr;
  shared_ = nullptr;
  SharedChannel::all().leave(handle_);
  return same_pool ? "TOO_MANY_ENDPOINTS" : "OTHER_POOL";
}

ChannelBinding::~ChannelBinding() {
  part();
  if (collected_ != nullptr) *collected_ = true;
}

void ChannelBinding::on_environment_exit(void* self) { static_cast<ChannelBinding*>(self)->depart(); }

void ChannelBinding::part() {
  if (shared_ == nullptr) return;
  napi_remove_env_cleanup_hook(Env(), &on_environment_exit, this);
  depart();
}

void ChannelBinding::depart() {
  if (shared_ == nullptr) return;
  SharedChannel* shared = std::exchange(shared_, nullptr);
  if (waker_ != nullptr) {
    shared->remove(endpoint_);
    (void)napi_release_threadsafe_function(waker_, napi_tsfn_abort);
  }
  (*shared)->leave(endpoint_);
  // A wake-up may have been given to this endpoint; and the others want to know that a peer is gone.
  shared->wake_all();
  SharedChannel::all().leave(handle_);
}

void ChannelBinding::woken(napi_env env, napi_value on_notify, void* self, void*) {
  if (env == nullptr) return;  // the environment ends
  auto* const channel = static_cast<ChannelBinding*>(self);
  if (channel->shared_ == nullptr) return;
  bool collected = false;
  channel->collected_ = &collected;
  uint32_t what = changed;
  if (channel->receiving_ && channel->pool_->membership() && can_call(env, on_notify) &&
      channel->take(0) == Channel::Result::ok) {
    what = arrived;
    // Armed again since that wake-up, perhaps: who does not wait is not to be woken in the place of others.
    (void)(*channel->shared_)->receivers().disarm(channel->endpoint_);
    channel->receiving_ = false;
    channel->keep_alive(env);
  }
  notify(env, on_notify, what);
  if (collected) return;
  channel->collected_ = nullptr;
  const uint32_t blocked = channel->pass_on();
  if (blocked != kNobody) notify(env, on_notify, wake + blocked);
}

void ChannelBinding::keep_alive(napi_env env) {
  const bool alive = refed_ && (receiving_ || sending_);
  if (alive == keeps_alive_ || shared_ == nullptr) return;
  keeps_alive_ = alive;
  (void)(alive ? napi_ref_threadsafe_function(env, waker_) : napi_unref_threadsafe_function(env, waker_));
}

bool ChannelBinding::usable(napi_env env) {
  if (shared_ != nullptr && pool_->membership()) return true;
  Napi::Error::New(env, "the channel is closed").ThrowAsJavaScriptException();
  return false;
}

Channel::Result ChannelBinding::give(uint32_t i, uint32_t& blocked) {
  const uint32_t* const exchange = environment_->exchange;
  const Message message{exchange[i], 0, environment_->tags[i]};
  uint32_t sleeper;
  const auto result = (*shared_)->try_send(pool_->membership().member(), exchange[kClasses + i], exchange[kSizes + i],
                                           message, sleeper);
  blocked = sleeper == kNobody ? kNobody : shared_->wake_receiver(sleeper);
  return result;
}

Channel::Result ChannelBinding::take(uint32_t i) {
  Message message;
  Channel::Result result;
  do {
    uint32_t sleeper;
    result = (*shared_)->try_receive(pool_->membership().member(), message, sleeper);
    if (sleeper != kNobody) shared_->wake(sleeper);
  } while (result == Channel::Result::stale);
  if (result == Channel::Result::ok) {
    environment_->exchange[i] = message.block;
    environment_->exchange[kClasses + i] = pool_->membership()->class_of(message.block);
    environment_->exchange[kSizes + i] = pool_->membership()->size_of(message.block);
    environment_->tags[i] = message.tag;
  }
  return result;
}

napi_value ChannelBinding::try_send(const HotCall& call) {
  if (!usable(call.env)) return nullptr;
  uint32_t blocked;
  const auto result = give(0, blocked);
  return call.number(result == Channel::Result::ok ? to_wake(blocked) : failure(result));
}

napi_value ChannelBinding::try_send_many(const HotCall& call) {
  uint32_t count;
  if (!usable(call.env) || napi_get_value_uint32(call.env, call.arguments[0], &count) != napi_ok || count > kMaxBatch) {
    return nullptr;
  }
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t blocked;
    const auto result = give(i, blocked);
    if (result != Channel::Result::ok) return call.number(i == 0 ? failure(result) : static_cast<int32_t>(i));
    environment_->exchange[kClasses + i] = static_cast<uint32_t>(to_wake(blocked));
  }
  return call.number(static_cast<int32_t>(count));
}

napi_value ChannelBinding::try_receive(const HotCall& call) {
  if (!usable(call.env)) return nullptr;
  const auto result = take(0);
  return call.number(result == Channel::Result::ok ? 0 : failure(result));
}

napi_value ChannelBinding::try_receive_many(const HotCall& call) {
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

napi_value ChannelBinding::arm_receiver(const HotCall& call) {
  bool blocking = false;
  if (usable(call.env) && napi_get_value_bool(call.env, call.arguments[0], &blocking) == napi_ok) {
    shared_->set_blocked(endpoint_, blocking);
    (*shared_)->receivers().arm(endpoint_);
    receiving_ = !blocking;
    keep_alive(call.env);
  }
  return nullptr;
}

napi_value ChannelBinding::arm_sender(const HotCall& call) {
  if (usable(call.env)) {
    (*shared_)->senders().arm(endpoint_);
    sending_ = true;
    keep_alive(call.env);
  }
  return nullptr;
}

napi_value ChannelBinding::disarm_receiver(const HotCall& call) {
  if (shared_ != nullptr) (void)(*shared_)->receivers().disarm(endpoint_);
  receiving_ = false;
  keep_alive(call.env);
  return nullptr;
}

napi_value ChannelBinding::disarm_sender(const HotCall& call) {
  if (shared_ != nullptr) (void)(*shared_)->senders().disarm(endpoint_);
  sending_ = false;
  keep_alive(call.env);
  return nullptr;
}

uint32_t ChannelBinding::pass_on() {
  if (shared_ == nullptr) return kNobody;
  uint32_t sleeper = sending_ ? kNobody : (*shared_)->pass_on_to_senders();
  if (sleeper != kNobody) shared_->wake(sleeper);
  sleeper = receiving_ ? kNobody : (*shared_)->pass_on_to_receivers();
  return sleeper == kNobody ? kNobody : shared_->wake_receiver(sleeper);
}

napi_value ChannelBinding::pass_on(const HotCall& call) { return call.number(to_wake(pass_on())); }

napi_value ChannelBinding::ref(const HotCall& call) {
  refed_ = true;
  keep_alive(call.env);
  return nullptr;
}

napi_value ChannelBinding::unref(const HotCall& call) {
  refed_ = false;
  keep_alive(call.env);
  return nullptr;
}

Napi::Value ChannelBinding::close(const Napi::CallbackInfo& info) {
  if (shared_ != nullptr) {
    (*shared_)->close();
    shared_->wake_all();
  }
  return info.Env().Undefined();
}

Napi::Value ChannelBinding::leave(const Napi::CallbackInfo& info) {
  part();
  return info.Env().Undefined();
}

Napi::Value ChannelBinding::slot(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), handle_.slot); }

Napi::Value ChannelBinding::serial(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), handle_.serial);
}

Napi::Value ChannelBinding::endpoint(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), endpoint_);
}

Napi::Value ChannelBinding::peers(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), shared_ == nullptr ? 0 : std::popcount((*shared_)->endpoints()) - 1);
}

Napi::Value ChannelBinding::size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), shared_ == nullptr ? 0 : static_cast<double>((*shared_)->size()));
}

Napi::Value ChannelBinding::closed(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), shared_ == nullptr || (*shared_)->closed());
}

}  // namespace slabpool
