// What Pool tells about itself: its figures, and the walker that every test of the core ends with.
#include <algorithm>
#include <memory>
#include <new>

#include "core/os/os.h"
#include "core/pool/pool.h"

namespace slabpool {

ClassStats Pool::stats(uint32_t c) const {
  ClassStats stats{};
  const ClassTotals& totals = totals_[c];
  stats.carved = totals.carved.load(std::memory_order_relaxed);
  stats.resident = totals.resident.load(std::memory_order_relaxed);
  stats.retired = totals.retired.load(std::memory_order_relaxed);
  stats.slabs = totals.slabs.load(std::memory_order_relaxed);
  stats.quarantined = totals.quarantined.load(std::memory_order_relaxed);
  stats.idle = totals.idle.load(std::memory_order_relaxed);
  stats.resident_bytes = totals.resident_pages.load(std::memory_order_relaxed) * classes_[c].page;
  stats.pinned_bytes = stats.resident_bytes - std::min(stats.resident_bytes, stats.resident * classes_[c].stride);
  stats.peak_resident_bytes = totals.peak_resident_pages.get() * classes_[c].page;
  // What a block does later is read first, so that no difference falls below zero.
  uint64_t taken = 0, returned = 0, sent = 0, adopted = 0;
  const uint32_t members = member_count();
  for (uint32_t a = 0; a < members; ++a) {
    if (const Member* member = member_at(a)) returned += member->classes[c].returned.get();
  }
  for (uint32_t a = 0; a < members; ++a) {
    if (const Member* member = member_at(a)) adopted += member->classes[c].adopted.get();
  }
  for (uint32_t a = 0; a < members; ++a) {
    if (const Member* member = member_at(a)) sent += member->classes[c].sent.get();
  }
  for (uint32_t a = 0; a < members; ++a) {
    const Member* member = member_at(a);
    if (member == nullptr) continue;
    taken += member->classes[c].taken.get();
    for (size_t step = 0; step < kSteps; ++step) stats.refills[step] += member->classes[c].refills[step].get();
    stats.acquires += member->classes[c].acquires.get();
    stats.cached += member->classes[c].cached.load(std::memory_order_relaxed);
  }
  stats.held = taken - std::min(taken, returned + sent - std::min(sent, adopted));
  adopted += totals.recalled.load(std::memory_order_relaxed);
  stats.in_flight = sent - std::min(sent, adopted);
  return stats;
}

PoolStats Pool::stats() const {
  PoolStats stats{};
  stats.waits = waits_.load(std::memory_order_relaxed);
  stats.waiting = queue_.size();
  stats.peak_waiting = queue_.peak.get();
  stats.peak_resident_bytes = budget_.peak();
  stats.refused = refused_.load(std::memory_order_relaxed);
  for (size_t cause = 0; cause < kCauses; ++cause) {
    stats.dropped_bytes[cause] = dropped_bytes_[cause].load(std::memory_order_relaxed);
  }
  stats.drop_calls = drop_calls_.load(std::memory_order_relaxed);
  return stats;
}

bool Pool::stats(uint32_t index, ThreadStats& stats) const {
  const Member* member = member_at(index);
  {
    const std::lock_guard lock(queue_.lock);
    if (member == queue_.member) return false;
  }
  if (member == nullptr || (attached_[index / 64].load(std::memory_order_relaxed) >> index % 64 & 1) == 0) return false;
  stats = {};
  stats.index = index;
  for (uint32_t c = 0; c < class_count_; ++c) {
    const Member::ClassCounters& k = member->classes[c];
    const uint64_t gone = k.returned.get() + k.sent.get();  // read first: see above
    const uint64_t held = k.taken.get() + k.adopted.get() - gone;
    const uint64_t cached = std::min<uint64_t>(k.cached.load(std::memory_order_relaxed), held);
    stats.held += held;
    stats.held_bytes += held * classes_[c].stride;
    stats.cached += cached;
    stats.cached_bytes += cached * classes_[c].stride;
    stats.acquires += k.acquires.get();
    for (size_t step = 0; step < kSteps; ++step) stats.refills[step] += k.refills[step].get();
  }
  return true;
}

const char* Pool::check_invariants() const {
  {  // The janitor may be about to put a slab back.
    std::unique_lock lock(steps_lock_);
    step_ended_.wait(lock, [this] { return stepping_ == 0; });
  }
  const uint32_t blocks = blocks_.size();
  const std::unique_ptr<bool[]> seen(new (std::nothrow) bool[blocks]{});
  if (!seen) return "no memory to walk with";

  struct Found {
    uint64_t cold, free, idle, held, in_flight, quarantined, retired, resident_pages;
  };
  const std::unique_ptr<Found[]> found(new (std::nothrow) Found[class_count_]{});
  if (!found) return "no memory to walk with";

  const auto walk = [&](const TaggedStack<>& stack, const Heap& heap, uint32_t c, BlockState state,
                        uint64_t& count) -> const char* {
    const SizeClass& k = classes_[c];
    for (uint32_t batch = stack.peek(); batch != kNoIndex; batch = next_batch(batch).load(std::memory_order_relaxed)) {
      uint32_t size = 0;
      for (uint32_t b = batch; b != kNoIndex; b = blocks_[b].next) {
        if (b >= blocks) return "a link leads outside the blocks";
        if (seen[b]) return "a block is in two places";
        seen[b] = true;
        ++size;
        if (blocks_[b].state.get().state != state) return "a block's state is not that of the stack it is in";
        const Slab& slab = slabs_[blocks_[b].slab];
        if (slab.size_class != c) return "a block is in another class's stack";
        if (slab.home != heap.index) return "a block is away from its home heap";
        if (slab.idle.has(b - slab.first_block) || slab.cold.has(b - slab.first_block))
          return "a block is in two places";
        if (reinterpret_cast<uintptr_t>(address(b)) % kBlockAlignment != 0) return "a block is misaligned";
      }
      if (size > k.batch) return "a batch is too long";
      count += size;
    }
    return nullptr;
  };

  for (uint32_t h = 0; h < heap_slots(); ++h) {
    const Heap* heap = heap_at(h);
    if (heap == nullptr) continue;
    for (uint32_t c = 0; c < class_count_; ++c) {
      const ClassHeap& k = heap->classes[c];
      if (const char* wrong = walk(k.depot, *heap, c, BlockState::free, found[c].free)) return wrong;
      if (const char* wrong = walk(k.quarantine, *heap, c, BlockState::quarantined, found[c].quarantined)) return wrong;
    }
  }

  for (uint32_t s = 0; s < slabs_.size(); ++s) {
    const Slab& slab = slabs_[s];
    if (slab.range == nullptr) continue;
    const SizeClass& k = classes_[slab.size_class];
    Found& of_class = found[slab.size_class];
    if (slab.in_hand) return "a slab was left in somebody's hand";
    for (uint32_t at = 0; at < k.slab_blocks; ++at) {
      const uint32_t b = slab.first_block + at;
      const BlockState state = blocks_[b].state.get().state;
      const bool idle = slab.idle.has(at);
      const bool cold = slab.cold.has(at);
      if (idle && cold) return "a block is in two places";
      if (idle && state != BlockState::free) return "an idle block is not free";
      if (cold != (state == BlockState::cold)) return "a block's state is not what its shelf says";
      if (reinterpret_cast<uintptr_t>(address(b)) % kBlockAlignment != 0) return "a block is misaligned";
      of_class.idle += idle;
      of_class.cold += cold;
      seen[b] = seen[b] || idle || cold;
    }
    of_class.resident_pages += slab.resident_pages(k);
  }

  for (uint32_t b = 0; b < blocks; ++b) {
    if (seen[b]) continue;
    const BlockStateWord word = blocks_[b].state.get();
    Found& of_class = found[class_of(b)];
    switch (word.state) {
      case BlockState::held:
        if ((attached_[word.owner / 64].load(std::memory_order_relaxed) >> word.owner % 64 & 1) == 0) {
          return "a block is held by a member that is gone";
        }
        of_class.held++;
        break;
      case BlockState::in_flight:
        of_class.in_flight++;
        break;
      case BlockState::retired:
        of_class.retired++;
        break;
      default:
        return "a free or quarantined block is nowhere";
    }
  }

  uint64_t resident_bytes = 0;
  for (uint32_t c = 0; c < class_count_; ++c) {
    const ClassStats s = stats(c);
    const Found& f = found[c];
    if (s.held != f.held) return "the count of held blocks is wrong";
    if (s.in_flight != f.in_flight) return "the count of blocks in flight is wrong";
    if (s.quarantined != f.quarantined) return "the count of quarantined blocks is wrong";
    if (s.retired != f.retired) return "the count of retired blocks is wrong";
    if (s.resident != f.held + f.in_flight + f.free + f.idle + f.quarantined + f.retired) {
      return "resident != held + in flight + free + quarantined + retired";
    }
    if (s.carved != s.resident + f.cold) return "carved != resident + cold";
    if (s.idle != f.idle) return "the count of idle blocks is wrong";
    if (s.resident_bytes != f.resident_pages * classes_[c].page) return "the count of resident pages is wrong";
    if (s.resident_bytes != s.resident * classes_[c].stride + s.pinned_bytes) return "pinned bytes do not add up";
    resident_bytes += s.resident_bytes;
  }
  if (budget_.used() != resident_bytes) return "the budget does not add up";
  if (budget_.used() > budget_.max()) return "the budget is overdrawn";
  return nullptr;
}

}  // namespace slabpool
