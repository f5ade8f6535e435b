// xmalloc (C. Lever, D. Boreham, 2000): some threads only acquire, others only release; a ring between them hands over 32
// blocks at a time. Time on the clock; and CPU time of all threads, without their waiting for each other.
#pragma once

#include <sched.h>

#include <atomic>
#include <barrier>
#include <bit>
#include <memory>
#include <thread>

#include "contender.h"
#include "core/sync/ring.h"
#include "pin.h"
#include "process.h"
#include "workload.h"

namespace bench {

// CPU time of the calling thread, but for what it waited.
class Work {
 public:
  // Until `attempt` succeeds.
  template <class Attempt>
  void await(const Attempt& attempt) {
    if (attempt()) return;
    const double from = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    do sched_yield();
    while (!attempt());
    start_ += nanoseconds(CLOCK_THREAD_CPUTIME_ID) - from;
  }
  [[nodiscard]] double ns() const { return nanoseconds(CLOCK_THREAD_CPUTIME_ID) - start_; }

 private:
  double start_ = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
};

template <class Contender>
Outcome xmalloc(const Task& task) {
  using Thread = typename Contender::Thread;
  using Unit = typename Thread::Unit;
  using slabpool::RingResult;
  constexpr uint32_t kUnits = Unit::kBatches ? 1 : kMaxBatch;
  struct Parcel {
    typename Contender::Message messages[kUnits];
  };
  using Ring = slabpool::Ring<Parcel>;

  Contender contender;
  const uint64_t capacity = std::bit_ceil(uint64_t{task.live} * task.threads / kMaxBatch);
  const std::unique_ptr<typename Ring::Cell[]> cells(new typename Ring::Cell[capacity]);
  Ring ring;
  ring.init(cells.get(), capacity);

  const uint64_t parcels = task.blocks / kMaxBatch + 1;
  std::atomic<uint64_t> blocks;
  std::atomic<double> cpu_ns;
  std::barrier together(static_cast<ptrdiff_t>(2 * task.threads + 1));

  // The first round only warms up.
  const auto rounds = [&](uint32_t cpu, const auto& round) {
    pin(cpu);
    Thread thread(contender);
    for (int i = 0; i < 2; ++i) {
      together.arrive_and_wait();
      Work work;
      round(thread, work);
      cpu_ns += work.ns();
      together.arrive_and_wait();
    }
  };
  const auto produce = [&](uint32_t number) {
    uint64_t drawn = number * 7919;  // so that no two threads have the same sizes at the same time
    rounds(2 * number, [&](Thread& thread, Work& work) {
      Unit units[kUnits];
      uint64_t done = 0;
      for (uint64_t i = 0; i < parcels; ++i) {
        for (Unit& unit : units) {
          unit = thread.acquire(task.size(drawn++));
          done += unit.count();
          touch(thread, unit, static_cast<char>(i));
        }
        Parcel parcel;
        for (uint32_t u = 0; u < kUnits; ++u) parcel.messages[u] = thread.send(units[u]);
        work.await([&] { return ring.try_push(parcel) == RingResult::ok; });
      }
      blocks += done;
    });
  };
  const auto consume = [&](uint32_t number) {
    volatile uint32_t sink = 0;
    rounds(2 * number + 1, [&](Thread& thread, Work& work) {
      Unit units[kUnits];
      for (uint64_t i = 0; i < parcels; ++i) {
        Parcel parcel;
        work.await([&] { return ring.try_pop(parcel) == RingResult::ok; });
        for (uint32_t u = 0; u < kUnits; ++u) units[u] = thread.receive(parcel.messages[u]);
        for (Unit& unit : units) {
          sink = sink + look(thread, unit);
          thread.release(unit);
        }
      }
    });
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < task.threads; ++i) {
    threads.emplace_back(produce, i);
    threads.emplace_back(consume, i);
  }
  double took = 0;
  for (int i = 0; i < 2; ++i) {
    blocks = 0;
    cpu_ns = 0;
    const double start = nanoseconds(CLOCK_MONOTONIC);
    together.arrive_and_wait();
    together.arrive_and_wait();
    took = nanoseconds(CLOCK_MONOTONIC) - start;
  }
  for (std::thread& thread : threads) thread.join();
  return {took, cpu_ns, blocks};
}

}  // namespace bench
