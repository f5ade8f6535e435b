#include "core/pool/pool.h"

#include <algorithm>
#include <bit>
#include <new>
#include <optional>
#include <random>
#include <utility>

#include "core/block/page_runs.h"
#include "core/os/os.h"
#include "core/pool/batch_builder.h"

namespace slabpool {

namespace {

StdSync::atomic<uint64_t> pools_made{0};

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
  return scattered(seed + pools_made.fetch_add(1, std::memory_order_relaxed));  // unique, and nothing else
}

static_assert(kMaxMembers <= kNoMember);

// How often a refill that found no room looks again since others made some, or had something in hand: whoever took it instead has
// made progress, but nobody is to be kept for ever.
constexpr uint32_t kMostTries = 64;

// What the system may still do for a thread that died, it has done by then.
constexpr uint32_t kLeastRestMs = 1000;

}  // namespace

std::unique_ptr<Pool> Pool::create(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms,
                                   uint64_t min_bytes) {
  std::unique_ptr<Pool> pool(new (std::nothrow) Pool(capacities, count, max_bytes, epoch_ms, min_bytes));
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
  if (!pool->blocks_.reserve(static_cast<uint32_t>(std::min<uint64_t>(blocks, kMaxBlocks)))) return nullptr;
  if (!pool->slabs_.reserve(static_cast<uint32_t>(std::min<uint64_t>(slabs, kMaxBlocks)))) return nullptr;
  return pool;
}

Pool::Pool(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms, uint64_t min_bytes)
    : salt_(draw_salt()), class_count_(count), epoch_ms_(epoch_ms), min_bytes_(min_bytes), budget_(max_bytes) {
  for (uint32_t c = 0; c < count; ++c) classes_[c] = SizeClass::of(capacities[c], max_bytes, os::page_size());
}

Pool::~Pool() {
  janitor_.reset();
  for (uint32_t s = 0; s < slabs_.size(); ++s) let_go(slabs_[s]);
  for (const auto& member : members_) delete member.load(std::memory_order_relaxed);
  for (const auto& heap : heaps_) delete heap.load(std::memory_order_relaxed);
  for (AbandonedTicket* orphan = abandoned_.load(std::memory_order_relaxed); orphan != nullptr;) {
    delete std::exchange(orphan, orphan->next);
  }
}

// Pages that somebody may be using stay until the last ArrayBuffer over the slab is gone; the others go now.
void Pool::let_go(const Slab& slab) {
  if (slab.range == nullptr) return;  // a carve() that found no address space
  const SizeClass& k = classes_[slab.size_class];
  bool rests = false;
  BlockSet unused{};
  for (uint32_t b = 0; b < k.slab_blocks; ++b) {
    const BlockState state = blocks_[slab.first_block + b].state.get().state;
    rests = rests || state == BlockState::quarantined;
    if (state != BlockState::held && state != BlockState::quarantined && state != BlockState::retired) unused.add(b);
  }
  // The system may still be writing to it for a dead thread.
  if (rests) slab.range->rest(std::max(epoch_ms_, kLeastRestMs));
  if (slab.range->shared() || rests) {
    PageRuns runs;
    find_runs(k, BlockSet{}, unused, runs);
    uint32_t calls = 0;
    (void)runs.decommit(slab.range->address(), calls, nullptr);
  }
  slab.range->release();
}

Member* Pool::attach(bool* full) {
  // Relaxed: it only counts. A place is counted before it is taken, and until after it is given back.
  const bool room = threads_.fetch_add(1, std::memory_order_relaxed) < kMaxThreads;
  if (full != nullptr) *full = !room;
  if (room) {
    if (Member* member = take_place()) return member;
  }
  threads_.fetch_sub(1, std::memory_order_relaxed);
  return nullptr;
}

// A bit of `attached_`. As threads have all but one between them, there is always one for the queue.
Member* Pool::take_place() {
  for (uint32_t w = 0; w < kMaxMembers / 64; ++w) {
    uint64_t taken = attached_[w].load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    while (~taken != 0) {
      const auto bit = static_cast<uint32_t>(std::countr_one(taken));
      // Acquire: pairs with the release in detach(); the counters pass from one thread to the next.
      if (attached_[w].compare_exchange_weak(taken, taken | uint64_t{1} << bit, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
        Member* member = member_for(w * 64 + bit);
        if (member == nullptr) attached_[w].fetch_and(~(uint64_t{1} << bit), std::memory_order_relaxed);
        return member;
      }
    }
  }
  return nullptr;
}

void Pool::detach(Member& member, Departure departure) {
  close_notifications(member);
  const uint32_t now = os::now_ms();
  const uint32_t blocks = blocks_.size();
  uint32_t reclaimed[kMaxClasses] = {};
  {
    std::optional<BatchBuilder> resting;  // of the slab at hand
    uint32_t slab = kNoIndex;
    for (uint32_t b = 0; b < blocks; ++b) {
      Block& block = blocks_[b];
      // Other threads move the life words of other blocks; none of those can come to be held or sent by this thread now.
      // Read once: what was sent may be adopted, and sent on by others, at any moment.
      const BlockStateWord word = block.state.get();
      if (word.owner != member.index) continue;
      if (word.state == BlockState::in_flight) {
        if (departure == Departure::abandoned) {
          abandon_ticket(b, word.generation, now);
        } else {
          block.state.disown(member.index);  // or the death of the next thread with this index would orphan it
        }
      }
      if (word.state != BlockState::held) continue;
      const uint32_t c = class_of(b);
      if (block.slab != slab) {
        slab = block.slab;
        resting.emplace(*this, home_of(b, c).quarantine, classes_[c].batch);
      }
      block.state.release_as(BlockState::quarantined);
      block.quarantined_since = now;
      reclaimed[c]++;
      // Before the push, which releases it: whoever wakes the block subtracts it afterwards.
      // Seq_cst: as the push of the stacks; a waiter that does not see it is seen by serve() below.
      totals_[c].quarantined.fetch_add(1, std::memory_order_seq_cst);
      resting->add(b);
    }
  }
  for (uint32_t c = 0; c < class_count_; ++c) {
    if (reclaimed[c] != 0) member.classes[c].returned.add(reclaimed[c]);
    member.classes[c].cached.store(0, std::memory_order_relaxed);
  }
  // Release: pairs with the acquire in attach(); the next thread with this index goes on with the counters.
  attached_[member.index / 64].fetch_and(~(uint64_t{1} << member.index % 64), std::memory_order_release);
  threads_.fetch_sub(1, std::memory_order_relaxed);  // as in attach()
  // No epoch wakes the janitor for what it has left in transit.
  if (epoch_ms_ == 0 && draining()) (void)wake(0);
  serve();
}

void Pool::abandon_ticket(uint32_t block, uint32_t generation, uint32_t now) {
  auto* orphan = new (std::nothrow) AbandonedTicket{block, generation, now, nullptr};
  if (orphan == nullptr) return;                              // stays in transit
  orphan->next = abandoned_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
  // Release: pairs with the acquire of recall_abandoned(). Seq_cst: as `resting` in detach().
  while (
      !abandoned_.compare_exchange_weak(orphan->next, orphan, std::memory_order_seq_cst, std::memory_order_relaxed)) {
  }
}

// The caller owns the index.
Member* Pool::member_for(uint32_t index) {
  Member* member = member_at(index);
  if (member == nullptr) {
    Heap* heap = heap_for(index % kMaxHeaps);
    if (heap != nullptr) member = Member::create(static_cast<uint16_t>(index), heap, class_count_);
    // Release: pairs with the acquire of member_at(); publishes it to threads that add up the counters.
    members_[index].store(member, std::memory_order_release);
  }
  // Seq_cst, as in member_count(): who flushes to a new heap and finds nobody waiting has published it to whoever begins to
  // wait then, and looks through the heaps (wait_queue.h).
  uint32_t count = member_count_.load(std::memory_order_seq_cst);
  while (count <= index &&
         !member_count_.compare_exchange_weak(count, index + 1, std::memory_order_seq_cst, std::memory_order_seq_cst)) {
  }
  return member;
}

Heap* Pool::heap_for(uint32_t slot) {
  Heap* heap = heap_at(slot);
  if (heap != nullptr) return heap;
  Heap* made = Heap::create(static_cast<uint16_t>(slot), class_count_);
  if (made == nullptr) return nullptr;
  // Release: pairs with the acquire of heap_at(); publishes the constructed heap. Acquire on failure: another thread
  // with this slot was faster, and its heap is used. Seq_cst, both and in heap_at(): see member_for().
  if (heaps_[slot].compare_exchange_strong(heap, made, std::memory_order_seq_cst, std::memory_order_seq_cst))
    return made;
  delete made;
  return heap;
}

Heap* Pool::heap_at(uint32_t slot) const { return heaps_[slot].load(std::memory_order_seq_cst); }

Member* Pool::member_at(uint32_t index) const { return members_[index].load(std::memory_order_acquire); }

// Seq_cst: see member_for().
uint32_t Pool::member_count() const { return member_count_.load(std::memory_order_seq_cst); }

uint32_t Pool::heap_slots() const { return std::min(member_count(), kMaxHeaps); }

RefillResult Pool::refill(Member& member, uint32_t c, uint32_t* out) {
  if (waiting()) return refill_past_queue(member, c, out);
  const RefillResult result = try_take(*member.heap, c, classes_[c].batch, out);
  if (result.status == Status::ok) {
    member.classes[c].refills[static_cast<size_t>(result.step)].add(1);
    hand_out(member, c, out, result.count);
  }
  // Of what was claimed or woken, some may have been given back, to be missed by somebody who began to wait meanwhile.
  serve();
  return result;
}

RefillResult Pool::try_take(Heap& heap, uint32_t c, uint32_t most, uint32_t* out) {
  uint64_t reclaimed = 0;
  RefillResult result{};
  for (uint32_t tries = 0; tries < kMostTries; ++tries) {
    result = take(heap, c, most, out);
    if (result.status != Status::exhausted) break;
    const uint64_t bytes = reclaim(std::min<uint64_t>(most * classes_[c].least_bytes(), budget_.max()));
    reclaimed += bytes;
    if (bytes != 0) continue;
    // What another thread has in hand is in no place, and yet charged: a refusal counts only when there was none.
    uint64_t passed;
    const bool others_step = stepping(passed);
    result = take(heap, c, most, out);
    if (result.status != Status::exhausted || !others_step) break;
    await_step(passed);
  }
  result.reclaimed_bytes = reclaimed;
  return result;
}

RefillResult Pool::take(Heap& heap, uint32_t c, uint32_t most, uint32_t* out) {
  RefillResult found{Status::ok, 0};
  const auto at = [&](Step step, uint32_t count) {
    found.step = step;
    found.count = count;
    return count != 0;
  };
  const auto take_free = [&] {
    return at(Step::depot, take_batch(heap, c, most, 0, out)) || at(Step::steal, take_batch(heap, c, most, 1, out)) ||
           at(Step::victim, take_from_shelves(shelf_of(c), heap, c, Rank::idle, most, out));
  };
  if (take_free() || (wake(c) && take_free()) ||
      at(Step::cold, take_from_shelves(shelf_of(c), heap, c, Rank::pinned, most, out))) {
    return found;
  }
  const SizeClass& k = classes_[c];
  if (budget_.room() < k.page) return {Status::exhausted, 0};
  Step step = Step::cold;
  uint32_t count = heap.classes[c].shelf.take(shelf_of(c), Rank::cold, most, out);
  // Of a slab that there is, a block may need fewer pages than of a new one: hence the room is looked at last.
  if (count == 0 && !may_carve(c)) count = take_from_shelves(shelf_of(c), heap, c, Rank::cold, most, out);
  if (count == 0) {
    if (budget_.room() < k.least_bytes()) return {Status::exhausted, 0};
    if (!carve(heap, c)) return {Status::out_of_memory, 0};
    step = Step::slab;
    count = heap.classes[c].shelf.take(shelf_of(c), Rank::cold, most, out);
    if (count == 0) return {Status::exhausted, 0};  // others were faster
  }
  if (janitor_) janitor_->wake();
  return {Status::ok, count, step};
}

// Blocks of a heap's own slabs come back to it. So it gets some, as long as all of them fit the budget.
bool Pool::may_carve(uint32_t c) const {
  return totals_[c].slabs.load(std::memory_order_relaxed) < budget_.max() / classes_[c].slab_bytes;
}

// Of one batch out of a depot, of the heaps in turn beginning `first` slots behind `heap` (so thieves spread over the others): up to
// `most` blocks; the others go back.
uint32_t Pool::take_batch(const Heap& heap, uint32_t c, uint32_t most, uint32_t first, uint32_t* out) {
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

uint32_t Pool::take_from_shelves(const ShelfOf& of, const Heap& heap, uint32_t c, Rank rank, uint32_t most,
                                 uint32_t* out) {
  const uint32_t slots = heap_slots();
  for (uint32_t i = 0; i < slots; ++i) {
    Heap* other = heap_at((heap.index + i) % slots);
    if (other == nullptr) continue;
    const uint32_t count = other->classes[c].shelf.take(of, rank, most, out);
    if (count != 0) return count;
  }
  return 0;
}

// Of the heaps in turn: a block of which those who wait have nothing.
uint32_t Pool::take_past(const Heap& heap, uint32_t c) {
  const uint32_t slots = heap_slots();
  for (uint32_t i = 0; i < slots; ++i) {
    Heap* other = heap_at((heap.index + i) % slots);
    if (other == nullptr) continue;
    const uint32_t block = other->classes[c].shelf.take_past(shelf_of(c));
    if (block != kNoIndex) return block;
  }
  return kNoIndex;
}

// A new slab, home in `heap`, all cold.
bool Pool::carve(Heap& heap, uint32_t c) {
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

// From here on the thread owns the blocks.
void Pool::hand_out(Member& member, uint32_t c, const uint32_t* blocks, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) blocks_[blocks[i]].state.hand_out(member.index);
  member.classes[c].taken.add(count);
}

bool Pool::holds(const Member& member, uint32_t c, uint32_t block) const {
  // A block that this thread holds had its slab published to it with the batch, or with the ticket.
  return block < blocks_.size() && blocks_[block].state.held_by(member.index) && class_of(block) == c;
}

bool Pool::holds_any(const Member& member) const {
  for (uint32_t c = 0; c < class_count_; ++c) {
    const Member::ClassCounters& k = member.classes[c];
    if (k.taken.get() + k.adopted.get() != k.returned.get() + k.sent.get()) return true;
  }
  return false;
}

Status Pool::flush(Member& member, uint32_t c, uint32_t* blocks, uint32_t count) {
  const Status status = flush_held(member, c, blocks, count);
  serve();
  return status;
}

Status Pool::flush_held(Member& member, uint32_t c, uint32_t* blocks, uint32_t count) {
  // The life word moves before the next block is looked at, so that a block named twice is caught.
  uint32_t held = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (!holds(member, c, blocks[i])) continue;
    blocks_[blocks[i]].state.release_as(BlockState::free);
    blocks[held++] = blocks[i];
  }
  member.classes[c].returned.add(held);
  const Status status = held == count ? Status::ok : Status::not_held;

  // One round for each home heap among them: one in all, unless threads hand blocks to each other.
  while (held != 0) {
    ClassHeap& home = home_of(blocks[0], c);
    BatchBuilder depot(*this, home.depot, classes_[c].batch);
    uint32_t others = 0;
    for (uint32_t i = 0; i < held; ++i) {
      const uint32_t b = blocks[i];
      if (&home_of(b, c) == &home) {
        depot.add(b);
      } else {
        blocks[others++] = b;
      }
    }
    held = others;
  }
  return status;
}

Status Pool::retire(Member& member, uint32_t c, uint32_t block) {
  if (!holds(member, c, block)) return Status::not_held;
  blocks_[block].state.release_as(BlockState::retired);
  member.classes[c].returned.add(1);
  totals_[c].retired.fetch_add(1, std::memory_order_relaxed);
  serve();  // it frees nothing, but it may be the last one out
  return Status::ok;
}

Status Pool::transfer(Member& member, uint32_t c, uint32_t block, Carrier carrier, uint32_t& generation,
                      uint32_t size) {
  if (!holds(member, c, block)) return Status::not_held;
  member.classes[c].sent.add(1);
  blocks_[block].size = static_cast<uint32_t>(std::min<size_t>(size, classes_[c].capacity));
  // Relaxed: for figures, which check the life word.
  if (carrier == Carrier::ticket) blocks_[block].next_batch.store(os::coarse_now_ms(), std::memory_order_relaxed);
  generation = blocks_[block].state.transfer(carrier == Carrier::ticket ? member.index : kNoMember);
  return Status::ok;
}

Status Pool::adopt(Member& member, uint32_t block, uint32_t generation, uint32_t bits) {
  if (block >= blocks_.size() || !blocks_[block].state.adopt(generation, member.index, bits)) {
    return Status::stale;
  }
  member.classes[class_of(block)].adopted.add(1);
  return Status::ok;
}

Status Pool::adopt_ticket(Member& member, uint64_t number, uint32_t& block) {
  const std::optional<Ticket> ticket = Ticket::of(number);
  if (!ticket) return Status::stale;
  block = ticket->block;
  return adopt(member, block, ticket->generation, ticket->bits);
}

void Pool::recall(uint32_t block, uint32_t generation) {
  recall_block(block, generation);
  serve();
}

void Pool::recall_block(uint32_t block, uint32_t generation) {
  // Out with nobody for a moment.
  if (!blocks_[block].state.adopt(generation, kNoMember)) return;
  const uint32_t c = class_of(block);
  blocks_[block].state.release_as(BlockState::free);
  totals_[c].recalled.fetch_add(1, std::memory_order_relaxed);
  BatchBuilder(*this, home_of(block, c).depot, 1).add(block);
}

char* Pool::address(uint32_t block) const {
  const Slab& slab = slabs_[blocks_[block].slab];
  return slab.range->address() + size_t{block - slab.first_block} * classes_[slab.size_class].stride;
}

}  // namespace slabpool
