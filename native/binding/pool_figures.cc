// PoolBinding: figures, and how short memory is.
#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <span>

#include "core/memory/pressure.h"
#include "pool_binding.h"

namespace slabpool {

namespace {

// A Float64Array; an empty value in a worker that is being terminated, where nothing can be made.
Napi::Value row(Napi::Env env, std::span<const double> numbers) {
  auto into = Napi::Float64Array::New(env, numbers.size());
  if (into.IsEmpty()) return into;
  std::copy(numbers.begin(), numbers.end(), into.Data());
  return into;
}

void add(Napi::Array all, Napi::Value row) {
  if (!all.IsEmpty() && !row.IsEmpty()) all[all.Length()] = row;
}

}  // namespace

Napi::Value PoolBinding::publish_counters(const Napi::CallbackInfo& info) {
  uint32_t size_class;
  if (argument(info.Env(), info[0], classes(), &size_class)) {
    const uint32_t* report = environment_->exchange;
    pool_.member().classes[size_class].publish(uint64_t{report[1]} << 32 | report[0], report[2]);
  }
  return info.Env().Undefined();
}

Napi::Value PoolBinding::stats(const Napi::CallbackInfo& info) {
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
    for (const uint64_t n : {s.carved, s.resident, s.held, s.in_flight, s.quarantined, s.retired, s.slabs, s.idle,
                             s.peak_resident_bytes, s.cached, s.acquires})
      *into++ = static_cast<double>(n);
    for (const uint64_t n : s.refills) *into++ = static_cast<double>(n);
    for (const uint64_t n : {uint64_t{pool_->size_class(c).stride}, s.resident_bytes, s.pinned_bytes})
      *into++ = static_cast<double>(n);
  }
  return env.Undefined();
}

Napi::Value PoolBinding::totals(const Napi::CallbackInfo& info) {
  if (!pool_) return info.Env().Undefined();
  const PoolStats s = pool_->stats();
  std::array<double, 6 + kCauses> into;
  size_t i = 0;
  for (const uint64_t n : {s.waits, s.waiting, s.peak_waiting, s.peak_resident_bytes, s.refused})
    into[i++] = static_cast<double>(n);
  for (const uint64_t n : s.dropped_bytes) into[i++] = static_cast<double>(n);
  into[i] = static_cast<double>(s.drop_calls);
  return row(info.Env(), into);
}

Napi::Value PoolBinding::threads(const Napi::CallbackInfo& info) {
  auto all = Napi::Array::New(info.Env());
  for (uint32_t a = 0; pool_ && a < pool_->member_count(); ++a) {
    ThreadStats s;
    if (!pool_->stats(a, s)) continue;
    std::array<double, 7 + kSteps> into;
    size_t i = 0;
    for (const uint64_t n : {uint64_t{s.index}, s.held, s.held_bytes, s.cached, s.cached_bytes, s.acquires})
      into[i++] = static_cast<double>(n);
    for (const uint64_t n : s.refills) into[i++] = static_cast<double>(n);
    into[i] = a == pool_.member().index ? 1 : 0;
    add(all, row(info.Env(), into));
  }
  return all;
}

Napi::Value PoolBinding::in_flight(const Napi::CallbackInfo& info) {
  struct Sent {
    uint32_t count, oldest_ms;
  };
  // By the sender's index; those that travel by channels come last.
  const std::unique_ptr<Sent[]> senders(new (std::nothrow) Sent[kMaxMembers + 1]{});
  auto all = Napi::Array::New(info.Env());
  if (!pool_ || !senders) return all;
  pool_->each_in_flight([&](uint16_t sender, uint32_t age_ms) {
    Sent& sent = senders[std::min<uint32_t>(sender, kMaxMembers)];
    sent.count++;
    sent.oldest_ms = std::max(sent.oldest_ms, age_ms);
  });
  for (uint32_t a = 0; a <= kMaxMembers; ++a) {
    if (senders[a].count == 0) continue;
    const double here = a == pool_.member().index ? 1 : 0;
    const double sender = a == kMaxMembers ? -1 : a;
    add(all, row(info.Env(), std::array<double, 4>{sender, static_cast<double>(senders[a].count),
                                                   static_cast<double>(senders[a].oldest_ms), here}));
  }
  return all;
}

Napi::Value PoolBinding::resident_bytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), pool_ ? static_cast<double>(pool_->budget().used()) : 0);
}

Napi::Value PoolBinding::count_refusal(const Napi::CallbackInfo& info) {
  if (pool_) pool_->count_refusal();
  return info.Env().Undefined();
}

Napi::Value PoolBinding::check_invariants(const Napi::CallbackInfo& info) {
  const char* wrong = pool_ ? pool_->check_invariants() : nullptr;
  return wrong == nullptr ? info.Env().Null() : Napi::String::New(info.Env(), wrong);
}

Napi::Value PoolBinding::pressure(const Napi::CallbackInfo& info) {
  static constexpr const char* kLevels[] = {"none", "high", "critical"};
  static constexpr const char* kSources[] = {"none", "cgroup-v2", "cgroup-v1", "system"};
  const Pressure pressure = memory::recent();
  const auto object = Napi::Object::New(info.Env());
  if (object.IsEmpty()) return object;
  object.Set("source", kSources[static_cast<size_t>(pressure.source)]);
  object.Set("level", kLevels[static_cast<size_t>(pressure.level)]);
  object.Set("usedBytes", static_cast<double>(pressure.used_bytes));
  object.Set("limitBytes", static_cast<double>(pressure.limit_bytes));
  return object;
}

}  // namespace slabpool
