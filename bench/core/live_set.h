// A live set (Netty's AllocPattern): release one in shuffled order, acquire another. CPU time.
#pragma once

#include <algorithm>
#include <numeric>
#include <random>

#include "contender.h"
#include "process.h"
#include "workload.h"

namespace bench {

template <class Contender>
Outcome live_set(const Task& task) {
  Contender contender;
  typename Contender::Thread thread(contender);
  std::vector<uint32_t> order(std::max(task.live / task.batch, 1u));
  std::iota(order.begin(), order.end(), 0);
  std::shuffle(order.begin(), order.end(), std::mt19937(42));

  std::vector<typename Contender::Unit> live;
  uint64_t drawn = 0;
  const auto acquire = [&] {
    const typename Contender::Unit unit = thread.acquire(task.size(drawn++));
    touch(thread, unit, static_cast<char>(drawn));
    return unit;
  };
  for (size_t i = 0; i < order.size(); ++i) live.push_back(acquire());

  size_t turn = 0;
  const auto replace = [&](uint64_t blocks) {
    uint64_t done = 0;
    while (done < blocks) {
      typename Contender::Unit& unit = live[order[turn]];
      turn = turn + 1 == order.size() ? 0 : turn + 1;
      thread.release(unit);
      unit = acquire();
      done += unit.count();
    }
    return done;
  };
  // Until the memory of all sizes is there.
  (void)replace(task.blocks);
  const double start = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
  const uint64_t blocks = replace(task.blocks);
  const double took = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - start;
  for (typename Contender::Unit& unit : live) thread.release(unit);
  return {took, took, blocks};
}

}  // namespace bench
