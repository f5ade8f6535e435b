// Pool::check_invariants(): the walker that every test of the core ends with.
#include <memory>
#include <new>

#include "os.h"
#include "pool.h"

namespace slabpool {

const char* Pool::check_invariants() const {
  const uint32_t blocks = blocks_.size();
  const std::unique_ptr<bool[]> seen(new (std::nothrow) bool[blocks]{});
  if (!seen) return "no memory to walk with";

  uint64_t stacked[kMaxClasses][2] = {};  // blocks found in stacks, by class: cold, free

  const auto walk = [&](const TaggedStack<>& stack, const Heap& heap, uint32_t c, BlockState state) -> const char* {
    const SizeClass& k = classes_[c];
    for (uint32_t batch = stack.peek(); batch != kNoIndex; batch = next_batch(batch).load(std::memory_order_relaxed)) {
      uint32_t size = 0;
      for (uint32_t b = batch; b != kNoIndex; b = blocks_[b].next) {
        if (b >= blocks) return "a link leads outside the blocks";
        if (seen[b]) return "a block is in two places";
        seen[b] = true;
        ++size;
        if (blocks_[b].get_life().state != state) return "a block's state is not that of the stack it is in";
        const Slab& slab = slabs_[blocks_[b].slab];
        if (slab.size_class != c) return "a block is in another class's stack";
        if (slab.home != heap.index) return "a block is away from its home heap";
        if (slab.in_hand != 0 || slab.dealt_with != 0) return "a trim left its scratch behind";
        if (reinterpret_cast<uintptr_t>(address(b)) % kBlockAlignment != 0) return "a block is misaligned";
      }
      if (size > k.batch) return "a batch is too long";
      if (state == BlockState::cold && size % k.span != 0) return "a span is cold in part";
      stacked[c][static_cast<size_t>(state)] += size;
    }
    return nullptr;
  };

  for (uint32_t h = 0; h < heap_slots(); ++h) {
    const Heap* heap = heap_at(h);
    if (heap == nullptr) continue;
    for (uint32_t c = 0; c < class_count_; ++c) {
      const ClassHeap& k = heap->classes[c];
      if (const char* wrong = walk(k.depot, *heap, c, BlockState::free)) return wrong;
      if (const char* wrong = walk(k.victim, *heap, c, BlockState::free)) return wrong;
      if (const char* wrong = walk(k.cold, *heap, c, BlockState::cold)) return wrong;
    }
  }

  uint64_t held[kMaxClasses][2] = {};  // blocks in no stack, by class: out, retired
  for (uint32_t b = 0; b < blocks; ++b) {
    if (seen[b]) continue;
    const Life life = blocks_[b].get_life();
    if (life.state != BlockState::out && life.state != BlockState::retired)
      return "a free or cold block is in no stack";
    if (life.state == BlockState::out && life.owner >= heap_slots()) return "a block is out with nobody";
    held[slabs_[blocks_[b].slab].size_class][life.state == BlockState::retired]++;
  }

  uint64_t resident_bytes = 0;
  for (uint32_t c = 0; c < class_count_; ++c) {
    const ClassStats s = stats(c);
    const uint64_t cold = stacked[c][0];
    const uint64_t cached = stacked[c][1];
    const auto [out, retired] = held[c];
    if (s.out != out) return "the count of blocks out is wrong";
    if (s.retired != retired) return "the count of retired blocks is wrong";
    if (s.resident != out + cached + retired) return "resident != out + cached + retired";
    if (s.carved != s.resident + cold) return "carved != resident + cold";
    resident_bytes += s.resident * classes_[c].stride;
  }
  if (budget_.used() != resident_bytes) return "the budget does not add up";
  if (budget_.used() > budget_.max()) return "the budget is overdrawn";
  return nullptr;
}

}  // namespace slabpool
