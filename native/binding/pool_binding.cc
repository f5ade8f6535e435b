// PoolBinding: how a pool begins and ends in an environment.
#include "pool_binding.h"

#include <utility>

namespace slabpool {

Napi::Function PoolBinding::define(Napi::Env env) {
  return DefineClass(env, "Pool",
                     {InstanceMethod<&PoolBinding::batch>("batch"),
                      InstanceMethod<&PoolBinding::retire>("retire"),
                      InstanceMethod<&PoolBinding::warm>("warm"),
                      InstanceMethod<&PoolBinding::take_free>("takeFree"),
                      InstanceMethod<&PoolBinding::is_like>("isLike"),
                      InstanceAccessor<&PoolBinding::slot>("slot"),
                      InstanceAccessor<&PoolBinding::serial>("serial"),
                      InstanceMethod<&PoolBinding::age>("age"),
                      InstanceMethod<&PoolBinding::trim>("trim"),
                      InstanceMethod<&PoolBinding::trim_soon>("trimSoon"),
                      InstanceMethod<&PoolBinding::detach>("detach"),
                      InstanceMethod<&PoolBinding::stats>("stats"),
                      InstanceMethod<&PoolBinding::totals>("totals"),
                      InstanceMethod<&PoolBinding::threads>("threads"),
                      InstanceMethod<&PoolBinding::in_flight>("inFlight"),
                      InstanceMethod<&PoolBinding::publish_counters>("publishCounters"),
                      InstanceMethod<&PoolBinding::are_cold>("areCold"),
                      InstanceMethod<&PoolBinding::wait>("wait"),
                      InstanceMethod<&PoolBinding::cancel>("cancel"),
                      InstanceMethod<&PoolBinding::collect>("collect"),
                      InstanceMethod<&PoolBinding::take_flush_request>("takeFlushRequest"),
                      InstanceMethod<&PoolBinding::request_flush>("requestFlush"),
                      InstanceMethod<&PoolBinding::drain>("drain"),
                      InstanceAccessor<&PoolBinding::draining>("draining"),
                      InstanceAccessor<&PoolBinding::drained>("drained"),
                      InstanceMethod<&PoolBinding::count_refusal>("countRefusal"),
                      InstanceAccessor<&PoolBinding::others_may_serve>("othersMayServe"),
                      InstanceAccessor<&PoolBinding::waiting>("waiting"),
                      InstanceAccessor<&PoolBinding::resident_bytes>("residentBytes"),
                      InstanceMethod<&PoolBinding::pressure>("pressure"),
                      InstanceMethod<&PoolBinding::check_invariants>("checkInvariants"),
                      InstanceMethod<&PoolBinding::close>("close")});
}

PoolBinding::PoolBinding(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<PoolBinding>(info), environment_(info.Env().GetInstanceData<Environment>()) {
  bind_method<PoolBinding, &PoolBinding::refill>(info, "refill", this);
  bind_method<PoolBinding, &PoolBinding::flush>(info, "flush", this);
  bind_method<PoolBinding, &PoolBinding::map>(info, "map", this);
  bind_method<PoolBinding, &PoolBinding::holds>(info, "holds", this);
  bind_method<PoolBinding, &PoolBinding::reclaim>(info, "reclaim", this);
  bind_method<PoolBinding, &PoolBinding::transfer>(info, "transfer", this);
  bind_method<PoolBinding, &PoolBinding::adopt>(info, "adopt", this);
  napi_type_tag_object(info.Env(), info.This(), &kTypeTag);
  if (!info[0].IsFunction()) {
    Napi::TypeError::New(info.Env(), "expected (onNotify: function, ...)").ThrowAsJavaScriptException();
    return;
  }
  if (!(info.Length() == 3 ? join(info) : create(info))) return;
  napi_value name;
  napi_create_string_utf8(info.Env(), "slabpool.Pool", NAPI_AUTO_LENGTH, &name);
  if (napi_create_threadsafe_function(info.Env(), info[0], nullptr, name, 0, 1, nullptr, nullptr, nullptr, nullptr,
                                      &waker_) != napi_ok) {
    pool_.leave(Departure::clean_exit);
    napi_throw_error(info.Env(), "NO_MEMORY", "no wake-up function to be had");
    return;
  }
  napi_unref_threadsafe_function(info.Env(), waker_);
  pool_->set_waker(pool_.member(), {&wake, waker_, environment_});
  // After the function's own hook, so that this one runs first.
  napi_add_env_cleanup_hook(info.Env(), &on_environment_exit, this);
}

PoolBinding::~PoolBinding() {
  if (!pool_) return;
  napi_remove_env_cleanup_hook(Env(), &on_environment_exit, this);
  pool_->set_waker(pool_.member(), {});
  (void)napi_release_threadsafe_function(waker_, napi_tsfn_abort);
  // What ArrayBuffers are still over keeps its pages.
  if (pool_.leave_last()) return;
  if (pool_->holds_any(pool_.member())) {
    environment_->left_open.push_back(std::move(pool_));
  } else {
    pool_.leave(Departure::clean_exit);
  }
}

PoolBinding* PoolBinding::from(Napi::Env env, Napi::Value value) {
  bool is_pool = false;
  void* self = nullptr;
  if (napi_check_object_type_tag(env, value, &kTypeTag, &is_pool) != napi_ok || !is_pool) return nullptr;
  return napi_unwrap(env, value, &self) == napi_ok ? static_cast<PoolBinding*>(self) : nullptr;
}

void PoolBinding::on_environment_exit(void* self) {
  auto* const pool = static_cast<PoolBinding*>(self);
  pool->leave(pool->environment_->departure);
}

void PoolBinding::wake(void* waker) {
  (void)napi_call_threadsafe_function(static_cast<napi_threadsafe_function>(waker), nullptr, napi_tsfn_nonblocking);
}

void PoolBinding::leave(Departure departure) {
  views_.reset();
  pool_.leave(departure);
  (void)napi_release_threadsafe_function(waker_, napi_tsfn_abort);
}

bool PoolBinding::create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (info.Length() != 5 || !info[1].IsTypedArray() || !info[2].IsNumber() || !info[3].IsNumber() ||
      !info[4].IsNumber() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
    Napi::TypeError::New(
        env,
        "expected (onNotify: function, capacities: Uint32Array, maxBytes: number, epochMs: number, minBytes: number)")
        .ThrowAsJavaScriptException();
    return false;
  }
  const auto capacities = info[1].As<Napi::Uint32Array>();
  const double max_bytes = info[2].As<Napi::Number>().DoubleValue();
  const double min_bytes = info[4].As<Napi::Number>().DoubleValue();
  bool valid = min_bytes >= 0 && min_bytes <= max_bytes && capacities.ElementLength() >= 1 &&
               capacities.ElementLength() <= kMaxClasses && max_bytes >= 0 && max_bytes <= kMaxBudget;
  for (size_t i = 0; valid && i < capacities.ElementLength(); ++i) {
    valid = capacities[i] > (i == 0 ? 0 : capacities[i - 1]) && capacities[i] <= kMaxCapacity;
  }
  if (!valid) {
    Napi::RangeError::New(env, "capacities, maxBytes or minBytes out of range").ThrowAsJavaScriptException();
    return false;
  }
  const uint32_t epoch_ms = info[3].As<Napi::Number>().Uint32Value();
  auto pool = Pool::create(capacities.Data(), static_cast<uint32_t>(capacities.ElementLength()),
                           static_cast<uint64_t>(max_bytes), epoch_ms, static_cast<uint64_t>(min_bytes));
  if (pool) pool->enroll();  // before other threads can join it
  const char* wrong = pool_.create(std::move(pool));
  if (wrong != nullptr) napi_throw_error(env, wrong, "no pool to be had");
  return wrong == nullptr;
}

bool PoolBinding::join(const Napi::CallbackInfo& info) {
  Handle handle;
  const bool valid = napi_get_value_uint32(info.Env(), info[1], &handle.slot) == napi_ok &&
                     napi_get_value_uint32(info.Env(), info[2], &handle.serial) == napi_ok;
  const char* wrong = valid ? pool_.join(handle) : "NO_SUCH_POOL";
  if (wrong != nullptr) napi_throw_error(info.Env(), wrong, "no place in a pool to be had");
  return wrong == nullptr;
}

Napi::Value PoolBinding::slot(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), pool_.handle().slot);
}

Napi::Value PoolBinding::serial(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), pool_.handle().serial);
}

Napi::Value PoolBinding::is_like(const Napi::CallbackInfo& info) {
  double max_bytes;
  bool like = pool_ && info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint32_array &&
              napi_get_value_double(info.Env(), info[1], &max_bytes) == napi_ok &&
              max_bytes == static_cast<double>(pool_->budget().max()) &&
              info[0].As<Napi::TypedArray>().ElementLength() == pool_->class_count();
  for (uint32_t c = 0; like && c < pool_->class_count(); ++c) {
    like = info[0].As<Napi::Uint32Array>()[c] == pool_->size_class(c).capacity;
  }
  return Napi::Boolean::New(info.Env(), like);
}

Napi::Value PoolBinding::close(const Napi::CallbackInfo& info) {
  if (pool_) {
    napi_remove_env_cleanup_hook(info.Env(), &on_environment_exit, this);
    leave(Departure::clean_exit);
  }
  return info.Env().Undefined();
}

}  // namespace slabpool
