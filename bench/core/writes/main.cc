// Which lines of memory threads write to, how often, and how often they take them from each other: counted, so that it is the same on any
// machine. As JSON: writes WORKLOAD SIZES THREADS BLOCKS, with live-set (each thread on its own) or xmalloc (that many pairs); or writes
// moves: nanoseconds that it takes to move a line to another core and back. Built with the core's own sync.h it counts nothing, and its
// times are those of the core.
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "../live_set.h"
#include "../sizes.h"
#include "../slabpool.h"
#include "../xmalloc.h"

namespace {

using namespace bench;

struct Place {
  std::atomic<const char*> file{nullptr};
  std::atomic<uint32_t> line{0};
  char kind = 0;
  std::atomic<uint64_t> writes{0};
  std::atomic<uint64_t> moved{0};
};

// Orders are the strongest throughout: this counts, and where it takes times nothing of it is asked.
constexpr uint32_t kPlaces = 1 << 12;
constexpr uint32_t kLines = 1 << 22;
Place places[kPlaces];
// Who wrote to a line last, by the hash of its address.
std::atomic<uint16_t> owners[kLines];
std::atomic<uint16_t> threads{0};
std::atomic<bool> counting{false};

uint16_t self() {
  static thread_local const uint16_t number = ++threads;
  return number;
}

Place& place_of(char kind, const std::source_location& where) {
  const auto file = where.file_name();
  uint64_t at = (reinterpret_cast<uintptr_t>(file) + where.line()) * 0x9E3779B97F4A7C15u >> 52;
  for (;; at = (at + 1) % kPlaces) {
    Place& place = places[at];
    const char* none = nullptr;
    if (place.file.compare_exchange_strong(none, file)) {
      place.kind = kind;
      place.line = where.line();
      return place;
    }
    while (place.line == 0) {
    }
    if (place.file == file && place.line == where.line()) return place;
  }
}

}  // namespace

namespace slabpool {

void count_write(const void* address, char kind, const std::source_location& where) {
  const uint64_t line = reinterpret_cast<uintptr_t>(address) / 64 * 0x9E3779B97F4A7C15u >> 42;
  const uint16_t before = owners[line].exchange(self());
  if (!counting) return;
  Place& place = place_of(kind, where);
  place.writes++;
  if (before != self()) place.moved++;
}

}  // namespace slabpool

namespace {

// As live_set.h, in several threads at once.
Outcome live_sets(const Task& task) {
  SlabpoolSingles contender;
  std::barrier together(static_cast<ptrdiff_t>(task.threads));
  double started = 0;
  double took = 0;
  std::atomic<double> cpu_ns{0};
  const auto one = [&](uint32_t number) {
    pin(number);
    SlabpoolSingles::Thread thread(contender);
    uint64_t drawn = number * 7919;
    std::vector<SlabpoolSingles::Unit> live(task.live);
    for (SlabpoolSingles::Unit& unit : live) unit = thread.acquire(task.size(drawn++));
    std::mt19937 next(number);
    const auto replace = [&] {
      for (uint64_t i = 0; i < task.blocks; ++i) {
        SlabpoolSingles::Unit& unit = live[next() % live.size()];
        thread.release(unit);
        unit = thread.acquire(task.size(drawn++));
      }
    };
    replace();
    together.arrive_and_wait();
    if (number == 0) {
      counting = true;
      started = nanoseconds(CLOCK_MONOTONIC);
    }
    together.arrive_and_wait();
    const double from = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    replace();
    cpu_ns += nanoseconds(CLOCK_THREAD_CPUTIME_ID) - from;
    together.arrive_and_wait();
    if (number == 0) {
      took = nanoseconds(CLOCK_MONOTONIC) - started;
      counting = false;
    }
    together.arrive_and_wait();
    for (SlabpoolSingles::Unit& unit : live) thread.release(unit);
  };
  std::vector<std::thread> all;
  for (uint32_t i = 0; i < task.threads; ++i) all.emplace_back(one, i);
  for (std::thread& thread : all) thread.join();
  return {took, cpu_ns, task.blocks * task.threads};
}

// Two threads write to one line by turns.
double move_ns() {
  constexpr uint64_t kTurns = 20'000;
  std::atomic<uint64_t> turn{0};
  const auto play = [&](uint64_t number) {
    pin(static_cast<uint32_t>(number));
    for (uint64_t next = number; next < kTurns; next += 2) {
      while (turn.load(std::memory_order_relaxed) != next) {
      }
      turn.store(next + 1, std::memory_order_relaxed);
    }
  };
  const double start = nanoseconds(CLOCK_MONOTONIC);
  std::thread other(play, 1);
  play(0);
  other.join();
  return (nanoseconds(CLOCK_MONOTONIC) - start) / kTurns;
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::strcmp(words[1], "moves") == 0) {
    std::printf("%.1f\n", move_ns());
    return 0;
  }
  if (count != 5) fail("expected moves, or WORKLOAD SIZES THREADS BLOCKS");
  const bool alone = std::strcmp(words[1], "live-set") == 0;
  const Task task{sizes_from(words[2]), alone ? 1024u : 256u, static_cast<uint32_t>(std::atoi(words[3])),
                  static_cast<uint64_t>(std::atoll(words[4])), 1};
  Outcome outcome;
  if (alone) {
    outcome = live_sets(task);
  } else {
    counting = true;
    outcome = xmalloc<SlabpoolSingles>(task);
    counting = false;
    outcome.blocks *= 2;  // its warming up was counted as well
    outcome.ns *= 2;
    outcome.cpu_ns *= 2;
  }
  const auto number = [](auto value) { return static_cast<unsigned long long>(value); };
  std::printf("{\"blocks\": %llu, \"ns\": %.0f, \"cpuNs\": %.0f, \"places\": [", number(outcome.blocks), outcome.ns,
              outcome.cpu_ns);
  const char* comma = "";
  for (const Place& place : places) {
    if (place.writes == 0) continue;
    std::printf("%s{\"file\": \"%s\", \"line\": %u, \"kind\": \"%c\", \"writes\": %llu, \"moved\": %llu}", comma,
                place.file.load(), place.line.load(), place.kind, number(place.writes.load()),
                number(place.moved.load()));
    comma = ", ";
  }
  std::printf("]}\n");
}
