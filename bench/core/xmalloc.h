// xmalloc (C. Lever, D. Boreham, 2000): some threads only acquire, others only release; a ring between them hands over 32
// blocks at a time. Time on the clock.
#pragma once

#include <sched.h>

#include <atomic>
#include <barrier>
#include <bit>
#include <memory>
#include <thread>

#include "contender.h"
#include "core/sync/ring.h"
#include "process.h"
#include "workload.h"

namespace bench {

template <class Contender>
Outcome xmalloc(const Task& task) {
  constexpr uint32_t kUnits = Contender::Thread::Unit::kBatches ? 1 : kMaxBatch;
  struct Parcel {
    typename Contender::Message messages[kUnits];
  };
  using Ring = slabpool::Ring<Parcel>;
  using slabpool::RingResult;
  Contender contender;
  const uint64_t capacity = std::bit_ceil(uint64_t{task.live} * task.threads / kMaxBatch);
  const std::unique_ptr<typename Ring::Cell[]> cells(new typename Ring::Cell[capacity]);
  Ring ring;
  ring.init(cells.get(), capacity);

  const uint64_t parcels = task.blocks / kMaxBatch + 1;
  std::atomic<uint64_t> blocks{0};
  std::barrier together(static_cast<ptrdiff_t>(2 * task.threads + 1));

  const auto produce = [&](uint32_t number) {
    typename Contender::Thread thread(contender);
    typename Contender::Unit units[kUnits];
    uint64_t drawn = number * 7919;  // so that no two threads have the same sizes at the same time
    for (int round = 0; round < 2; ++round) {
      together.arrive_and_wait();
      uint64_t done = 0;
      for (uint64_t i = 0; i < parcels; ++i) {
        for (typename Contender::Unit& unit : units) {
          unit = thread.acquire(task.size(drawn++));
          done += unit.count();
          touch(thread, unit, static_cast<char>(i));
        }
        Parcel parcel;
        for (uint32_t u = 0; u < kUnits; ++u) parcel.messages[u] = thread.send(units[u]);
        while (ring.try_push(parcel) != RingResult::ok) sched_yield();
      }
      if (round != 0) blocks += done;
      together.arrive_and_wait();
    }
  };
  const auto consume = [&] {
    typename Contender::Thread thread(contender);
    typename Contender::Unit units[kUnits];
    volatile uint32_t sink = 0;
    for (int round = 0; round < 2; ++round) {
      together.arrive_and_wait();
      for (uint64_t i = 0; i < parcels; ++i) {
        Parcel parcel;
        while (ring.try_pop(parcel) != RingResult::ok) sched_yield();
        for (uint32_t u = 0; u < kUnits; ++u) units[u] = thread.receive(parcel.messages[u]);
        for (typename Contender::Unit& unit : units) {
          sink = sink + look(thread, unit);
          thread.release(unit);
        }
      }
      together.arrive_and_wait();
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < task.threads; ++i) {
    threads.emplace_back(produce, i);
    threads.emplace_back(consume);
  }
  double start = 0;
  double took = 0;
  // The first round only warms up.
  for (int round = 0; round < 2; ++round) {
    together.arrive_and_wait();
    start = nanoseconds(CLOCK_MONOTONIC);
    together.arrive_and_wait();
    took = nanoseconds(CLOCK_MONOTONIC) - start;
  }
  for (std::thread& thread : threads) thread.join();
  return {took, blocks};
}

}  // namespace bench
