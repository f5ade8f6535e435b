// PoolBinding: what crosses with each batch and each hand-over.
#include <algorithm>

#include "pool_binding.h"

namespace slabpool {

// These three are here since the hot methods below call them.

uint32_t PoolBinding::classes() const { return pool_ ? pool_->class_count() : 0; }

bool PoolBinding::argument(napi_env env, napi_value given, uint32_t bound, uint32_t* value) {
  if (pool_ && napi_get_value_uint32(env, given, value) == napi_ok && *value < bound) return true;
  Napi::TypeError::New(env, pool_ ? "argument out of range" : "the pool is closed").ThrowAsJavaScriptException();
  return false;
}

int32_t PoolBinding::status(Status status) { return -static_cast<int32_t>(status); }

napi_value PoolBinding::refill(const HotCall& call) {
  uint32_t size_class;
  if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
  const RefillResult result = pool_->refill(pool_.member(), size_class, environment_->exchange);
  environment_->exchange[kStep] = static_cast<uint32_t>(result.step);
  environment_->exchange[kReclaimed] = static_cast<uint32_t>(result.reclaimed_bytes >> 10);
  if (result.status == Status::ok) pool_.member().classes[size_class].acquires.add(1);
  return call.number(result.status == Status::ok ? static_cast<int32_t>(result.count) : status(result.status));
}

Napi::Value PoolBinding::warm(const Napi::CallbackInfo& info) {
  uint32_t size_class;
  if (!argument(info.Env(), info[0], classes(), &size_class)) return {};
  double count;
  if (napi_get_value_double(info.Env(), info[1], &count) != napi_ok || !(count >= 0 && count < kMaxInteger)) {
    Napi::TypeError::New(info.Env(), "argument out of range").ThrowAsJavaScriptException();
    return {};
  }
  const WarmResult result = pool_->warm(pool_.member(), size_class, static_cast<uint64_t>(count));
  environment_->exchange[kStep] = static_cast<uint32_t>(result.carved ? Step::slab : Step::depot);
  return Napi::Number::New(info.Env(),
                           result.status == Status::ok ? static_cast<double>(result.possible) : status(result.status));
}

Napi::Value PoolBinding::take_free(const Napi::CallbackInfo& info) {
  uint32_t size_class;
  uint32_t most;
  if (!argument(info.Env(), info[0], classes(), &size_class)) return {};
  if (!argument(info.Env(), info[1], kMaxBatch + 1, &most)) return {};
  return Napi::Number::New(info.Env(), pool_->take_free(pool_.member(), size_class, most, environment_->exchange));
}

napi_value PoolBinding::flush(const HotCall& call) {
  uint32_t size_class;
  uint32_t count;
  if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
  if (!argument(call.env, call.arguments[1], kMaxBatch + 1, &count)) return nullptr;
  const Status result = pool_->flush(pool_.member(), size_class, environment_->exchange, count);
  if (result != Status::ok) return call.number(status(result));
  // Relaxed: a hint, which the waker makes certain.
  const FlushRequest request = pool_.member().notifications.flush_request.load(std::memory_order_relaxed);
  return call.number((pool_->waiting() ? 1 : 0) | (request == FlushRequest::none ? 0 : 2));
}

Napi::Value PoolBinding::batch(const Napi::CallbackInfo& info) {
  uint32_t size_class;
  if (!argument(info.Env(), info[0], classes(), &size_class)) return {};
  return Napi::Number::New(info.Env(), pool_->size_class(size_class).batch);
}

napi_value PoolBinding::holds(const HotCall& call) {
  uint32_t size_class;
  uint32_t block;
  if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
  if (!argument(call.env, call.arguments[1], kNoIndex, &block)) return nullptr;
  napi_value held = nullptr;
  napi_get_boolean(call.env, pool_->holds(pool_.member(), size_class, block), &held);
  return held;
}

napi_value PoolBinding::map(const HotCall& call) {
  uint32_t size_class;
  uint32_t block;
  if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
  if (!argument(call.env, call.arguments[1], kNoIndex, &block)) return nullptr;
  if (!pool_->holds(pool_.member(), size_class, block)) return call.number(status(Status::not_held));
  Views::View* const view = views_ ? views_->add(*pool_, block) : nullptr;
  if (view == nullptr) return call.number(status(Status::out_of_memory));
  napi_value buffer = nullptr;
  if (napi_create_external_buffer(call.env, pool_->size_class(size_class).capacity, pool_->address(block),
                                  Views::finalize, view, &buffer) != napi_ok) {
    Views::end(view);
  }
  return buffer;
}

napi_value PoolBinding::reclaim(const HotCall& call) {
  uint32_t size_class;
  uint32_t block;
  if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
  if (!argument(call.env, call.arguments[1], kNoIndex, &block)) return nullptr;
  if (!pool_->holds(pool_.member(), size_class, block)) return call.number(status(Status::not_held));
  void* bytes = nullptr;
  size_t length = 0;
  if (napi_get_buffer_info(call.env, call.arguments[2], &bytes, &length) != napi_ok || bytes != pool_->address(block) ||
      length != pool_->size_class(size_class).capacity) {
    return call.number(1);
  }
  if (views_) views_->forget(block);
  return call.number(0);
}

Napi::Value PoolBinding::detach(const Napi::CallbackInfo& info) {
  bool gone = false;
  uint32_t block;
  if (!argument(info.Env(), info[1], kNoIndex, &block) || !info[0].IsArrayBuffer() ||
      napi_is_detached_arraybuffer(info.Env(), info[0], &gone) != napi_ok || gone) {
    return info.Env().Undefined();  // what its holder has detached is under another ArrayBuffer
  }
  if (napi_detach_arraybuffer(info.Env(), info[0]) == napi_ok && views_) views_->detached(block);
  return info.Env().Undefined();
}

Napi::Value PoolBinding::retire(const Napi::CallbackInfo& info) {
  uint32_t size_class;
  uint32_t block;
  if (!argument(info.Env(), info[0], classes(), &size_class)) return {};
  if (!argument(info.Env(), info[1], kNoIndex, &block)) return {};
  return Napi::Number::New(info.Env(), status(pool_->retire(pool_.member(), size_class, block)));
}

napi_value PoolBinding::transfer(const HotCall& call) {
  uint32_t size_class;
  uint32_t block;
  uint32_t size;
  uint32_t generation;
  if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
  if (!argument(call.env, call.arguments[1], kNoIndex, &block)) return nullptr;
  if (!argument(call.env, call.arguments[2], kNoIndex, &size)) return nullptr;
  const Status result = pool_->transfer(pool_.member(), size_class, block, Carrier::ticket, generation, size);
  if (result != Status::ok) return call.number(status(result));
  napi_value number = nullptr;
  napi_create_double(call.env, static_cast<double>(Ticket::number(block, generation)), &number);
  return number;
}

napi_value PoolBinding::adopt(const HotCall& call) {
  double number;
  if (!pool_ || napi_get_value_double(call.env, call.arguments[0], &number) != napi_ok ||
      !(number >= 0 && number < kMaxInteger)) {
    return call.number(status(Status::stale));
  }
  uint32_t block;
  const Status result = pool_->adopt_ticket(pool_.member(), static_cast<uint64_t>(number), block);
  if (result == Status::ok) {
    environment_->exchange[0] = block;
    environment_->exchange[kClasses] = pool_->class_of(block);
    environment_->exchange[kSizes] = pool_->size_of(block);
  }
  return call.number(status(result));
}

Napi::Value PoolBinding::are_cold(const Napi::CallbackInfo& info) {
  uint32_t count;
  if (!argument(info.Env(), info[0], kMaxBatch + 1, &count)) return {};
  uint32_t* const blocks = environment_->exchange;
  uint32_t* const end = std::remove_if(blocks, blocks + count, [&](uint32_t b) { return !pool_->is_cold(b); });
  return Napi::Number::New(info.Env(), static_cast<double>(end - blocks));
}

Napi::Value PoolBinding::age(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), pool_ ? static_cast<double>(pool_->age()) : 0);
}

Napi::Value PoolBinding::trim_soon(const Napi::CallbackInfo& info) {
  if (pool_) pool_->trim_soon();
  return info.Env().Undefined();
}

Napi::Value PoolBinding::trim(const Napi::CallbackInfo& info) {
  uint32_t cause;
  if (!argument(info.Env(), info[0], kCauses, &cause)) return {};
  return Napi::Number::New(info.Env(), static_cast<double>(pool_->trim(static_cast<Cause>(cause))));
}

}  // namespace slabpool
