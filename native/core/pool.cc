#include "pool.h"

#include <algorithm>
#include <new>
#include <thread>
#include <utility>

#include "os.h"

namespace slabpool {

// Chains blocks that the caller owns into batches and pushes each full one: at that moment its blocks are given away.
class Pool::BatchBuilder {
 public:
  BatchBuilder(Pool& pool, TaggedStack<>& to, uint32_t batch) : pool_(pool), to_(to), batch_(batch) {}
  BatchBuilder(const BatchBuilder&) = delete;
  BatchBuilder& operator=(const BatchBuilder&) = delete;
  ~BatchBuilder() {
    if (count_ != 0) push();
  }

  void add(uint32_t block) {
    pool_.blocks_[block].next = head_;
    head_ = block;
    if (++count_ == batch_) push();
  }

 private:
  void push() {
    to_.push(pool_, head_);
    head_ = kNoIndex;
    count_ = 0;
  }

  Pool& pool_;
  TaggedStack<>& to_;
  const uint32_t batch_;
  uint32_t head_ = kNoIndex;
  uint32_t count_ = 0;
};

std::unique_ptr<Pool> Pool::create(const uint32_t* capacities, uint32_t count, uint64_t max_bytes) {
  std::unique_ptr<Pool> pool(new (std::nothrow) Pool(capacities, count, max_bytes));
  if (!pool) return nullptr;

  // A class carves only when none of its blocks is cold or free, so it never has many more than fill the budget; the
  // two slabs a heap are for threads that carve at the same time.
  uint64_t blocks = 0;
  uint64_t slabs = 0;
  for (uint32_t c = 0; c < count; ++c) {
    const SizeClass& k = pool->classes_[c];
    const uint64_t of_class = max_bytes / k.slab_bytes + 2 * kMaxHeaps;
    slabs += of_class;
    blocks += of_class * k.slab_blocks;
  }
  const uint64_t most = kNoIndex - 1;
  if (!pool->blocks_.reserve(static_cast<uint32_t>(std::min(blocks, most)))) return nullptr;
  if (!pool->slabs_.reserve(static_cast<uint32_t>(std::min(slabs, most)))) return nullptr;
  return pool;
}

Pool::Pool(const uint32_t* capacities, uint32_t count, uint64_t max_bytes) : class_count_(count), budget_(max_bytes) {
  for (uint32_t c = 0; c < count; ++c) classes_[c] = SizeClass::of(capacities[c], max_bytes, os::page_size());
}

Pool::~Pool() {
  const uint32_t slabs = slabs_.size();
  for (uint32_t s = 0; s < slabs; ++s) {
    // Null: a carve() that found no address space for its blocks. Locked memory stays; there is nobody left to tell.
    if (slabs_[s].address != nullptr) (void)os::decommit(slabs_[s].address, classes_[slabs_[s].size_class].slab_bytes);
  }
  for (uint32_t h = 0; h < heap_slots(); ++h) delete heap_at(h);
}

Heap* Pool::attach() {
  uint32_t slot = heap_count_.load(std::memory_order_relaxed);
  do {
    if (slot == kMaxHeaps) return nullptr;
  } while (!heap_count_.compare_exchange_weak(slot, slot + 1, std::memory_order_relaxed, std::memory_order_relaxed));
  Heap* heap = Heap::create(static_cast<uint16_t>(slot), class_count_);
  // Release: pairs with the acquire of heap_at(); publishes the constructed heap to threads that steal from it.
  heaps_[slot].store(heap, std::memory_order_release);
  return heap;
}

Heap* Pool::heap_at(uint32_t slot) const { return heaps_[slot].load(std::memory_order_acquire); }

// Relaxed: a bound for the loops below; a slot that is missed or still null is found the next time.
uint32_t Pool::heap_slots() const { return heap_count_.load(std::memory_order_relaxed); }

RefillResult Pool::refill(Heap& heap, uint32_t c, uint32_t* out) {
  // Acquire, three times: pairs with age()'s release at its end; what it gave back is then seen.
  const uint32_t before = ages_.load(std::memory_order_acquire);
  const RefillResult result = try_refill(heap, c, out);
  if (result.status != Status::exhausted) return result;
  // Blocks that a trim has in hand are in no stack, and yet charged: a refusal counts only when none was under way.
  const uint32_t after = ages_.load(std::memory_order_acquire);
  if (after == before && after % 2 == 0) return result;
  while (after % 2 != 0 && ages_.load(std::memory_order_acquire) == after) std::this_thread::yield();
  return try_refill(heap, c, out);
}

RefillResult Pool::try_refill(Heap& heap, uint32_t c, uint32_t* out) {
  Step step{};
  uint32_t batch = take_free(heap, c, step);
  if (batch == kNoIndex) {
    const SizeClass& k = classes_[c];
    const uint32_t granted = k.span * budget_.claim(k.batch / k.span, k.span_bytes());
    if (granted == 0) return {Status::exhausted, 0};
    batch = take_cold(heap, c, granted, step);
    if (batch == kNoIndex) {
      budget_.give_back(granted * k.stride);
      return {Status::out_of_memory, 0};
    }
  }
  heap.classes[c].refills[static_cast<size_t>(step)].add(1);
  return {Status::ok, hand_out(heap, c, batch, out)};
}

uint32_t Pool::take_free(Heap& heap, uint32_t c, Step& step) {
  step = Step::depot;
  uint32_t batch = heap.classes[c].depot.pop(*this);
  if (batch != kNoIndex) return batch;

  // The neighbours in turn, beginning behind this heap, so that thieves spread over their victims.
  const uint32_t slots = heap_slots();
  step = Step::steal;
  for (uint32_t i = 1; i < slots; ++i) {
    Heap* other = heap_at((heap.index + i) % slots);
    if (other == nullptr || other->classes[c].depot.looks_empty()) continue;
    batch = other->classes[c].depot.pop(*this);
    if (batch != kNoIndex) return batch;
  }
  step = Step::victim;
  for (uint32_t i = 0; i < slots; ++i) {
    Heap* other = heap_at((heap.index + i) % slots);
    if (other == nullptr || other->classes[c].victim.looks_empty()) continue;
    batch = other->classes[c].victim.pop(*this);
    if (batch != kNoIndex) return batch;
  }
  return kNoIndex;
}

// The budget has granted `limit` blocks; what is not taken goes back to it.
uint32_t Pool::take_cold(Heap& heap, uint32_t c, uint32_t limit, Step& step) {
  const SizeClass& k = classes_[c];
  uint32_t batch = kNoIndex;
  step = Step::cold;
  const uint32_t slots = heap_slots();
  for (uint32_t i = 0; i < slots && batch == kNoIndex; ++i) {
    Heap* other = heap_at((heap.index + i) % slots);
    if (other == nullptr || other->classes[c].cold.looks_empty()) continue;
    batch = other->classes[c].cold.pop(*this);
  }
  if (batch == kNoIndex) {
    step = Step::slab;
    batch = carve(heap, c);
    if (batch == kNoIndex) return kNoIndex;
  }

  // Of a batch that is longer than the grant, the tail stays cold. (Only where a span is one block: otherwise a cold
  // batch is a slab, and the grant was for a slab.)
  uint32_t taken = 1;
  uint32_t last = batch;
  for (; taken < limit && blocks_[last].next != kNoIndex; ++taken) last = blocks_[last].next;
  const uint32_t tail = std::exchange(blocks_[last].next, kNoIndex);
  if (tail != kNoIndex) {
    Heap* home = heap_at(slabs_[blocks_[tail].slab].home);
    home->classes[c].cold.push(*this, tail);
  }
  budget_.give_back((limit - taken) * k.stride);
  totals_[c].resident.fetch_add(taken, std::memory_order_relaxed);
  return batch;
}

// A new slab, home in `heap`: its first batch is returned, the others are pushed on the cold stack.
uint32_t Pool::carve(Heap& heap, uint32_t c) {
  const SizeClass& k = classes_[c];
  char* address = static_cast<char*>(os::reserve(k.slab_bytes, k.slab_alignment));
  if (address == nullptr) return kNoIndex;
  const uint32_t s = os::commit(address, k.slab_bytes) ? slabs_.claim(1) : kNoIndex;
  const uint32_t first = s != kNoIndex ? blocks_.claim(k.slab_blocks) : kNoIndex;
  if (first == kNoIndex) {
    os::release(address, k.slab_bytes);  // nobody has seen it
    return kNoIndex;
  }

  Slab& slab = slabs_[s];
  slab.address = address;
  slab.first_block = first;
  slab.size_class = static_cast<uint16_t>(c);
  slab.home = heap.index;
  for (uint32_t b = first; b < first + k.slab_blocks; ++b) blocks_[b].slab = s;

  const uint32_t batch = std::min(k.batch, k.slab_blocks);
  push_cold(slab, batch);
  for (uint32_t b = first; b < first + batch; ++b) blocks_[b].next = b + 1 < first + batch ? b + 1 : kNoIndex;
  totals_[c].carved.fetch_add(k.slab_blocks, std::memory_order_relaxed);
  totals_[c].slabs.fetch_add(1, std::memory_order_relaxed);
  return first;
}

// Gives the slab's blocks from number `from` on, which the caller owns, to the cold stack; lower addresses come off
// first.
void Pool::push_cold(const Slab& slab, uint32_t from) {
  const SizeClass& k = classes_[slab.size_class];
  BatchBuilder cold(*this, heap_at(slab.home)->classes[slab.size_class].cold, k.batch);
  for (uint32_t i = k.slab_blocks; i > from; --i) cold.add(slab.first_block + i - 1);
}

// From here on the heap's thread owns the blocks of the batch.
uint32_t Pool::hand_out(Heap& heap, uint32_t c, uint32_t batch, uint32_t* out) {
  uint32_t count = 0;
  for (uint32_t b = batch; b != kNoIndex; b = blocks_[b].next) {
    out[count++] = b;
    Block& block = blocks_[b];
    block.set_life(BlockState::out, heap.index, block.get_life().generation + 1);
  }
  heap.classes[c].taken.add(count);
  return count;
}

bool Pool::holds(const Heap& heap, uint32_t c, uint32_t block) const {
  if (block >= blocks_.size()) return false;
  const Life life = blocks_[block].get_life();
  // Only a block that this thread holds has these two, and then its slab was published to it with the batch.
  return life.state == BlockState::out && life.owner == heap.index && slabs_[blocks_[block].slab].size_class == c;
}

Status Pool::flush(Heap& heap, uint32_t c, uint32_t* blocks, uint32_t count) {
  // The life word moves before the next block is looked at, so that a block named twice is caught.
  uint32_t held = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (!holds(heap, c, blocks[i])) continue;
    Block& block = blocks_[blocks[i]];
    block.set_life(BlockState::free, 0, block.get_life().generation);
    blocks[held++] = blocks[i];
  }
  heap.classes[c].returned.add(held);
  const Status status = held == count ? Status::ok : Status::not_held;

  // One round for each home heap among them: one in all, unless threads hand blocks to each other.
  while (held != 0) {
    const uint16_t home = slabs_[blocks_[blocks[0]].slab].home;
    BatchBuilder depot(*this, heap_at(home)->classes[c].depot, classes_[c].batch);
    uint32_t others = 0;
    for (uint32_t i = 0; i < held; ++i) {
      const uint32_t b = blocks[i];
      if (slabs_[blocks_[b].slab].home == home) {
        depot.add(b);
      } else {
        blocks[others++] = b;
      }
    }
    held = others;
  }
  return status;
}

Status Pool::retire(Heap& heap, uint32_t c, uint32_t b) {
  if (!holds(heap, c, b)) return Status::not_held;
  Block& block = blocks_[b];
  block.set_life(BlockState::retired, 0, block.get_life().generation);
  heap.classes[c].returned.add(1);
  totals_[c].retired.fetch_add(1, std::memory_order_relaxed);
  return Status::ok;
}

uint64_t Pool::age() {
  uint32_t ages = ages_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
  // Acquire: pairs with the release below; the slabs' scratch fields pass from one aging thread to the next. That a
  // refill sees the odd count is left to the stacks: what empties them is released after it.
  if (ages % 2 != 0 ||
      !ages_.compare_exchange_strong(ages, ages + 1, std::memory_order_acquire, std::memory_order_relaxed)) {
    return 0;
  }
  uint64_t bytes = 0;
  for (uint32_t h = 0; h < heap_slots(); ++h) {
    Heap* heap = heap_at(h);
    if (heap == nullptr) continue;
    for (uint32_t c = 0; c < class_count_; ++c) {
      ClassHeap& k = heap->classes[c];
      bytes += decommit(*heap, c);
      for (uint32_t batch = k.depot.take_all(); batch != kNoIndex;) {
        // Relaxed: take_all acquired the links. Read before the push gives the batch away.
        const uint32_t next = next_batch(batch).load(std::memory_order_relaxed);
        k.victim.push(*this, batch);
        batch = next;
      }
    }
  }
  ages_.store(ages + 2, std::memory_order_release);
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
    for (uint32_t b = first; b < first + count; ++b)
      blocks_[b].set_life(BlockState::cold, 0, blocks_[b].get_life().generation);
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
  budget_.give_back(turned_cold * k.stride);
  return turned_cold * k.stride;
}

char* Pool::address(uint32_t block) const {
  const Slab& slab = slabs_[blocks_[block].slab];
  return slab.address + size_t{block - slab.first_block} * classes_[slab.size_class].stride;
}

ClassStats Pool::stats(uint32_t c) const {
  ClassStats stats{};
  const ClassTotals& totals = totals_[c];
  stats.carved = totals.carved.load(std::memory_order_relaxed);
  stats.resident = totals.resident.load(std::memory_order_relaxed);
  stats.retired = totals.retired.load(std::memory_order_relaxed);
  stats.slabs = totals.slabs.load(std::memory_order_relaxed);
  for (uint32_t h = 0; h < heap_slots(); ++h) {
    const Heap* heap = heap_at(h);
    if (heap == nullptr) continue;
    const ClassHeap& k = heap->classes[c];
    // Read first: a block is taken before it is returned, so that the difference never falls below zero.
    const uint64_t returned = k.returned.get();
    stats.out += k.taken.get() - returned;
    for (size_t step = 0; step < kSteps; ++step) stats.refills[step] += k.refills[step].get();
  }
  return stats;
}

}  // namespace slabpool
