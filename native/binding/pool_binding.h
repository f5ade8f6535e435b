// PoolBinding: a pool as one environment's JavaScript sees it. Checks arguments, has no logic.
#pragma once

#include <napi.h>

#include <algorithm>
#include <utility>

#include "core/pool.h"
#include "environment.h"
#include "membership.h"
#include "pressure.h"

namespace slabpool {

class PoolBinding : public Napi::ObjectWrap<PoolBinding> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Pool",
                       {InstanceMethod<&PoolBinding::batch>("batch"),
                        InstanceMethod<&PoolBinding::retire>("retire"),
                        InstanceMethod<&PoolBinding::is_like>("isLike"),
                        InstanceAccessor<&PoolBinding::slot>("slot"),
                        InstanceAccessor<&PoolBinding::serial>("serial"),
                        InstanceMethod<&PoolBinding::age>("age"),
                        InstanceMethod<&PoolBinding::trim>("trim"),
                        InstanceMethod<&PoolBinding::stats>("stats"),
                        InstanceMethod<&PoolBinding::totals>("totals"),
                        InstanceMethod<&PoolBinding::threads>("threads"),
                        InstanceMethod<&PoolBinding::report>("report"),
                        InstanceMethod<&PoolBinding::are_cold>("areCold"),
                        InstanceMethod<&PoolBinding::wait>("wait"),
                        InstanceMethod<&PoolBinding::cancel>("cancel"),
                        InstanceMethod<&PoolBinding::collect>("collect"),
                        InstanceMethod<&PoolBinding::take_summons>("takeSummons"),
                        InstanceMethod<&PoolBinding::summon_others>("summonOthers"),
                        InstanceMethod<&PoolBinding::count_refusal>("countRefusal"),
                        InstanceMethod<&PoolBinding::ref>("ref"),
                        InstanceMethod<&PoolBinding::unref>("unref"),
                        InstanceAccessor<&PoolBinding::waiting>("waiting"),
                        InstanceAccessor<&PoolBinding::resident_bytes>("residentBytes"),
                        InstanceMethod<&PoolBinding::pressure>("pressure"),
                        InstanceAccessor<&PoolBinding::pressure_override>("pressureOverride"),
                        InstanceMethod<&PoolBinding::override_pressure>("overridePressure"),
                        InstanceMethod<&PoolBinding::check_invariants>("checkInvariants"),
                        InstanceMethod<&PoolBinding::close>("close")});
  }

  // new Pool(onMail: () => void, capacities: Uint32Array, maxBytes: number, epochMs: number), or of a pool that there is:
  // new Pool(onMail, slot: number, serial: number)
  explicit PoolBinding(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<PoolBinding>(info), environment_(info.Env().GetInstanceData<Environment>()) {
    bind_method<PoolBinding, &PoolBinding::refill>(info, "refill", this);
    bind_method<PoolBinding, &PoolBinding::flush>(info, "flush", this);
    bind_method<PoolBinding, &PoolBinding::map>(info, "map", this);
    bind_method<PoolBinding, &PoolBinding::holds>(info, "holds", this);
    bind_method<PoolBinding, &PoolBinding::transfer>(info, "transfer", this);
    bind_method<PoolBinding, &PoolBinding::adopt>(info, "adopt", this);
    napi_type_tag_object(info.Env(), info.This(), &kTypeTag);
    if (!(info.Length() == 3 ? join(info) : create(info))) return;
    napi_value name;
    napi_create_string_utf8(info.Env(), "slabpool.Pool", NAPI_AUTO_LENGTH, &name);
    if (!info[0].IsFunction() || napi_create_threadsafe_function(info.Env(), info[0], nullptr, name, 0, 1, nullptr,
                                                                 nullptr, nullptr, nullptr, &bell_) != napi_ok) {
      pool_.leave(Departure::farewell);
      Napi::Error::New(info.Env(), "no wake-up function to be had").ThrowAsJavaScriptException();
      return;
    }
    napi_unref_threadsafe_function(info.Env(), bell_);
    pool_->set_bell(pool_.thread(), {&ring, bell_});
    // After the function's own hook, so that this one runs first.
    napi_add_env_cleanup_hook(info.Env(), &on_environment_exit, this);
  }

  ~PoolBinding() override {
    if (!pool_) return;
    napi_remove_env_cleanup_hook(Env(), &on_environment_exit, this);
    end_override();
    pool_->set_bell(pool_.thread(), {});
    (void)napi_release_threadsafe_function(bell_, napi_tsfn_abort);
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

  static void on_environment_exit(void* self) { static_cast<PoolBinding*>(self)->leave(Departure::death); }

  // Under the lock of the pool's mailboxes, so never after leave().
  static void ring(void* bell) {
    (void)napi_call_threadsafe_function(static_cast<napi_threadsafe_function>(bell), nullptr, napi_tsfn_nonblocking);
  }

  void leave(Departure departure) {
    end_override();
    pool_.leave(departure);
    (void)napi_release_threadsafe_function(bell_, napi_tsfn_abort);
  }

  bool create(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    if (info.Length() != 4 || !info[1].IsTypedArray() || !info[2].IsNumber() || !info[3].IsNumber() ||
        info[1].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
      Napi::TypeError::New(env,
                           "expected (onMail: function, capacities: Uint32Array, maxBytes: number, epochMs: number)")
          .ThrowAsJavaScriptException();
      return false;
    }
    const auto capacities = info[1].As<Napi::Uint32Array>();
    const double max_bytes = info[2].As<Napi::Number>().DoubleValue();
    bool valid = capacities.ElementLength() >= 1 && capacities.ElementLength() <= kMaxClasses && max_bytes >= 0 &&
                 max_bytes <= kMaxBudget;
    for (size_t i = 0; valid && i < capacities.ElementLength(); ++i) {
      valid = capacities[i] > (i == 0 ? 0 : capacities[i - 1]) && capacities[i] <= kMaxCapacity;
    }
    if (!valid) {
      Napi::RangeError::New(env, "capacities or maxBytes out of range").ThrowAsJavaScriptException();
      return false;
    }
    const uint32_t epoch_ms = info[3].As<Napi::Number>().Uint32Value();
    auto pool = Pool::create(capacities.Data(), static_cast<uint32_t>(capacities.ElementLength()),
                             static_cast<uint64_t>(max_bytes), epoch_ms);
    if (pool && epoch_ms != 0) pool->enroll();  // before other threads can join it
    if (pool_.create(std::move(pool))) return true;
    Napi::Error::New(env, "no address space, or too many pools").ThrowAsJavaScriptException();
    return false;
  }

  bool join(const Napi::CallbackInfo& info) {
    Handle handle;
    if (napi_get_value_uint32(info.Env(), info[1], &handle.slot) == napi_ok &&
        napi_get_value_uint32(info.Env(), info[2], &handle.serial) == napi_ok && pool_.join(handle)) {
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

  // The thread's report of its magazine, from `exchange`, and what a refill adds to it: so many leases and blocks.
  void take_report(uint32_t size_class, uint32_t leased = 0, uint32_t cached = 0) {
    const uint32_t* report = environment_->exchange + kReport;
    Pool::report(pool_.thread(), size_class, (uint64_t{report[1]} << 32 | report[0]) + leased, report[2] + cached);
  }

  // refill(sizeClass): how many blocks are in `exchange`, or a negative status. The report is of the magazine before that; the
  // first block is leased at once.
  napi_value refill(const HotCall& call) {
    uint32_t size_class;
    if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
    const RefillResult result = pool_->refill(pool_.thread(), size_class, environment_->exchange);
    environment_->exchange[kStep] = static_cast<uint32_t>(result.step);
    take_report(size_class, result.count == 0 ? 0 : 1, result.count == 0 ? 0 : result.count - 1);
    return call.number(result.status == Status::ok ? static_cast<int32_t>(result.count) : status(result.status));
  }

  // flush(sizeClass, count): gives back the first `count` blocks of `exchange`. Negative: a status. 1: somebody waits for
  // budget. 2: the thread is summoned. 3: both. The report is of the magazine after that.
  napi_value flush(const HotCall& call) {
    uint32_t size_class;
    uint32_t count;
    if (!argument(call.env, call.arguments[0], classes(), &size_class)) return nullptr;
    if (!argument(call.env, call.arguments[1], kMaxBatch + 1, &count)) return nullptr;
    take_report(size_class);
    const Status result = pool_->flush(pool_.thread(), size_class, environment_->exchange, count);
    if (result != Status::ok) return call.number(status(result));
    // Relaxed: a hint, which the bell makes certain.
    const Summons summons = pool_.thread().mailbox.summons.load(std::memory_order_relaxed);
    return call.number((pool_->waiting() ? 1 : 0) | (summons == Summons::none ? 0 : 2));
  }

  // report(sizeClass): tells of a magazine.
  Napi::Value report(const Napi::CallbackInfo& info) {
    uint32_t size_class;
    if (argument(info.Env(), info[0], classes(), &size_class)) take_report(size_class);
    return info.Env().Undefined();
  }

  // wait(sizeClass): the number of a request that waits, or 0 when there is no memory.
  Napi::Value wait(const Napi::CallbackInfo& info) {
    uint32_t size_class;
    if (!argument(info.Env(), info[0], classes(), &size_class)) return {};
    return Napi::Number::New(info.Env(), static_cast<double>(pool_->wait(pool_.thread(), size_class)));
  }

  // cancel(number): false when it has been served.
  Napi::Value cancel(const Napi::CallbackInfo& info) {
    double number;
    const bool valid =
        pool_ && napi_get_value_double(info.Env(), info[0], &number) == napi_ok && number >= 1 && number < kMaxInteger;
    return Napi::Boolean::New(info.Env(), valid && pool_->cancel(static_cast<uint64_t>(number)));
  }

  // collect(): the number of a request that was served, its block and class in `exchange`; negative: there is no memory for
  // it. 0: none was served.
  Napi::Value collect(const Napi::CallbackInfo& info) {
    Grant grant{};
    if (!pool_ || !pool_->collect(pool_.thread(), grant)) return Napi::Number::New(info.Env(), 0);
    environment_->exchange[0] = grant.block;
    environment_->exchange[kMaxBatch] = grant.size_class;
    const auto number = static_cast<double>(grant.number);
    return Napi::Number::New(info.Env(), grant.block == kNoIndex ? -number : number);
  }

  // Requests that wait, of all threads.
  Napi::Value waiting(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), pool_ ? static_cast<double>(pool_->stats().waiting) : 0);
  }

  // takeSummons(): what this thread was asked to do, once.
  Napi::Value take_summons(const Napi::CallbackInfo& info) {
    if (!pool_) return Napi::Number::New(info.Env(), 0);
    // Relaxed: see Pool::summon().
    const Summons summons = pool_.thread().mailbox.summons.exchange(Summons::none, std::memory_order_relaxed);
    return Napi::Number::New(info.Env(), static_cast<double>(summons));
  }

  // summonOthers(what)
  Napi::Value summon_others(const Napi::CallbackInfo& info) {
    uint32_t what;
    if (!argument(info.Env(), info[0], static_cast<uint32_t>(Summons::pressure) + 1, &what)) return {};
    pool_->summon_all(static_cast<Summons>(what), &pool_.thread());
    return info.Env().Undefined();
  }

  Napi::Value count_refusal(const Napi::CallbackInfo& info) {
    if (pool_) pool_->count_refusal();
    return info.Env().Undefined();
  }

  // areCold(count): of the first `count` blocks of `exchange`, those without pages just now, put first; how many.
  Napi::Value are_cold(const Napi::CallbackInfo& info) {
    uint32_t count;
    if (!argument(info.Env(), info[0], kMaxBatch + 1, &count)) return {};
    uint32_t* const blocks = environment_->exchange;
    uint32_t* const end = std::remove_if(blocks, blocks + count, [&](uint32_t b) { return !pool_->is_cold(b); });
    return Napi::Number::New(info.Env(), static_cast<double>(end - blocks));
  }

  // Whether mail keeps the environment alive.
  Napi::Value ref(const Napi::CallbackInfo& info) {
    if (pool_) (void)napi_ref_threadsafe_function(info.Env(), bell_);
    return info.Env().Undefined();
  }
  Napi::Value unref(const Napi::CallbackInfo& info) {
    if (pool_) (void)napi_unref_threadsafe_function(info.Env(), bell_);
    return info.Env().Undefined();
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

  // trim(cause): bytes given back to the OS.
  Napi::Value trim(const Napi::CallbackInfo& info) {
    uint32_t cause;
    if (!argument(info.Env(), info[0], kCauses, &cause)) return {};
    return Napi::Number::New(info.Env(), static_cast<double>(pool_->trim(static_cast<Cause>(cause))));
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
      for (const uint64_t n : {s.carved, s.resident, s.out, s.transit, s.resting, s.retired, s.slabs, s.victim,
                               s.peak_resident, s.cached, s.acquires})
        *into++ = static_cast<double>(n);
      for (const uint64_t n : s.refills) *into++ = static_cast<double>(n);
      *into++ = static_cast<double>(pool_->size_class(c).stride);
    }
    return env.Undefined();
  }

  // totals(): a Float64Array in the order of PoolStats.
  Napi::Value totals(const Napi::CallbackInfo& info) {
    if (!pool_) return info.Env().Undefined();
    const PoolStats s = pool_->stats();
    auto into = Napi::Float64Array::New(info.Env(), 5 + kCauses);
    size_t i = 0;
    for (const uint64_t n : {s.waits, s.waiting, s.peak_waiting, s.peak_resident_bytes, s.refused})
      into[i++] = static_cast<double>(n);
    for (const uint64_t n : s.dropped_bytes) into[i++] = static_cast<double>(n);
    return into;
  }

  // threads(): a Float64Array for each thread, in the order of ThreadStats, and whether it is this one.
  Napi::Value threads(const Napi::CallbackInfo& info) {
    auto all = Napi::Array::New(info.Env());
    for (uint32_t a = 0; pool_ && a < pool_->attachment_count(); ++a) {
      ThreadStats s;
      if (!pool_->stats(a, s)) continue;
      auto into = Napi::Float64Array::New(info.Env(), 7 + kSteps);
      size_t i = 0;
      for (const uint64_t n : {uint64_t{s.index}, s.out, s.out_bytes, s.cached, s.cached_bytes, s.acquires})
        into[i++] = static_cast<double>(n);
      for (const uint64_t n : s.refills) into[i++] = static_cast<double>(n);
      into[i] = a == pool_.thread().index ? 1 : 0;
      all[all.Length()] = into;
    }
    return all;
  }

  // residentBytes: what the budget is charged now.
  Napi::Value resident_bytes(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), pool_ ? static_cast<double>(pool_->budget().used()) : 0);
  }

  // pressure(): of memory, as everybody in the process sees it.
  Napi::Value pressure(const Napi::CallbackInfo& info) { return to_object(info.Env(), memory::recent()); }

  // pressureOverride: the level that the pool acts on instead, or null.
  Napi::Value pressure_override(const Napi::CallbackInfo& info) {
    return to_value(info.Env(), pool_ ? pool_->pressure_override() : std::nullopt);
  }

  // overridePressure(level: PressureLevel | null): until this environment leaves the pool.
  Napi::Value override_pressure(const Napi::CallbackInfo& info) {
    const auto level = to_level(info[0]);
    overrides_ = level.has_value();
    if (pool_) pool_->override_pressure(level);
    return info.Env().Undefined();
  }

  void end_override() {
    if (overrides_ && pool_) pool_->override_pressure(std::nullopt);
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
        !(number >= 0 && number < kMaxInteger)) {
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
      leave(Departure::farewell);
    }
    return info.Env().Undefined();
  }

  static constexpr double kMaxInteger = 9007199254740992.0;  // 2^53: whole numbers below it are exact
  static constexpr uint32_t kStatsFields = 12 + kSteps;

  // A ticket is a whole number below 2^53: number of the pool 8 bits, block 24, generation 21. Pools whose numbers differ by a
  // multiple of 256 are told apart by the generation only.
  static constexpr uint32_t kTicketBlockBits = 24;
  static_assert(kMaxBlocks == 1u << kTicketBlockBits);
  static constexpr uint32_t kGenerationMask = (1u << kTicketGenerationBits) - 1;
  [[nodiscard]] uint64_t ticket_pool() const { return pool_->number() & 0xff; }

  Environment* const environment_;
  Membership pool_;
  napi_threadsafe_function bell_ = nullptr;
  bool overrides_ = false;
};

}  // namespace slabpool
