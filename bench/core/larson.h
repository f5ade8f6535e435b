// larson (P.-A. Larson, M. Krishnan, 1998): a thread replaces its blocks at random, then ends; its successor inherits them.
#pragma once

#include <random>
#include <thread>

#include "contender.h"
#include "pin.h"
#include "process.h"
#include "workload.h"

namespace bench {

inline constexpr uint32_t kGenerations = 4;

template <class Contender>
Outcome larson(const Task& task) {
  Contender contender;
  const uint32_t slots = std::max(task.live / task.batch, 1u);
  std::vector<uint64_t> blocks(task.threads);

  const auto chain = [&](uint32_t number) {
    std::vector<typename Contender::Message> inheritance;
    const auto generation = [&](uint32_t g) {
      pin(number);
      typename Contender::Thread thread(contender);
      std::vector<typename Contender::Unit> live;
      std::minstd_rand random(number * kGenerations + g + 1);
      uint64_t drawn = random();
      if (g == 0) {
        for (uint32_t i = 0; i < slots; ++i) live.push_back(thread.acquire(task.size(drawn++)));
      }
      for (const auto& message : inheritance) live.push_back(thread.receive(message));
      inheritance.clear();
      uint64_t done = 0;
      while (done < task.blocks / kGenerations) {
        typename Contender::Unit& unit = live[random() % slots];
        thread.release(unit);
        unit = thread.acquire(task.size(drawn++));
        touch(thread, unit, static_cast<char>(drawn));
        done += unit.count();
      }
      blocks[number] += done;
      for (typename Contender::Unit& unit : live) {
        if (g + 1 < kGenerations) {
          inheritance.push_back(thread.send(unit));
        } else {
          thread.release(unit);
        }
      }
    };
    for (uint32_t g = 0; g < kGenerations; ++g) std::thread(generation, g).join();
  };
  const auto all_chains = [&] {
    std::vector<std::thread> chains;
    for (uint32_t i = 0; i < task.threads; ++i) chains.emplace_back(chain, i);
    for (std::thread& each : chains) each.join();
  };
  all_chains();  // only warms up
  blocks.assign(blocks.size(), 0);
  const double start = nanoseconds(CLOCK_MONOTONIC);
  const double cpu_start = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
  all_chains();
  const double took = nanoseconds(CLOCK_MONOTONIC) - start;
  const double cpu_took = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  uint64_t sum = 0;
  for (const uint64_t of_chain : blocks) sum += of_chain;
  return {took, cpu_took, sum};
}

}  // namespace bench
