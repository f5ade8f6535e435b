// The part of Pool that epochs drive: blocks turn victim, lose their pages, and wake from their rest.
#include <memory>
#include <thread>
#include <utility>

#include "batch_builder.h"
#include "os.h"
#include "pool.h"

namespace slabpool {

bool Pool::begin_aging() {
  // Seq_cst, three times: a waiter for whom this fails relies on the other to serve the queue after its end_aging().
  uint32_t ages = ages_.load(std::memory_order_seq_cst);
  // Acquire: pairs with the release of end_aging(); the slabs' scratch fields pass from one aging thread to the next. That
  // a refill sees the odd count is left to the stacks: what empties them is released after it.
  return ages % 2 == 0 &&
         ages_.compare_exchange_strong(ages, ages + 1, std::memory_order_seq_cst, std::memory_order_seq_cst);
}

// Release: pairs with the acquire of refill() and begin_aging(); what was in hand is in the stacks again. Whoever calls this
// serves the queue afterwards.
void Pool::end_aging() { ages_.fetch_add(1, std::memory_order_seq_cst); }

uint64_t Pool::age() {
  if (!begin_aging()) return 0;
  const uint64_t bytes = age_once(Cause::decay);
  end_aging();
  serve();
  return bytes;
}

uint64_t Pool::trim(Cause cause) {
  while (!begin_aging()) std::this_thread::yield();
  uint64_t bytes = age_once(cause);
  bytes += age_once(cause);
  end_aging();
  serve();
  return bytes;
}

uint64_t Pool::trim_all() {
  summon_all(Summons::pressure, nullptr);
  return trim(Cause::pressure);
}

void Pool::override_pressure(std::optional<PressureLevel> level) {
  override_.level.store(level ? static_cast<uint8_t>(*level) : Override::kNone, std::memory_order_relaxed);
  if (level == PressureLevel::critical && janitor_) janitor_->look();
}

// By the aging thread.
uint64_t Pool::age_once(Cause cause) {
  uint64_t bytes = 0;
  for (uint32_t c = 0; c < class_count_; ++c) {
    // What is being laid down is found the next time. Seq_cst: see detach().
    if (totals_[c].resting.load(std::memory_order_seq_cst) != 0) free_rested(c);
  }
  recall_orphans();
  for (uint32_t h = 0; h < heap_slots(); ++h) {
    Heap* heap = heap_at(h);
    if (heap == nullptr) continue;
    for (uint32_t c = 0; c < class_count_; ++c) {
      ClassHeap& k = heap->classes[c];
      bytes += decommit(*heap, c);
      for (uint32_t batch = k.depot.take_all(); batch != kNoIndex;) {
        // Relaxed: take_all acquired the links. Read before the push gives the batch away.
        const uint32_t next = next_batch(batch).load(std::memory_order_relaxed);
        uint32_t blocks = 0;
        for (uint32_t b = batch; b != kNoIndex; b = blocks_[b].next) ++blocks;
        // Before the push: whoever pops it subtracts it afterwards.
        totals_[c].victim.fetch_add(blocks, std::memory_order_relaxed);
        k.victim.push(*this, batch);
        batch = next;
      }
    }
  }
  dropped_bytes_[static_cast<size_t>(cause)].fetch_add(bytes, std::memory_order_relaxed);
  return bytes;
}

// Takes the heap's victims of the class; whole slabs, and single blocks where a span is one block, lose their pages and
// turn cold; the rest are victims again.
uint64_t Pool::decommit(Heap& heap, uint32_t c) {
  const SizeClass& k = classes_[c];
  TaggedStack<>& victim = heap.classes[c].victim;
  const uint32_t batches = victim.take_all();
  if (batches == kNoIndex) return 0;

  const auto each_block = [&](auto&& visit) {
    for (uint32_t batch = batches, next_batch_head; batch != kNoIndex; batch = next_batch_head) {
      // Relaxed: take_all acquired the links. Links are read before `visit` may give the block away.
      next_batch_head = next_batch(batch).load(std::memory_order_relaxed);
      for (uint32_t b = batch, next; b != kNoIndex; b = next) {
        next = blocks_[b].next;
        visit(b);
      }
    }
  };

  each_block([&](uint32_t b) { slabs_[blocks_[b].slab].in_hand++; });

  uint64_t turned_cold = 0;
  const auto chill = [&](uint32_t first, uint32_t count) {
    if (!os::decommit(address(first), count * k.stride)) return false;
    for (uint32_t b = first; b < first + count; ++b) blocks_[b].life.lay_down(BlockState::cold);
    turned_cold += count;
    return true;
  };
  {
    BatchBuilder warm(*this, victim, k.batch);
    BatchBuilder cold(*this, heap.classes[c].cold, k.batch);
    each_block([&](uint32_t b) {
      Slab& slab = slabs_[blocks_[b].slab];
      const bool last_of_slab = ++slab.dealt_with == slab.in_hand;
      const bool whole = slab.in_hand == k.slab_blocks;
      if (last_of_slab) slab.in_hand = slab.dealt_with = 0;
      if (whole) {
        // All blocks of the slab are in hand, and the last of them has now been walked: its links may be overwritten.
        if (!last_of_slab) return;
        if (chill(slab.first_block, k.slab_blocks)) {
          push_cold(slab, 0);
        } else {
          for (uint32_t i = 0; i < k.slab_blocks; ++i) warm.add(slab.first_block + i);
        }
      } else if (k.span == 1 && chill(b, 1)) {
        cold.add(b);
      } else {
        warm.add(b);
      }
    });
  }
  // After the blocks are cold for everyone: until then the budget still counts them, so that it never counts too
  // little.
  totals_[c].resident.fetch_sub(turned_cold, std::memory_order_relaxed);
  totals_[c].victim.fetch_sub(turned_cold, std::memory_order_relaxed);
  budget_.give_back(turned_cold * k.stride);
  return turned_cold * k.stride;
}

bool Pool::wake(uint32_t c) {
  // What is being laid down is found the next time. Seq_cst: see detach().
  const bool any =
      totals_[c].resting.load(std::memory_order_seq_cst) != 0 || orphans_.load(std::memory_order_seq_cst) != nullptr;
  if (!any || !begin_aging()) return false;
  const bool woken = free_rested(c);
  const bool recalled = recall_orphans();
  end_aging();
  return woken || recalled;
}

// By the aging thread. True if there were any.
bool Pool::recall_orphans() {
  bool recalled = false;
  // Acquire: pairs with the release of add_orphan().
  Orphan* orphan = orphans_.exchange(nullptr, std::memory_order_acquire);
  const uint32_t now = os::now_ms();
  while (orphan != nullptr) {
    const std::unique_ptr<Orphan> taken(std::exchange(orphan, orphan->next));
    if (now - taken->since >= epoch_ms_) {
      recall_block(taken->block, taken->generation);
      recalled = true;
    } else {
      add_orphan(taken->block, taken->generation, taken->since);
    }
  }
  return recalled;
}

// By the aging thread. True if there were any.
bool Pool::free_rested(uint32_t c) {
  uint32_t freed = 0;
  for (uint32_t h = 0; h < heap_slots(); ++h) {
    Heap* heap = heap_at(h);
    if (heap == nullptr) continue;
    ClassHeap& k = heap->classes[c];
    uint32_t batch = k.resting.take_all();
    // Read after the batches were taken, so that none of them began to rest later.
    const uint32_t now = os::now_ms();
    while (batch != kNoIndex) {
      // Relaxed: take_all acquired the links. Read before a push gives the batch away.
      const uint32_t next = next_batch(batch).load(std::memory_order_relaxed);
      if (now - blocks_[batch].rests_since >= epoch_ms_) {
        for (uint32_t b = batch; b != kNoIndex; b = blocks_[b].next, ++freed)
          blocks_[b].life.lay_down(BlockState::free);
        k.depot.push(*this, batch);
      } else {
        k.resting.push(*this, batch);
      }
      batch = next;
    }
  }
  totals_[c].resting.fetch_sub(freed, std::memory_order_relaxed);
  return freed != 0;
}

}  // namespace slabpool
