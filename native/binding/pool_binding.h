// PoolBinding: a pool as one environment's JavaScript sees it. Checks arguments, has no logic.
#pragma once

#include <napi.h>

#include <utility>

#include "core/pool.h"
#include "environment.h"
#include "membership.h"

namespace slabpool {

class PoolBinding : public Napi::ObjectWrap<PoolBinding> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Pool",
                       {InstanceMethod<&PoolBinding::batch>("batch"), InstanceMethod<&PoolBinding::retire>("retire"),
                        InstanceMethod<&PoolBinding::is_like>("isLike"), InstanceAccessor<&PoolBinding::slot>("slot"),
                        InstanceAccessor<&PoolBinding::serial>("serial"), InstanceMethod<&PoolBinding::age>("age"),
                        InstanceMethod<&PoolBinding::trim>("trim"), InstanceMethod<&PoolBinding::stats>("stats"),
                        InstanceAccessor<&PoolBinding::resident_bytes>("residentBytes"),
                        InstanceMethod<&PoolBinding::check_invariants>("checkInvariants"),
                        InstanceMethod<&PoolBinding::close>("close")});
  }

  // new Pool(capacities: Uint32Array, maxBytes: number, epochMs: number), or of a pool that there is: new Pool(slot: number,
  // serial: number)
  explicit PoolBinding(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<PoolBinding>(info), environment_(info.Env().GetInstanceData<Environment>()) {
    bind_method<PoolBinding, &PoolBinding::refill>(info, "refill", this);
    bind_method<PoolBinding, &PoolBinding::flush>(info, "flush", this);
    bind_method<PoolBinding, &PoolBinding::map>(info, "map", this);
    bind_method<PoolBinding, &PoolBinding::holds>(info, "holds", this);
    bind_method<PoolBinding, &PoolBinding::transfer>(info, "transfer", this);
    bind_method<PoolBinding, &PoolBinding::adopt>(info, "adopt", this);
    napi_type_tag_object(info.Env(), info.This(), &kTypeTag);
    const bool made = info.Length() == 2 ? join(info) : create(info);
    if (made) napi_add_env_cleanup_hook(info.Env(), &on_environment_exit, this);
  }

  ~PoolBinding() override {
    if (!pool_) return;
    napi_remove_env_cleanup_hook(Env(), &on_environment_exit, this);
    (void)pool_->trim();
    environment_->abandoned.push_back(std::move(pool_));
  }

  // nullptr: the value is no Pool of this addon.
  static PoolBinding* from(Napi::Env env, Napi::Value value) {
    bool is_pool = false;
    void* self = nullptr;
    if (napi_check_object_type_tag(env, value, &kTypeTag, &is_pool) != napi_ok || !is_pool) return nullptr;
    return napi_unwrap(env, value, &self) == napi_ok ? static_cast<PoolBinding*>(self) : nullptr;
  }

  // For channels of this pool. Empty once closed.
  [[nodiscard]] Membership& membership() { return pool_; }

 private:
  static constexpr napi_type_tag kTypeTag{0x7c1f6a0e52b84d93, 0xa5e3d2184f6b07c9};

  // 2^46 bytes: half of what a process can address; sums of a few budgets stay exact in a double.
  static constexpr double kMaxBudget = 70368744177664.0;

  static void on_environment_exit(void* self) { static_cast<PoolBinding*>(self)->pool_.leave(Departure::death); }

  bool create(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (info.Length() != 3 || !info[0].IsTypedArray() || !info[1].IsNumber() || !info[2].IsNumber() ||
        info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
      Napi::TypeError::New(env, "expected (capacities: Uint32Array, maxBytes: number, epochMs: number)")
          .ThrowAsJavaScriptException();
      return false;
    }
    const auto capacities = info[0].As<Napi::Uint32Array>();
    const double max_bytes = info[1].As<Napi::Number>().DoubleValue();
    bool valid = capacities.ElementLength() >= 1 && capacities.ElementLength() <= kMaxClasses && max_bytes >= 0 &&
                 max_bytes <= kMaxBudget;
    for (size_t i = 0; valid && i < capacities.ElementLength(); ++i) {
      valid = capacities[i] > (i == 0 ? 0 : capacities[i - 1]) && capacities[i] <= kMaxCapacity;
    }
    if (!valid) {
      Napi::RangeError::New(env, "capacities or maxBytes out of range").ThrowAsJavaScriptException();
      return false;
    }
    const uint32_t epoch_ms = info[2].As<Napi::Number>().Uint32Value();
    auto pool = Pool::create(capacities.Data(), static_cast<uint32_t>(capacities.ElementLength()),
                             static_cast<uint64_t>(max_bytes), epoch_ms);
    if (pool && epoch_ms != 0) pool->enroll();  // before other threads can join it
    if (pool_.create(std::move(pool))) return true;
    Napi::Error::New(env, "no address space, or too many pools").ThrowAsJavaScriptException();
    return false;
  }

  bool join(const Napi::CallbackInfo& info) {
    Handle handle;
    if (napi_get_value_uint32(info.Env(), info[0], &handle.slot) == napi_ok &&
        napi_get_value_uint32(info.Env(), info[1], &handle.serial) == napi_ok && pool_.join(handle)) {
      return true;
    }
    const bool full = pool_.full();
    Napi::Error::New(info.Env(), full ? "too many threads" : "no such pool").ThrowAsJavaScriptException();
    return false;
  }

  [[nodiscard]] uint32_t classes() const { return pool_ ? pool_->class_count() : 0; }

  // Argument `at` as an integer below `bound`, or a pending TypeError.
  bool argument(napi_env env, napi_value given, uint32_t bound, uint32_t* value) {
    if (pool_ && napi_get_value_uint32(env, given, value) == napi_ok && *value < bound) return true;
    Napi::TypeError::New(env, pool_ ? "argument out of range" : "the pool is closed").ThrowAsJavaScriptException();
    return false;
  }

  static int32_t status(Status status) { return -static_cast<int32_t>(status); }

  // refill(sizeClass): how many blocks are in `exchange`, or a negative status.
  napi_value refill(const HotCall& call) {
    uint32_t size_class;
    if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
    const RefillResult result = pool_->refill(pool_.thread(), size_class, environment_->exchange);
    return call.number(result.status == Status::ok ? static_cast<int32_t>(result.count) : status(result.status));
  }

  // flush(sizeClass, count): gives back the first `count` blocks of `exchange`.
  napi_value flush(const HotCall& call) {
    uint32_t size_class;
    uint32_t count;
    if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
    if (!argument(call.env, call.arguments[1], kMaxBatch + 1, &count)) return nullptr;
    return call.number(status(pool_->flush(pool_.thread(), size_class, environment_->exchange, count)));
  }

  // batch(sizeClass): blocks in a full batch.
  Napi::Value batch(const Napi::CallbackInfo& info) {
    uint32_t size_class;
    if (!argument(info.Env(), info[0], classes(), &size_class)) return {};
    return Napi::Number::New(info.Env(), pool_->size_class(size_class).batch);
  }

  // holds(sizeClass, block): whether this thread holds the block.
  napi_value holds(const HotCall& call) {
    uint32_t size_class;
    uint32_t block;
    if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
    if (!argument(call.env, call.arguments[1], kNoIndex, &block)) return nullptr;
    napi_value held = nullptr;
    napi_get_boolean(call.env, pool_->holds(pool_.thread(), size_class, block), &held);
    return held;
  }

  // map(sizeClass, block): a Buffer over the block's `capacity` bytes.
  napi_value map(const HotCall& call) {
    uint32_t size_class;
    uint32_t block;
    if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
    if (!argument(call.env, call.arguments[1], kNoIndex, &block)) return nullptr;
    if (!pool_->holds(pool_.thread(), size_class, block)) return call.number(status(Status::not_held));
    // Nothing to finalize: block memory is never freed.
    napi_value buffer = nullptr;
    napi_create_external_buffer(call.env, pool_->size_class(size_class).capacity, pool_->address(block), do_nothing,
                                nullptr, &buffer);
    return buffer;
  }

  // retire(sizeClass, block)
  Napi::Value retire(const Napi::CallbackInfo& info) {
    uint32_t size_class;
    uint32_t block;
    if (!argument(info.Env(), info[0], classes(), &size_class)) return {};
    if (!argument(info.Env(), info[1], kNoIndex, &block)) return {};
    return Napi::Number::New(info.Env(), status(pool_->retire(pool_.thread(), size_class, block)));
  }

  // age(): bytes given back to the OS.
  Napi::Value age(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), pool_ ? static_cast<double>(pool_->age()) : 0);
  }

  // trim(): bytes given back to the OS.
  Napi::Value trim(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), pool_ ? static_cast<double>(pool_->trim()) : 0);
  }

  // stats(into: Float64Array): per class kStatsFields numbers in the order of ClassStats, bytes for blocks.
  Napi::Value stats(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (!pool_ || info.Length() != 1 || !info[0].IsTypedArray() ||
        info[0].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array ||
        info[0].As<Napi::TypedArray>().ElementLength() < size_t{kStatsFields} * pool_->class_count()) {
      Napi::TypeError::New(env, "expected a Float64Array of fields x classes, and an open pool")
          .ThrowAsJavaScriptException();
      return env.Undefined();
    }
    double* into = info[0].As<Napi::Float64Array>().Data();
    for (uint32_t c = 0; c < pool_->class_count(); ++c) {
      const ClassStats s = pool_->stats(c);
      for (const uint64_t n : {s.carved, s.resident, s.out, s.transit, s.resting, s.retired, s.slabs})
        *into++ = static_cast<double>(n);
      for (const Counter& n : pool_.thread().classes[c].refills) *into++ = static_cast<double>(n.get());
      *into++ = static_cast<double>(pool_->size_class(c).stride);
    }
    return env.Undefined();
  }

  // residentBytes: what the budget is charged now.
  Napi::Value resident_bytes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), pool_ ? static_cast<double>(pool_->budget().used()) : 0);
  }

  // checkInvariants(): null, or what is wrong. For tests.
  Napi::Value check_invariants(const Napi::CallbackInfo& info) {
    const char* wrong = pool_ ? pool_->check_invariants() : nullptr;
    return wrong == nullptr ? info.Env().Null() : Napi::String::New(info.Env(), wrong);
  }

  // isLike(capacities: Uint32Array, maxBytes: number): whether the pool was made with these.
  Napi::Value is_like(const Napi::CallbackInfo& info) {
    double max_bytes;
    bool like = pool_ && info[0].IsTypedArray() &&
                info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint32_array &&
                napi_get_value_double(info.Env(), info[1], &max_bytes) == napi_ok &&
                max_bytes == static_cast<double>(pool_->budget().max()) &&
                info[0].As<Napi::TypedArray>().ElementLength() == pool_->class_count();
    for (uint32_t c = 0; like && c < pool_->class_count(); ++c) {
      like = info[0].As<Napi::Uint32Array>()[c] == pool_->size_class(c).capacity;
    }
    return Napi::Boolean::New(info.Env(), like);
  }

  // slot, serial: what another environment joins the pool by.
  Napi::Value slot(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), pool_.handle().slot); }
  Napi::Value serial(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), pool_.handle().serial); }

  // transfer(sizeClass, block): a ticket, or a negative status.
  napi_value transfer(const HotCall& call) {
    uint32_t size_class;
    uint32_t block;
    uint32_t generation;
    if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
    if (!argument(call.env, call.arguments[1], kNoIndex, &block)) return nullptr;
    const Status result = pool_->transfer(pool_.thread(), size_class, block, Carrier::ticket, generation);
    if (result != Status::ok) return call.number(status(result));
    const uint64_t ticket =
        (ticket_pool() << kTicketBlockBits | block) << kTicketGenerationBits | (generation & kGenerationMask);
    napi_value number = nullptr;
    napi_create_double(call.env, static_cast<double>(ticket), &number);
    return number;
  }

  // adopt(ticket): 0, and the block and its class in `exchange`; or a negative status.
  napi_value adopt(const HotCall& call) {
    double number;
    if (!pool_ || napi_get_value_double(call.env, call.arguments[0], &number) != napi_ok ||
        !(number >= 0 && number < kMaxTicket)) {
      return call.number(status(Status::stale));
    }
    const auto ticket = static_cast<uint64_t>(number);
    const auto generation = static_cast<uint32_t>(ticket & kGenerationMask);
    const auto block = static_cast<uint32_t>(ticket >> kTicketGenerationBits & (kMaxBlocks - 1));
    if (ticket >> (kTicketGenerationBits + kTicketBlockBits) != ticket_pool())
      return call.number(status(Status::stale));
    const Status result = pool_->adopt(pool_.thread(), block, generation);
    if (result == Status::ok) {
      environment_->exchange[0] = block;
      environment_->exchange[kMaxBatch] = pool_->class_of(block);
    }
    return call.number(status(result));
  }

  // close(): ends this environment's membership; the pool's other methods throw from now on.
  Napi::Value close(const Napi::CallbackInfo& info) {
    if (pool_) {
      napi_remove_env_cleanup_hook(info.Env(), &on_environment_exit, this);
      pool_.leave(Departure::farewell);
    }
    return info.Env().Undefined();
  }

  static constexpr uint32_t kStatsFields = 8 + kSteps;

  // A ticket is a whole number below 2^53: number of the pool 8 bits, block 24, generation 21. Pools whose numbers differ by a
  // multiple of 256 are told apart by the generation only.
  static constexpr uint32_t kTicketBlockBits = 24;
  static constexpr double kMaxTicket = 9007199254740992.0;
  static_assert(kMaxBlocks == 1u << kTicketBlockBits);
  static constexpr uint32_t kGenerationMask = (1u << kTicketGenerationBits) - 1;
  [[nodiscard]] uint64_t ticket_pool() const { return pool_->number() & 0xff; }

  Environment* const environment_;
  Membership pool_;
};

}  // namespace slabpool
