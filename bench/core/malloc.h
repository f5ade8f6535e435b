// The contender malloc: the one of the C library, or of what the process was started with (LD_PRELOAD).
#pragma once

#include <algorithm>
#include <cstdlib>

#include "contender.h"

namespace bench {

struct MallocSingles {
  struct Unit {
    char* bytes;
    uint32_t size;
    static constexpr bool kBatches = false;
    [[nodiscard]] static uint32_t count() { return 1; }
  };
  struct Message {
    char* bytes;
  };

  class Thread {
   public:
    using Unit = MallocSingles::Unit;
    explicit Thread(MallocSingles&) {}
    Unit acquire(uint32_t size) { return {static_cast<char*>(std::malloc(size)), size}; }
    void release(const Unit& unit) { std::free(unit.bytes); }
    [[nodiscard]] char* at(const Unit& unit, uint32_t) const { return unit.bytes; }
    Message send(const Unit& unit) { return {unit.bytes}; }
    Unit receive(const Message& message) { return {message.bytes, 0}; }
  };
};

struct MallocBatches {
  struct Unit {
    uint32_t size;
    uint32_t length;
    char* bytes[kMaxBatch];
    static constexpr bool kBatches = true;
    [[nodiscard]] uint32_t count() const { return length; }
  };
  using Message = Unit;

  MallocBatches() {
    for (uint32_t c = 0; c < kTiers; ++c) lengths[c] = slabpool::SizeClass::of(tier(c), kBudget, 4096).batch;
  }
  uint32_t lengths[kTiers];  // as long as slabpool's

  class Thread {
   public:
    using Unit = MallocBatches::Unit;
    explicit Thread(MallocBatches& all) : all_(all) {}
    Unit acquire(uint32_t size) {
      Unit unit;
      unit.size = size;
      unit.length = all_.lengths[tier_of(size)];
      for (uint32_t i = 0; i < unit.length; ++i) unit.bytes[i] = static_cast<char*>(std::malloc(size));
      return unit;
    }
    void release(const Unit& unit) {
      for (uint32_t i = 0; i < unit.length; ++i) std::free(unit.bytes[i]);
    }
    [[nodiscard]] char* at(const Unit& unit, uint32_t i) const { return unit.bytes[i]; }
    Message send(const Unit& unit) { return unit; }
    Unit receive(const Message& message) { return message; }

   private:
    MallocBatches& all_;
  };
};

}  // namespace bench
