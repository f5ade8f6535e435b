#include "core/pool/invariants.h"

#include <memory>
#include <new>

#include "core/pool/stats.h"

namespace slabpool {

namespace {

// Blocks of one class, by the place where the walk has found them.
struct Found {
  uint64_t cold, free, idle, held, in_flight, quarantined, retired, resident_pages;
};

class Walk {
 public:
  Walk(const BlockStore& store, const Members& members)
      : store_(store),
        members_(members),
        blocks_(store.block_count()),
        seen_(new (std::nothrow) bool[blocks_]{}),
        found_(new (std::nothrow) Found[store.class_count()]{}) {}

  // nullptr, or what is wrong.
  const char* run() {
    if (!seen_ || !found_) return "no memory to walk with";
    if (const char* wrong = walk_heaps()) return wrong;
    if (const char* wrong = walk_slabs()) return wrong;
    if (const char* wrong = walk_others()) return wrong;
    return compare_figures();
  }

 private:
  const char* walk_heaps() {
    for (uint32_t h = 0; h < store_.heap_slots(); ++h) {
      const Heap* heap = store_.heap_at(h);
      if (heap == nullptr) continue;
      for (uint32_t c = 0; c < store_.class_count(); ++c) {
        const BlockStore::ClassHeap& k = heap->classes[c];
        if (const char* wrong = walk_stack(k.depot, *heap, c, BlockState::free, found_[c].free)) return wrong;
        if (const char* wrong = walk_stack(k.quarantine, *heap, c, BlockState::quarantined, found_[c].quarantined)) {
          return wrong;
        }
      }
    }
    return nullptr;
  }

  const char* walk_stack(const TaggedStack<>& stack, const Heap& heap, uint32_t c, BlockState state, uint64_t& count) {
    for (uint32_t batch = stack.peek(); batch != kNoIndex;
         batch = store_.block(batch).next_batch.load(std::memory_order_relaxed)) {
      uint32_t size = 0;
      for (uint32_t b = batch; b != kNoIndex; b = store_.block(b).next) {
        if (b >= blocks_) return "a link leads outside the blocks";
        if (seen_[b]) return "a block is in two places";
        seen_[b] = true;
        ++size;
        if (store_.block(b).state.get().state != state) return "a block's state is not that of the stack it is in";
        const Slab& slab = store_.slab_of(b);
        if (slab.size_class != c) return "a block is in another class's stack";
        if (slab.home != heap.index) return "a block is away from its home heap";
        const uint32_t at = b - slab.first_block;
        if (slab.idle.has(at) || slab.cold.has(at)) return "a block is in two places";
        if (is_misaligned(b)) return "a block is misaligned";
      }
      if (size > store_.size_class(c).batch) return "a batch is too long";
      count += size;
    }
    return nullptr;
  }

  const char* walk_slabs() {
    for (uint32_t s = 0; s < store_.slab_count(); ++s) {
      const Slab& slab = store_.slab(s);
      if (slab.range == nullptr) continue;
      const SizeClass& k = store_.size_class(slab.size_class);
      Found& of_class = found_[slab.size_class];
      if (slab.in_hand) return "a slab was left in somebody's hand";
      for (uint32_t at = 0; at < k.slab_blocks; ++at) {
        const uint32_t b = slab.first_block + at;
        const BlockState state = store_.block(b).state.get().state;
        const bool idle = slab.idle.has(at);
        const bool cold = slab.cold.has(at);
        if (idle && cold) return "a block is in two places";
        if (idle && state != BlockState::free) return "an idle block is not free";
        if (cold != (state == BlockState::cold)) return "a block's state is not what its shelf says";
        if (is_misaligned(b)) return "a block is misaligned";
        of_class.idle += idle;
        of_class.cold += cold;
        seen_[b] = seen_[b] || idle || cold;
      }
      of_class.resident_pages += slab.resident_pages(k);
    }
    return nullptr;
  }

  // Blocks that are in no place of the store.
  const char* walk_others() {
    for (uint32_t b = 0; b < blocks_; ++b) {
      if (seen_[b]) continue;
      const BlockStateWord word = store_.block(b).state.get();
      Found& of_class = found_[store_.class_of(b)];
      switch (word.state) {
        case BlockState::held:
          if (!members_.is_attached(word.owner)) return "a block is held by a member that is gone";
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
    return nullptr;
  }

  const char* compare_figures() const {
    uint64_t resident_bytes = 0;
    for (uint32_t c = 0; c < store_.class_count(); ++c) {
      const ClassStats s = class_stats(store_, members_, c);
      const SizeClass& k = store_.size_class(c);
      const Found& f = found_[c];
      if (s.held != f.held) return "the count of held blocks is wrong";
      if (s.in_flight != f.in_flight) return "the count of blocks in flight is wrong";
      if (s.quarantined != f.quarantined) return "the count of quarantined blocks is wrong";
      if (s.retired != f.retired) return "the count of retired blocks is wrong";
      if (s.resident != f.held + f.in_flight + f.free + f.idle + f.quarantined + f.retired) {
        return "resident != held + in flight + free + quarantined + retired";
      }
      if (s.carved != s.resident + f.cold) return "carved != resident + cold";
      if (s.idle != f.idle) return "the count of idle blocks is wrong";
      if (s.resident_bytes != f.resident_pages * k.page) return "the count of resident pages is wrong";
      if (s.resident_bytes != s.resident * k.stride + s.pinned_bytes) return "pinned bytes do not add up";
      resident_bytes += s.resident_bytes;
    }
    if (store_.budget().used() != resident_bytes) return "the budget does not add up";
    if (store_.budget().used() > store_.budget().max()) return "the budget is overdrawn";
    return nullptr;
  }

  [[nodiscard]] bool is_misaligned(uint32_t block) const {
    return reinterpret_cast<uintptr_t>(store_.address(block)) % kBlockAlignment != 0;
  }

  const BlockStore& store_;
  const Members& members_;
  const uint32_t blocks_;
  const std::unique_ptr<bool[]> seen_;
  const std::unique_ptr<Found[]> found_;
};

}  // namespace

const char* check_invariants(const BlockStore& store, const Members& members) {
  store.in_hand().await_none();  // the janitor may be about to put a slab back
  return Walk(store, members).run();
}

}  // namespace slabpool
