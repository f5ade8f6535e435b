// The contender slabpool: its core, in blocks that go through a thread's magazines, or in batches that do not.
#pragma once

#include "contender.h"
#include "core/pool/pool.h"
#include "fail.h"
#include "magazines.h"

namespace bench {

// A pool with the options that BufferPool has by default.
class Slabpool {
 public:
  static constexpr uint32_t kEpochMs = 5000;

  Slabpool() {
    uint32_t capacities[kTiers];
    for (uint32_t c = 0; c < kTiers; ++c) capacities[c] = tier(c);
    pool_ = slabpool::Pool::create(capacities, kTiers, kBudget, kEpochMs);
    pool_->enroll();
  }
  [[nodiscard]] slabpool::Pool& pool() { return *pool_; }

 private:
  std::unique_ptr<slabpool::Pool> pool_;
};

// The block leaves the member, as by Channel::try_send(): its generation.
inline uint32_t sent(slabpool::Pool& pool, slabpool::Member& member, uint32_t size, uint32_t block) {
  uint32_t generation;
  if (pool.transfer(member, tier_of(size), block, slabpool::Carrier::channel, generation, size) != slabpool::Status::ok)
    fail("what was sent was not held");
  return generation;
}

// And comes to another one, as by Channel::try_receive().
inline void adopt(slabpool::Pool& pool, slabpool::Member& member, uint32_t block, uint32_t generation) {
  if (pool.adopt(member, block, generation) != slabpool::Status::ok) fail("what was received is stale");
}

struct SlabpoolSingles : Slabpool {
  struct Unit {
    char* bytes;
    uint32_t block;
    uint32_t size;
    static constexpr bool kBatches = false;
    [[nodiscard]] static uint32_t count() { return 1; }
  };
  struct Message {
    uint32_t block;
    uint32_t generation;
  };

  class Thread {
   public:
    using Unit = SlabpoolSingles::Unit;
    explicit Thread(SlabpoolSingles& all) : pool_(all.pool()), magazines_(pool_) {}
    Unit acquire(uint32_t size) {
      const FreeBlock free = magazines_.pop(tier_of(size));
      return {free.bytes, free.block, size};
    }
    void release(const Unit& unit) { magazines_.push(tier_of(unit.size), {unit.bytes, unit.block}); }
    [[nodiscard]] char* at(const Unit& unit, uint32_t) const { return unit.bytes; }
    Message send(const Unit& unit) { return {unit.block, sent(pool_, magazines_.member(), unit.size, unit.block)}; }
    Unit receive(const Message& message) {
      adopt(pool_, magazines_.member(), message.block, message.generation);
      return {pool_.address(message.block), message.block, pool_.size_of(message.block)};
    }

   private:
    slabpool::Pool& pool_;
    Magazines magazines_;
  };
};

struct SlabpoolBatches : Slabpool {
  struct Unit {
    uint32_t size;
    uint32_t length;
    uint32_t blocks[kMaxBatch];
    static constexpr bool kBatches = true;
    [[nodiscard]] uint32_t count() const { return length; }
  };
  struct Message : Unit {
    uint32_t generations[kMaxBatch];
  };

  class Thread {
   public:
    using Unit = SlabpoolBatches::Unit;
    explicit Thread(SlabpoolBatches& all) : pool_(all.pool()), member_(*pool_.attach()) {}
    ~Thread() { pool_.detach(member_, slabpool::Departure::clean_exit); }
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;

    Unit acquire(uint32_t size) {
      Unit unit;
      unit.size = size;
      unit.length = pool_.refill(member_, tier_of(size), unit.blocks).count;
      if (unit.length == 0) fail("the pool is exhausted");
      return unit;
    }
    void release(Unit& unit) {
      if (pool_.flush(member_, tier_of(unit.size), unit.blocks, unit.length) != slabpool::Status::ok)
        fail("the core knows nothing of these blocks");
    }
    [[nodiscard]] char* at(const Unit& unit, uint32_t i) const { return pool_.address(unit.blocks[i]); }
    Message send(const Unit& unit) {
      Message message{unit, {}};
      for (uint32_t i = 0; i < unit.length; ++i) {
        message.generations[i] = sent(pool_, member_, unit.size, unit.blocks[i]);
      }
      return message;
    }
    Unit receive(const Message& message) {
      for (uint32_t i = 0; i < message.length; ++i) adopt(pool_, member_, message.blocks[i], message.generations[i]);
      return message;
    }

   private:
    slabpool::Pool& pool_;
    slabpool::Member& member_;
  };
};

}  // namespace bench
