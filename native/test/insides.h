// PoolInsides: what tests do to a pool behind its back.
#pragma once

#include "core/pool/pool.h"

namespace slabpool {

struct PoolInsides {
  static BlockStore& store(Pool& pool) { return pool.store_; }

  // Counters start high, as nobody can wait for 2^32 of anything.
  static void start_high(Pool& pool, uint64_t from) {
    pool.queue_.queue_.last_number_ = from;
    pool.queue_.waits_ = from;
    pool.queue_.refused_ = from;
    for (auto& bytes : pool.reclaimer_.dropped_bytes_) bytes = from;
    for (uint32_t c = 0; c < pool.class_count(); ++c) {
      // What was sent by nobody was recalled.
      pool.store_.totals(c).recalled = from;
      pool.members_.at(0)->classes[c].sent.add(from);
      pool.members_.at(0)->classes[c].taken.add(from);
    }
  }
};

}  // namespace slabpool
