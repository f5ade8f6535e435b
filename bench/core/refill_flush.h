// What the core takes for a batch without JavaScript around it: nanoseconds, the median of many rounds.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "core/pool/pool.h"

namespace bench {

// `held` batches are out at once: 1 keeps 32 blocks warm, 64 walks through 2048 of them.
inline double nanoseconds_per_batch(size_t held) {
  using slabpool::kMaxBatch;
  const uint32_t capacity = 4096;
  const auto pool = slabpool::Pool::create(&capacity, 1, uint64_t{256} << 20, 0);
  slabpool::Member& member = *pool->attach();
  std::vector<uint32_t> blocks(held * kMaxBatch);
  std::vector<double> rounds;
  const int kBatches = 64'000;
  for (int round = 0; round < 31; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (size_t done = 0; done < kBatches; done += held) {
      for (size_t i = 0; i < held; ++i) {
        if (pool->refill(member, 0, &blocks[i * kMaxBatch]).count != kMaxBatch) return -1;
      }
      for (size_t i = 0; i < held; ++i) (void)pool->flush(member, 0, &blocks[i * kMaxBatch], kMaxBatch);
    }
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
    rounds.push_back(took.count() / kBatches);
  }
  std::nth_element(rounds.begin(), rounds.begin() + 15, rounds.end());
  return rounds[15];
}

inline void refill_flush() {
  const double warm = nanoseconds_per_batch(1);
  const double walking = nanoseconds_per_batch(64);
  std::printf("{\"ns, one batch out\": %.1f, \"ns, 64 batches out\": %.1f}\n", warm, walking);
}

}  // namespace bench
