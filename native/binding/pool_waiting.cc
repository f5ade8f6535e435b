// PoolBinding: requests that wait, and what threads are asked to do.
#include "pool_binding.h"

namespace slabpool {

Napi::Value PoolBinding::wait(const Napi::CallbackInfo& info) {
  uint32_t size_class;
  uint32_t most;
  if (!argument(info.Env(), info[0], classes(), &size_class)) return {};
  if (!argument(info.Env(), info[1], UINT32_MAX, &most)) return {};
  uint64_t number;
  const Status result = pool_->wait(pool_.member(), size_class, most, number);
  return Napi::Number::New(info.Env(), result == Status::ok ? static_cast<double>(number) : status(result));
}

Napi::Value PoolBinding::cancel(const Napi::CallbackInfo& info) {
  double number;
  const bool valid =
      pool_ && napi_get_value_double(info.Env(), info[0], &number) == napi_ok && number >= 1 && number < kMaxInteger;
  return Napi::Boolean::New(info.Env(), valid && pool_->cancel(static_cast<uint64_t>(number)));
}

Napi::Value PoolBinding::collect(const Napi::CallbackInfo& info) {
  Grant grant{};
  if (!pool_ || !pool_->collect(pool_.member(), grant)) return Napi::Number::New(info.Env(), 0);
  environment_->exchange[0] = grant.block;
  environment_->exchange[kClasses] = grant.size_class;
  const auto number = static_cast<double>(grant.number);
  return Napi::Number::New(info.Env(), grant.block == kNoIndex ? -number : number);
}

Napi::Value PoolBinding::waiting(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), pool_ ? static_cast<double>(pool_->stats().waiting) : 0);
}

Napi::Value PoolBinding::take_flush_request(const Napi::CallbackInfo& info) {
  if (!pool_) return Napi::Number::New(info.Env(), 0);
  return Napi::Number::New(info.Env(), static_cast<double>(pool_->take_flush_request(pool_.member())));
}

Napi::Value PoolBinding::drain(const Napi::CallbackInfo& info) {
  if (pool_) pool_->drain();
  return info.Env().Undefined();
}

Napi::Value PoolBinding::draining(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), pool_ && pool_->draining());
}

Napi::Value PoolBinding::drained(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), pool_ && pool_->drained());
}

Napi::Value PoolBinding::request_flush(const Napi::CallbackInfo& info) {
  uint32_t what;
  if (!argument(info.Env(), info[0], static_cast<uint32_t>(FlushRequest::pressure) + 1, &what)) return {};
  pool_->request_flush(static_cast<FlushRequest>(what), &pool_.member());
  return info.Env().Undefined();
}

Napi::Value PoolBinding::others_may_serve(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), pool_ && pool_->others_may_serve(pool_.member()));
}

}  // namespace slabpool
