// Environment: what the addon keeps for one main thread or worker.
//
// What        Batches and messages cross in `exchange` and `tags`, one of each per environment, so that a call carries
//             one integer each way.
// Callers     The environment's thread.
#pragma once

#include <napi.h>

#include <cstddef>
#include <iterator>
#include <vector>

#include "membership.h"

namespace slabpool {

// Where in `exchange` the classes of the blocks before are, the bytes of them that are used, which Step served a
// refill, and how many KiB were given back for it.
inline constexpr size_t kClasses = kMaxBatch;
inline constexpr size_t kSizes = 2 * kMaxBatch;
inline constexpr size_t kStep = 3 * kMaxBatch;
inline constexpr size_t kReclaimed = kStep + 1;

struct Environment {
  ~Environment();

  // How its memberships end with it. A thread that is killed says nothing: its tickets are then good for one more
  // epoch.
  Departure departure = Departure::abandoned;
  // Blocks first.
  uint32_t exchange[kReclaimed + 1] = {};
  // The tag of each message in `exchange`.
  double tags[kMaxBatch] = {};
  // Of pools that were garbage-collected without close(), and that other threads have: somebody may still have views of
  // the blocks that this one held, so that they are the others' only when the environment ends.
  std::vector<Membership> left_open;
};

// The finalizer where there is nothing to do, since not every runtime takes none.
void do_nothing(napi_env, void*, void*);

// A call of a hot method, by plain N-API: node-addon-api's CallbackInfo would take as long as the method.
struct HotCall {
  napi_env env;
  napi_value arguments[3];  // undefined where there was none

  // On every hot path, so it is here.
  [[nodiscard]] napi_value number(int32_t value) const {
    napi_value number = nullptr;
    napi_create_int32(env, value, &number);
    return number;
  }
};

// Gives the object that `self` wraps a method as a function of its own. A method of the class would begin with
// napi_unwrap, whose look-up of a private property takes longer than all that the hot methods do.
template <class T, napi_value (T::*method)(const HotCall&)>
void bind_method(const Napi::CallbackInfo& info, const char* name, T* self) {
  const napi_callback call = [](napi_env env, napi_callback_info raw) -> napi_value {
    HotCall hot{env, {}};
    size_t count = std::size(hot.arguments);
    void* data;
    napi_get_cb_info(env, raw, &count, hot.arguments, nullptr, &data);
    return (static_cast<T*>(data)->*method)(hot);
  };
  napi_value function;
  if (napi_create_function(info.Env(), name, NAPI_AUTO_LENGTH, call, self, &function) != napi_ok) return;
  // The function keeps the object alive, whoever holds it. Neither property can be changed.
  const napi_property_descriptor keep{"self", nullptr, nullptr, nullptr, nullptr, info.This(), napi_default, nullptr};
  const napi_property_descriptor have{name, nullptr, nullptr, nullptr, nullptr, function, napi_default, nullptr};
  if (napi_define_properties(info.Env(), function, 1, &keep) == napi_ok) {
    napi_define_properties(info.Env(), info.This(), 1, &have);
  }
}

}  // namespace slabpool
