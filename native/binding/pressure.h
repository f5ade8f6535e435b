// How memory's figures cross into JavaScript: as lib/pressure.ts describes them.
#pragma once

#include <napi.h>

#include <iterator>
#include <optional>
#include <string>

#include "core/memory/pressure.h"

namespace slabpool {

inline constexpr const char* kLevelNames[] = {"none", "high", "critical"};
inline constexpr const char* kSourceNames[] = {"none", "cgroup-v2", "cgroup-v1", "system"};

inline Napi::Object to_object(Napi::Env env, const Pressure& pressure) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("source", kSourceNames[static_cast<size_t>(pressure.source)]);
  object.Set("level", kLevelNames[static_cast<size_t>(pressure.level)]);
  object.Set("usedBytes", static_cast<double>(pressure.used_bytes));
  object.Set("limitBytes", static_cast<double>(pressure.limit_bytes));
  return object;
}

inline Napi::Value to_value(Napi::Env env, std::optional<PressureLevel> level) {
  if (!level) return env.Null();
  return Napi::String::New(env, kLevelNames[static_cast<size_t>(*level)]);
}

// Whatever is no level's name is none.
inline std::optional<PressureLevel> to_level(const Napi::Value& value) {
  if (!value.IsString()) return std::nullopt;
  const std::string name = value.As<Napi::String>();
  for (size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (name == kLevelNames[i]) return static_cast<PressureLevel>(i);
  }
  return std::nullopt;
}

}  // namespace slabpool
