// The N-API face of the core: checks arguments, keeps one environment's state, has no logic.
//
// Batches cross in `exchange`, one Uint32Array per environment, so that a call carries one integer each way.
#include <napi.h>

#include <memory>
#include <utility>
#include <vector>

#include "core/pool.h"

namespace slabpool {

namespace {

// One environment's (main thread's or worker's) state.
struct Environment {
  uint32_t exchange[kMaxBatch] = {};
  // Pools that were garbage-collected without close(): views of their blocks may still be about, so that only what the
  // core holds went back to the OS. The rest goes with the environment.
  std::vector<std::unique_ptr<Pool>> abandoned;
};

void do_nothing(napi_env, void*, void*) {}

class PoolBinding : public Napi::ObjectWrap<PoolBinding> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Pool",
                       {InstanceMethod<&PoolBinding::refill>("refill"), InstanceMethod<&PoolBinding::flush>("flush"),
                        InstanceMethod<&PoolBinding::map>("map"), InstanceMethod<&PoolBinding::batch>("batch"),
                        InstanceMethod<&PoolBinding::holds>("holds"), InstanceMethod<&PoolBinding::retire>("retire"),
                        InstanceMethod<&PoolBinding::age>("age"), InstanceMethod<&PoolBinding::stats>("stats"),
                        InstanceMethod<&PoolBinding::check_invariants>("checkInvariants"),
                        InstanceMethod<&PoolBinding::close>("close")});
  }

  // new Pool(capacities: Uint32Array, maxBytes: number)
  explicit PoolBinding(const Napi::CallbackInfo& info)
      : Napi::ObjectWrap<PoolBinding>(info), environment_(info.Env().GetInstanceData<Environment>()) {
    const Napi::Env env = info.Env();
    if (info.Length() != 2 || !info[0].IsTypedArray() || !info[1].IsNumber() ||
        info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint32_array) {
      Napi::TypeError::New(env, "expected (capacities: Uint32Array, maxBytes: number)").ThrowAsJavaScriptException();
      return;
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
      return;
    }
    pool_ = Pool::create(capacities.Data(), static_cast<uint32_t>(capacities.ElementLength()),
                         static_cast<uint64_t>(max_bytes));
    heap_ = pool_ ? pool_->attach() : nullptr;
    if (heap_ == nullptr) {
      Napi::Error::New(env, "the OS refuses the address space for the pool").ThrowAsJavaScriptException();
      pool_.reset();
      return;
    }
    napi_add_env_cleanup_hook(env, &on_environment_exit, this);
  }

  ~PoolBinding() override {
    if (!pool_) return;
    napi_remove_env_cleanup_hook(Env(), &on_environment_exit, this);
    pool_->age();
    pool_->age();
    environment_->abandoned.push_back(std::move(pool_));
  }

 private:
  // 2^46 bytes: half of what a process can address; sums of a few budgets stay exact in a double.
  static constexpr double kMaxBudget = 70368744177664.0;

  static void on_environment_exit(void* self) { static_cast<PoolBinding*>(self)->pool_.reset(); }

  [[nodiscard]] uint32_t classes() const { return pool_ ? pool_->class_count() : 0; }

  // Argument `at` as an integer below `bound`, or a pending TypeError.
  bool argument(const Napi::CallbackInfo& info, size_t at, uint32_t bound, uint32_t* value) {
    if (pool_ && napi_get_value_uint32(info.Env(), info[at], value) == napi_ok && *value < bound) return true;
    Napi::TypeError::New(info.Env(), pool_ ? "argument out of range" : "the pool is closed")
        .ThrowAsJavaScriptException();
    return false;
  }

  static Napi::Value status(Napi::Env env, Status status) { return Napi::Number::New(env, -static_cast<int>(status)); }

  // refill(sizeClass): how many blocks are in `exchange`, or a negative status.
  Napi::Value refill(const Napi::CallbackInfo& info) {
    uint32_t size_class;
    if (!argument(info, 0, classes(), &size_class)) return info.Env().Undefined();
    const RefillResult result = pool_->refill(*heap_, size_class, environment_->exchange);
    if (result.status != Status::ok) return status(info.Env(), result.status);
    return Napi::Number::New(info.Env(), result.count);
  }

  // flush(sizeClass, count): gives back the first `count` blocks of `exchange`.
  Napi::Value flush(const Napi::CallbackInfo& info) {
    uint32_t size_class;
    uint32_t count;
    if (!argument(info, 0, classes(), &size_class)) return info.Env().Undefined();
    if (!argument(info, 1, kMaxBatch + 1, &count)) return info.Env().Undefined();
    return status(info.Env(), pool_->flush(*heap_, size_class, environment_->exchange, count));
  }

  // batch(sizeClass): blocks in a full batch.
  Napi::Value batch(const Napi::CallbackInfo& info) {
    uint32_t size_class;
    if (!argument(info, 0, classes(), &size_class)) return info.Env().Undefined();
    return Napi::Number::New(info.Env(), pool_->size_class(size_class).batch);
  }

  // holds(sizeClass, block): whether this thread holds the block.
  Napi::Value holds(const Napi::CallbackInfo& info) {
    uint32_t size_class;
    uint32_t block;
    if (!argument(info, 0, classes(), &size_class)) return info.Env().Undefined();
    if (!argument(info, 1, kNoIndex, &block)) return info.Env().Undefined();
    return Napi::Boolean::New(info.Env(), pool_->holds(*heap_, size_class, block));
  }

  // map(sizeClass, block): a Buffer over the block's `capacity` bytes.
  Napi::Value map(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    uint32_t size_class;
    uint32_t block;
    if (!argument(info, 0, classes(), &size_class)) return env.Undefined();
    if (!argument(info, 1, kNoIndex, &block)) return env.Undefined();
    if (!pool_->holds(*heap_, size_class, block)) return status(env, Status::not_held);
    // The finalizer has nothing to do: block memory is never freed. It is given because not every runtime takes none.
    napi_value buffer;
    if (napi_create_external_buffer(env, pool_->size_class(size_class).capacity, pool_->address(block), do_nothing,
                                    nullptr, &buffer) != napi_ok) {
      return env.Undefined();
    }
    return {env, buffer};
  }

  // retire(sizeClass, block)
  Napi::Value retire(const Napi::CallbackInfo& info) {
    uint32_t size_class;
    uint32_t block;
    if (!argument(info, 0, classes(), &size_class)) return info.Env().Undefined();
    if (!argument(info, 1, kNoIndex, &block)) return info.Env().Undefined();
    return status(info.Env(), pool_->retire(*heap_, size_class, block));
  }

  // age(): bytes given back to the OS.
  Napi::Value age(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), pool_ ? static_cast<double>(pool_->age()) : 0);
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
      for (const uint64_t n : {s.carved, s.resident, s.out, s.retired, s.slabs}) *into++ = static_cast<double>(n);
      for (const uint64_t n : s.refills) *into++ = static_cast<double>(n);
      *into++ = static_cast<double>(pool_->size_class(c).stride);
    }
    return env.Undefined();
  }

  // checkInvariants(): null, or what is wrong. For tests.
  Napi::Value check_invariants(const Napi::CallbackInfo& info) {
    const char* wrong = pool_ ? pool_->check_invariants() : nullptr;
    return wrong == nullptr ? info.Env().Null() : Napi::String::New(info.Env(), wrong);
  }

  // close(): pages go back to the OS; the pool's other methods throw from now on.
  Napi::Value close(const Napi::CallbackInfo& info) {
    if (pool_) {
      napi_remove_env_cleanup_hook(info.Env(), &on_environment_exit, this);
      pool_.reset();
    }
    return info.Env().Undefined();
  }

  static constexpr uint32_t kStatsFields = 6 + kSteps;

  Environment* const environment_;
  std::unique_ptr<Pool> pool_;
  Heap* heap_ = nullptr;
};

// Fails only where the runtime allows no external buffers (Electron, sandboxed V8): then `exchange` stays undefined.
void add_exchange(Napi::Env env, Napi::Object exports, Environment& environment) {
  napi_value memory;
  napi_value exchange;
  if (napi_create_external_arraybuffer(env, environment.exchange, sizeof environment.exchange, do_nothing, nullptr,
                                       &memory) == napi_ok &&
      napi_create_typedarray(env, napi_uint32_array, kMaxBatch, memory, 0, &exchange) == napi_ok) {
    exports.Set("exchange", exchange);
  }
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* environment = new Environment;
  env.SetInstanceData(environment);
  exports.Set("Pool", PoolBinding::define(env));
  exports.Set("sourceHash", SLABPOOL_SOURCE_HASH);
  add_exchange(env, exports, *environment);
  return exports;
}

NODE_API_MODULE(slabpool, init)

}  // namespace

}  // namespace slabpool
