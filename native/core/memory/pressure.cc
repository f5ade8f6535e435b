#include "core/memory/pressure.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <thread>

#include "core/memory/cgroup.h"
#include "core/memory/files.h"
#include "core/os/os.h"
#include "core/sync/sync.h"

namespace slabpool::memory {

namespace {

using std::string_view;

// Of the limit.
constexpr double kHigh = 0.7;
constexpr double kCritical = 0.9;

// Set by whoever looks.
StdSync::atomic<bool> looking{false};

// A lock that readers need not take (a seqlock): odd while the verdict is written. Each store releases and each load
// acquires: a reader of any part of a later verdict then sees the odd number, or a later one, when it looks at it
// again.
struct Published {
  StdSync::atomic<uint64_t> sequence{0}, used{0}, limit{0}, at{0};
  StdSync::atomic<MemorySource> source{MemorySource::none};
  StdSync::atomic<PressureLevel> level{PressureLevel::none};
} published;

// What spare() was asked for since then. Relaxed: it only counts, and may be wrong by what is asked for meanwhile.
StdSync::atomic<uint64_t> asked_for{0};

std::optional<Figures> look_at_system() {
  constexpr uint64_t kKiB = 1024;
  const string_view meminfo = read({"/proc/meminfo"});
  const auto total = field(meminfo, "MemTotal:");
  const auto available = field(meminfo, "MemAvailable:");
  if (total && available && *total > 0 && *total < kNoLimit / kKiB) {
    return Figures{MemorySource::system, (*total - std::min(*total, *available)) * kKiB, *total * kKiB};
  }
  uint64_t used, limit;
  if (!folder_is_root() || !os::physical_memory(used, limit) || limit == 0) return std::nullopt;
  return Figures{MemorySource::system, used, limit};
}

PressureLevel level_by_share(const Figures& figures) {
  const double share = static_cast<double>(figures.used) / static_cast<double>(figures.limit);
  return share >= kCritical ? PressureLevel::critical : share >= kHigh ? PressureLevel::high : PressureLevel::none;
}

Pressure verdict() {
  PressureLevel stalls = PressureLevel::none;
  auto figures = look_at_cgroups(stalls);
  const auto system = look_at_system();
  if (system && (!figures || figures->limit > system->limit)) {
    figures = system;
    stalls = level_by_stalls(read({"/proc/pressure/memory"}));
  }
  if (!figures) return {};
  return {figures->source, std::max(level_by_share(*figures), stalls), figures->used, figures->limit};
}

void publish(const Pressure& p) {
  // Relaxed: only who has `looking` set writes it.
  const uint64_t sequence = published.sequence.load(std::memory_order_relaxed);
  published.sequence.store(sequence + 1, std::memory_order_relaxed);
  published.used.store(p.used_bytes, std::memory_order_release);
  published.limit.store(p.limit_bytes, std::memory_order_release);
  published.source.store(p.source, std::memory_order_release);
  published.level.store(p.level, std::memory_order_release);
  published.at.store(os::now_ms(), std::memory_order_release);
  published.sequence.store(sequence + 2, std::memory_order_release);
  asked_for.store(0, std::memory_order_relaxed);
}

Pressure last(uint32_t& at) {
  for (;;) {
    const uint64_t before = published.sequence.load(std::memory_order_acquire);
    const Pressure p{published.source.load(std::memory_order_acquire), published.level.load(std::memory_order_acquire),
                     published.used.load(std::memory_order_acquire), published.limit.load(std::memory_order_acquire)};
    at = static_cast<uint32_t>(published.at.load(std::memory_order_acquire));
    // Relaxed: the loads above acquired it.
    if (before % 2 == 0 && published.sequence.load(std::memory_order_relaxed) == before) return p;
  }
}

}  // namespace

Pressure look() {
  // Acquire and release: the buffers pass from one thread to the next.
  if (looking.exchange(true, std::memory_order_acquire)) return last();
  const Pressure seen = verdict();
  publish(seen);
  looking.store(false, std::memory_order_release);
  return seen;
}

Pressure last() {
  uint32_t at;
  return last(at);
}

Pressure recent() {
  uint32_t at;
  const Pressure p = last(at);
  return p.source != MemorySource::none && os::now_ms() - at < 2 * kLookEveryMs ? p : look();
}

bool spare(uint64_t bytes) {
  const Pressure p = recent();
  if (p.source == MemorySource::none) return true;
  const uint64_t asked = asked_for.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  return p.level == PressureLevel::none &&
         level_by_share({p.source, p.used_bytes + asked, p.limit_bytes}) == PressureLevel::none;
}

uint64_t looks() { return published.sequence.load(std::memory_order_relaxed) / 2; }

bool set_root(const char* folder) {
  while (looking.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  const bool set = set_folder(folder);
  if (set) publish({});
  looking.store(false, std::memory_order_release);
  return set;
}

}  // namespace slabpool::memory
