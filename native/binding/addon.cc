// The N-API face of the core: one environment's exports.
#include <napi.h>

#include <algorithm>
#include <random>
#include <string>

#include "channel_binding.h"
#include "core/bytes.h"
#include "core/memory/pressure.h"
#include "core/os/os.h"
#include "environment.h"
#include "pool_binding.h"

namespace slabpool {

namespace {

// Fails only where the runtime allows no external buffers (Electron, sandboxed V8): then they stay undefined.
void add_exchanges(Napi::Env env, Napi::Object exports, Environment& environment) {
  napi_value memory;
  napi_value exchange;
  if (napi_create_external_arraybuffer(env, environment.exchange, sizeof environment.exchange, do_nothing, nullptr,
                                       &memory) == napi_ok &&
      napi_create_typedarray(env, napi_uint32_array, std::size(environment.exchange), memory, 0, &exchange) ==
          napi_ok) {
    exports.Set("exchange", exchange);
  }
  if (napi_create_external_arraybuffer(env, environment.tags, sizeof environment.tags, do_nothing, nullptr, &memory) ==
          napi_ok &&
      napi_create_typedarray(env, napi_float64_array, std::size(environment.tags), memory, 0, &exchange) == napi_ok) {
    exports.Set("tags", exchange);
  }
}

// Tells this copy of the addon from any other that the process may have loaded: they share nothing.
const std::string& copy_id() {
  static const std::string id = [] {
    std::random_device random;
    return std::to_string(random()) + "-" + std::to_string(random());
  }();
  return id;
}

// detach(buffer: ArrayBuffer): its views have a length of 0 from now on.
Napi::Value detach(const Napi::CallbackInfo& info) {
  (void)napi_detach_arraybuffer(info.Env(), info[0]);
  return info.Env().Undefined();
}

// findAll(bytes: Uint8Array, from, end, byte, into: Uint32Array): how many offsets of the byte between `from` and `end`
// are in `into` now: all, or as many as it has room for.
Napi::Value find_all_bytes(const Napi::CallbackInfo& info) {
  const napi_env env = info.Env();
  napi_typedarray_type types[2];
  size_t lengths[2];
  void* data[2];
  uint32_t from;
  uint32_t end;
  uint32_t byte;
  if (napi_get_typedarray_info(env, info[0], &types[0], &lengths[0], &data[0], nullptr, nullptr) != napi_ok ||
      napi_get_value_uint32(env, info[1], &from) != napi_ok || napi_get_value_uint32(env, info[2], &end) != napi_ok ||
      napi_get_value_uint32(env, info[3], &byte) != napi_ok ||
      napi_get_typedarray_info(env, info[4], &types[1], &lengths[1], &data[1], nullptr, nullptr) != napi_ok ||
      types[0] != napi_uint8_array || types[1] != napi_uint32_array || end > lengths[0] || byte > 255) {
    Napi::TypeError::New(info.Env(), "expected bytes, offsets in them, a byte's value, and a Uint32Array")
        .ThrowAsJavaScriptException();
    return {};
  }
  const size_t most = std::min<size_t>(lengths[1], INT32_MAX);
  return Napi::Number::New(env, find_all(static_cast<const uint8_t*>(data[0]), from, end, static_cast<uint8_t>(byte),
                                         static_cast<uint32_t*>(data[1]), static_cast<uint32_t>(most)));
}

// declareCleanExit(): this environment makes a clean exit: it comes to its end by itself, and is not killed.
Napi::Value declare_clean_exit(const Napi::CallbackInfo& info) {
  info.Env().GetInstanceData<Environment>()->departure = Departure::clean_exit;
  return info.Env().Undefined();
}

// setMemoryRoot(folder: string): for tests: the files that say how short memory is are read below this folder from now
// on, in the whole process; '' is the root.
Napi::Value set_memory_root(const Napi::CallbackInfo& info) {
  if (!info[0].IsString() || !memory::set_root(info[0].As<Napi::String>().Utf8Value().c_str())) {
    Napi::TypeError::New(info.Env(), "expected a path of at most 1023 bytes").ThrowAsJavaScriptException();
  }
  return info.Env().Undefined();
}

// setPageSize(bytes: number): for tests, before the first pool: pages count as larger than they are.
Napi::Value set_page_size(const Napi::CallbackInfo& info) {
  if (!info[0].IsNumber() || !os::set_page_size(info[0].As<Napi::Number>().Uint32Value())) {
    Napi::RangeError::New(info.Env(), "expected a power of two, from the system's page size to 65536")
        .ThrowAsJavaScriptException();
  }
  return info.Env().Undefined();
}

Napi::Value page_size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(os::page_size()));
}

Napi::Value can_populate(const Napi::CallbackInfo& info) { return Napi::Boolean::New(info.Env(), os::can_populate()); }

// setPopulating(on: boolean): for tests and benchmarks: whether cold blocks get their memory at once, in the whole
// process.
Napi::Value set_populating(const Napi::CallbackInfo& info) {
  os::set_populating(info[0].ToBoolean());
  return info.Env().Undefined();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  os::stay_loaded();
  auto* environment = new Environment;
  env.SetInstanceData(environment);
  exports.Set("Pool", PoolBinding::define(env));
  exports.Set("Channel", ChannelBinding::define(env));
  exports.Set("detach", Napi::Function::New<detach>(env));
  exports.Set("findAll", Napi::Function::New<find_all_bytes>(env));
  exports.Set("declareCleanExit", Napi::Function::New<declare_clean_exit>(env));
  exports.Set("setMemoryRoot", Napi::Function::New<set_memory_root>(env));
  exports.Set("pageSize", Napi::Function::New<page_size>(env));
  exports.Set("setPageSize", Napi::Function::New<set_page_size>(env));
  exports.Set("canPopulate", Napi::Function::New<can_populate>(env));
  exports.Set("setPopulating", Napi::Function::New<set_populating>(env));
  exports.Set("copyId", copy_id());
  exports.Set("sourceHash", SLABPOOL_SOURCE_HASH);
  add_exchanges(env, exports, *environment);
  return exports;
}

NODE_API_MODULE(slabpool, init)

}  // namespace

}  // namespace slabpool
