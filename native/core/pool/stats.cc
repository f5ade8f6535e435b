#include "core/pool/stats.h"

#include <algorithm>

namespace slabpool {

ClassStats class_stats(const BlockStore& store, const Members& members, uint32_t c) {
  ClassStats stats{};
  const ClassTotals& totals = store.totals(c);
  stats.carved = totals.carved.load(std::memory_order_relaxed);
  stats.resident = totals.resident.load(std::memory_order_relaxed);
  stats.retired = totals.retired.load(std::memory_order_relaxed);
  stats.slabs = totals.slabs.load(std::memory_order_relaxed);
  stats.quarantined = totals.quarantined.load(std::memory_order_relaxed);
  stats.idle = totals.idle.load(std::memory_order_relaxed);
  const SizeClass& k = store.size_class(c);
  stats.resident_bytes = store.resident_bytes(c);
  stats.pinned_bytes = stats.resident_bytes - std::min(stats.resident_bytes, stats.resident * k.stride);
  stats.peak_resident_bytes = totals.peak_resident_pages.get() * k.page;
  // What a block does later is read first, so that no difference falls below zero.
  uint64_t taken = 0, returned = 0, sent = 0, adopted = 0;
  members.each([&](const Member& member) { returned += member.classes[c].returned.get(); });
  members.each([&](const Member& member) { adopted += member.classes[c].adopted.get(); });
  members.each([&](const Member& member) { sent += member.classes[c].sent.get(); });
  members.each([&](const Member& member) {
    const Member::ClassCounters& counters = member.classes[c];
    taken += counters.taken.get();
    for (size_t step = 0; step < kSteps; ++step) stats.refills[step] += counters.refills[step].get();
    stats.acquires += counters.acquires.get();
    stats.cached += counters.cached.load(std::memory_order_relaxed);
  });
  stats.held = taken - std::min(taken, returned + sent - std::min(sent, adopted));
  adopted += totals.recalled.load(std::memory_order_relaxed);
  stats.in_flight = sent - std::min(sent, adopted);
  return stats;
}

ThreadStats thread_stats(const BlockStore& store, const Member& member) {
  ThreadStats stats{};
  stats.index = member.index;
  for (uint32_t c = 0; c < store.class_count(); ++c) {
    const Member::ClassCounters& k = member.classes[c];
    const uint64_t gone = k.returned.get() + k.sent.get();  // read first: see above
    const uint64_t held = k.taken.get() + k.adopted.get() - gone;
    const uint64_t cached = std::min<uint64_t>(k.cached.load(std::memory_order_relaxed), held);
    const uint64_t stride = store.size_class(c).stride;
    stats.held += held;
    stats.held_bytes += held * stride;
    stats.cached += cached;
    stats.cached_bytes += cached * stride;
    stats.acquires += k.acquires.get();
    for (size_t step = 0; step < kSteps; ++step) stats.refills[step] += k.refills[step].get();
  }
  return stats;
}

}  // namespace slabpool
