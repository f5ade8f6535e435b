#include "core/pool/block_store.h"

#include <algorithm>
#include <new>
#include <random>

#include "core/block/page_runs.h"

namespace slabpool {

namespace {

StdSync::atomic<uint64_t> stores_made{0};

// splitmix64 (G. L. Steele, D. Lea, C. H. Flood, 2014).
uint64_t scattered(uint64_t n) {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9;
  n = (n ^ n >> 27) * 0x94d049bb133111eb;
  return n ^ n >> 31;
}

uint64_t draw_salt() {
  static const uint64_t seed = [] {
    std::random_device random;
    return uint64_t{random()} << 32 | random();
  }();
  return scattered(seed + stores_made.fetch_add(1, std::memory_order_relaxed));  // unique, and nothing else
}

// What the system may still do for a thread that was killed, it has done by then.
constexpr uint32_t kLeastQuarantineMs = 1000;

}  // namespace

BlockStore::BlockStore(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms)
    : salt_(draw_salt()), class_count_(count), epoch_ms_(epoch_ms), budget_(max_bytes) {
  for (uint32_t c = 0; c < count; ++c) classes_[c] = SizeClass::of(capacities[c], max_bytes, os::page_size());
}

bool BlockStore::reserve() {
  // A class carves only when none of its blocks is cold or free, so it never has many more than fill the budget; the
  // two slabs a heap are for threads that carve at the same time.
  uint64_t blocks = 0;
  uint64_t slabs = 0;
  for (uint32_t c = 0; c < class_count_; ++c) {
    const SizeClass& k = classes_[c];
    const uint64_t of_class = budget_.max() / k.slab_bytes + 2 * kMaxHeaps;
    slabs += of_class;
    blocks += of_class * k.slab_blocks;
  }
  return blocks_.reserve(static_cast<uint32_t>(std::min<uint64_t>(blocks, kMaxBlocks))) &&
         slabs_.reserve(static_cast<uint32_t>(std::min<uint64_t>(slabs, kMaxBlocks)));
}

BlockStore::~BlockStore() {
  for (uint32_t s = 0; s < slabs_.size(); ++s) let_go(slabs_[s]);
  for (const auto& heap : heaps_) delete heap.load(std::memory_order_relaxed);
}

// Pages that somebody may be using stay until the last ArrayBuffer over the slab is gone; the others go now.
void BlockStore::let_go(const Slab& slab) {
  if (slab.range == nullptr) return;  // a carve() that found no address space
  const SizeClass& k = classes_[slab.size_class];
  bool quarantined = false;
  BlockSet unused{};
  for (uint32_t b = 0; b < k.slab_blocks; ++b) {
    const BlockState state = blocks_[slab.first_block + b].state.get().state;
    quarantined = quarantined || state == BlockState::quarantined;
    if (state != BlockState::held && state != BlockState::quarantined && state != BlockState::retired) unused.add(b);
  }
  // The system may still be writing to it for a thread that was killed.
  if (quarantined) slab.range->quarantine(std::max(epoch_ms_, kLeastQuarantineMs));
  if (slab.range->shared() || quarantined) {
    PageRuns runs;
    find_runs(k, BlockSet{}, unused, runs);
    uint32_t calls = 0;
    (void)runs.decommit(slab.range->address(), calls, nullptr);
  }
  slab.range->release();
}

Heap* BlockStore::heap_for(uint32_t slot) {
  Heap* heap = heap_at(slot);
  if (heap == nullptr) {
    Heap* const made = Heap::create(static_cast<uint16_t>(slot), class_count_);
    if (made == nullptr) return nullptr;
    // Release: pairs with the acquire of heap_at(); publishes the constructed heap. Acquire on failure: another thread
    // with this slot was faster, and its heap is used. Seq_cst, all of these, heap_at() and heap_slots(): who puts
    // blocks into a new heap, and then finds nobody waiting, has published the heap to whoever begins to wait then, and
    // looks through all heaps (wait_queue.h).
    if (heaps_[slot].compare_exchange_strong(heap, made, std::memory_order_seq_cst, std::memory_order_seq_cst)) {
      heap = made;
    } else {
      delete made;
    }
  }
  // Also by the one that was slower: it may use the heap before the faster one has come here.
  uint32_t slots = heap_slots_.load(std::memory_order_seq_cst);
  while (slots <= slot &&
         !heap_slots_.compare_exchange_weak(slots, slot + 1, std::memory_order_seq_cst, std::memory_order_seq_cst)) {
  }
  return heap;
}

RefillResult BlockStore::take_free(const Heap& heap, uint32_t c, uint32_t most, uint32_t* out) {
  RefillResult found{Status::ok, take_batch(heap, c, most, 0, out), Step::depot};
  if (found.count == 0) {
    found.count = take_batch(heap, c, most, 1, out);
    found.step = Step::steal;
  }
  if (found.count == 0) {
    found.count = take_from_shelves(shelf_of(c), heap, c, Rank::idle, most, out);
    found.step = Step::victim;
  }
  return found;
}

RefillResult BlockStore::take_cold(Heap& heap, uint32_t c, uint32_t most, uint32_t* out) {
  const ShelfOf of = shelf_of(c);
  const SizeClass& k = classes_[c];
  uint32_t count = take_from_shelves(of, heap, c, Rank::pinned, most, out);
  if (count != 0) return {Status::ok, count, Step::cold};
  if (budget_.room() < k.page) return {Status::exhausted, 0};
  Shelf& own = heap.classes[c].shelf;
  count = own.take(of, Rank::cold, most, out);
  // Of a slab that there is, a block may need fewer pages than of a new one: hence the room is looked at last.
  if (count == 0 && !may_carve(c)) count = take_from_shelves(of, heap, c, Rank::cold, most, out);
  if (count != 0) return {Status::ok, count, Step::cold, 0, true};
  if (budget_.room() < k.least_bytes()) return {Status::exhausted, 0};
  if (!carve(heap, c)) return {Status::out_of_memory, 0};
  count = own.take(of, Rank::cold, most, out);
  if (count == 0) return {Status::exhausted, 0};  // others were faster
  return {Status::ok, count, Step::slab, 0, true};
}

// Blocks of a heap's own slabs come back to it. So it gets some, as long as all of them fit the budget.
bool BlockStore::may_carve(uint32_t c) const {
  return totals_[c].slabs.load(std::memory_order_relaxed) < budget_.max() / classes_[c].slab_bytes;
}

// Of one batch out of a depot, of the heaps in turn beginning `first` slots behind `heap` (so thieves spread over the
// others): up to `most` blocks; the others go back.
uint32_t BlockStore::take_batch(const Heap& heap, uint32_t c, uint32_t most, uint32_t first, uint32_t* out) {
  const uint32_t slots = heap_slots();
  const uint32_t last = first == 0 ? 1 : slots;
  for (uint32_t i = first; i < last; ++i) {
    Heap* other = heap_at((heap.index + i) % slots);
    if (other == nullptr) continue;
    TaggedStack<>& depot = other->classes[c].depot;
    if (i != 0 && depot.looks_empty()) continue;
    const uint32_t batch = depot.pop(*this);
    if (batch == kNoIndex) continue;
    uint32_t count = 0;
    uint32_t b = batch;
    for (; b != kNoIndex && count < most; b = blocks_[b].next) out[count++] = b;
    if (b != kNoIndex) depot.push(*this, b);
    return count;
  }
  return 0;
}

template <class Take>
uint32_t BlockStore::from_heaps(const Heap& heap, uint32_t nothing, const Take& take) const {
  const uint32_t slots = heap_slots();
  for (uint32_t i = 0; i < slots; ++i) {
    Heap* other = heap_at((heap.index + i) % slots);
    if (other == nullptr) continue;
    const uint32_t taken = take(*other);
    if (taken != nothing) return taken;
  }
  return nothing;
}

uint32_t BlockStore::take_from_shelves(const ShelfOf& of, const Heap& heap, uint32_t c, Rank rank, uint32_t most,
                                       uint32_t* out) {
  return from_heaps(heap, 0, [&](Heap& other) { return other.classes[c].shelf.take(of, rank, most, out); });
}

uint32_t BlockStore::take_past(const Heap& heap, uint32_t c) {
  const ShelfOf of = shelf_of(c);
  return from_heaps(heap, kNoIndex, [&](Heap& other) { return other.classes[c].shelf.take_past(of); });
}

// A new slab, home in `heap`, all cold.
bool BlockStore::carve(Heap& heap, uint32_t c) {
  const SizeClass& k = classes_[c];
  Range* const range = AddressSpace::allocate(k.slab_bytes, k.slab_alignment);
  if (range == nullptr) return false;
  const uint32_t s = slabs_.claim(1);
  const uint32_t first = s != kNoIndex ? blocks_.claim(k.slab_blocks) : kNoIndex;
  if (first == kNoIndex) {
    if (s != kNoIndex) slabs_.unclaim(s, 1);
    range->release();
    return false;
  }
  Slab& slab = slabs_[s];
  slab.range = range;
  slab.first_block = first;
  slab.size_class = static_cast<uint16_t>(c);
  slab.home = heap.index;
  slab.rank = static_cast<uint8_t>(Rank::none);
  for (uint32_t b = first; b < first + k.slab_blocks; ++b) {
    blocks_[b].slab = s;
    blocks_[b].state.begin(static_cast<uint32_t>(scattered(salt_ + b)));
  }
  totals_[c].carved.fetch_add(k.slab_blocks, std::memory_order_relaxed);
  totals_[c].slabs.fetch_add(1, std::memory_order_relaxed);
  heap.classes[c].shelf.add(shelf_of(c), s);
  return true;
}

void BlockStore::put(uint32_t c, uint32_t* blocks, uint32_t count) {
  // One round for each home heap among them: one in all, unless threads hand blocks to each other.
  while (count != 0) {
    ClassHeap& home = home_of(blocks[0], c);
    BatchBuilder depot(*this, home.depot, classes_[c].batch);
    uint32_t others = 0;
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t b = blocks[i];
      if (&home_of(b, c) == &home) {
        depot.add(b);
      } else {
        blocks[others++] = b;
      }
    }
    count = others;
  }
}

void BlockStore::retire(uint32_t block) {
  blocks_[block].state.release_as(BlockState::retired);
  totals_[class_of(block)].retired.fetch_add(1, std::memory_order_relaxed);
}

void BlockStore::recall(uint32_t block, uint32_t generation) {
  // Held by nobody for a moment.
  if (!blocks_[block].state.adopt(generation, kNoMember)) return;
  const uint32_t c = class_of(block);
  blocks_[block].state.release_as(BlockState::free);
  totals_[c].recalled.fetch_add(1, std::memory_order_relaxed);
  BatchBuilder(*this, home_of(block, c).depot, 1).add(block);
}

void BlockStore::shelve(Heap& heap, uint32_t c) {
  TaggedStack<>& depot = heap.classes[c].depot;
  // One by one, so that never more than a batch is out of reach; at most as many as there can be, since others go on
  // flushing.
  const uint64_t most = totals_[c].carved.load(std::memory_order_relaxed);
  for (uint64_t batches = 0; batches <= most; ++batches) {
    if (depot.looks_empty()) return;
    in_hand_.during([&] {
      const uint32_t batch = depot.pop(*this);
      if (batch != kNoIndex) heap.classes[c].shelf.put(shelf_of(c), batch);
    });
  }
}

GivenBack BlockStore::give_back(Heap& heap, uint32_t c, uint32_t pass, uint64_t most_pages,
                                const StdSync::atomic<bool>* stop) {
  Shelf& shelf = heap.classes[c].shelf;
  GivenBack given;
  if (shelf.looks_empty(Rank::idle)) return given;
  in_hand_.during([&] { given = shelf.give_back(shelf_of(c), pass, most_pages, stop); });
  return given;
}

uint64_t BlockStore::resident_bytes(uint32_t c) const {
  return totals_[c].resident_pages.load(std::memory_order_relaxed) * classes_[c].page;
}

uint64_t BlockStore::pinned_bytes(uint32_t c) const {
  const uint64_t own = totals_[c].resident.load(std::memory_order_relaxed) * classes_[c].stride;
  const uint64_t all = resident_bytes(c);
  return all - std::min(all, own);
}

char* BlockStore::address(uint32_t block) const {
  const Slab& slab = slab_of(block);
  return slab.range->address() + size_t{block - slab.first_block} * classes_[slab.size_class].stride;
}

}  // namespace slabpool
