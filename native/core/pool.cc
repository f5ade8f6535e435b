#include "pool.h"

#include <algorithm>
#include <bit>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "batch_builder.h"
#include "os.h"

namespace slabpool {

namespace {

StdSync::atomic<uint32_t> pools_made{0};

static_assert(kMaxAttachments <= kNobodysIndex);

}  // namespace

std::unique_ptr<Pool> Pool::create(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms) {
  std::unique_ptr<Pool> pool(new (std::nothrow) Pool(capacities, count, max_bytes, epoch_ms));
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

Pool::Pool(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms)
    : number_(pools_made.fetch_add(1, std::memory_order_relaxed)),  // unique, and nothing else
      class_count_(count),
      epoch_ms_(epoch_ms),
      budget_(max_bytes) {
  for (uint32_t c = 0; c < count; ++c) classes_[c] = SizeClass::of(capacities[c], max_bytes, os::page_size());
}

Pool::~Pool() {
  janitor_.reset();
  const uint32_t slabs = slabs_.size();
  for (uint32_t s = 0; s < slabs; ++s) {
    // Null: a carve() that found no address space for its blocks. Locked memory stays; there is nobody left to tell.
    if (slabs_[s].address != nullptr) (void)os::decommit(slabs_[s].address, classes_[slabs_[s].size_class].slab_bytes);
  }
  for (const auto& attachment : attachments_) delete attachment.load(std::memory_order_relaxed);
  for (const auto& heap : heaps_) delete heap.load(std::memory_order_relaxed);
  for (Orphan* orphan = orphans_.load(std::memory_order_relaxed); orphan != nullptr;) {
    delete std::exchange(orphan, orphan->next);
  }
}

Attachment* Pool::attach() {
  // Relaxed: it only counts. A place is counted before it is taken, and until after it is given back.
  if (threads_.fetch_add(1, std::memory_order_relaxed) < kMaxThreads) {
    if (Attachment* thread = take_place()) return thread;
  }
  threads_.fetch_sub(1, std::memory_order_relaxed);
  return nullptr;
}

// A bit of `attached_`. As threads have all but one between them, there is always one for the queue.
Attachment* Pool::take_place() {
  for (uint32_t w = 0; w < kMaxAttachments / 64; ++w) {
    uint64_t taken = attached_[w].load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    while (~taken != 0) {
      const auto bit = static_cast<uint32_t>(std::countr_one(taken));
      // Acquire: pairs with the release in detach(); the counters pass from one thread to the next.
      if (attached_[w].compare_exchange_weak(taken, taken | uint64_t{1} << bit, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
        Attachment* thread = attachment_for(w * 64 + bit);
        if (thread == nullptr) attached_[w].fetch_and(~(uint64_t{1} << bit), std::memory_order_relaxed);
        return thread;
      }
    }
  }
  return nullptr;
}

void Pool::detach(Attachment& thread, Departure departure) {
  close_mailbox(thread);
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
      const Life life = block.life.get();
      if (life.owner != thread.index) continue;
      if (life.state == BlockState::transit) {
        if (departure == Departure::death) {
          add_orphan(b, life.generation, now);
        } else {
          block.life.disown(thread.index);  // or the death of the next thread with this index would orphan it
        }
      }
      if (life.state != BlockState::out) continue;
      const uint32_t c = class_of(b);
      if (block.slab != slab) {
        slab = block.slab;
        resting.emplace(*this, home_of(b, c).resting, classes_[c].batch);
      }
      block.life.lay_down(BlockState::resting);
      block.rests_since = now;
      reclaimed[c]++;
      // Before the push, which releases it: whoever wakes the block subtracts it afterwards.
      // Seq_cst: as the push of the stacks; a waiter that does not see it is seen by serve() below.
      totals_[c].resting.fetch_add(1, std::memory_order_seq_cst);
      resting->add(b);
    }
  }
  for (uint32_t c = 0; c < class_count_; ++c) {
    if (reclaimed[c] != 0) thread.classes[c].returned.add(reclaimed[c]);
    thread.classes[c].cached.store(0, std::memory_order_relaxed);
  }
  // Release: pairs with the acquire in attach(); the next thread with this index goes on with the counters.
  attached_[thread.index / 64].fetch_and(~(uint64_t{1} << thread.index % 64), std::memory_order_release);
  threads_.fetch_sub(1, std::memory_order_relaxed);  // as in attach()
  serve();
}

void Pool::add_orphan(uint32_t block, uint32_t generation, uint32_t now) {
  auto* orphan = new (std::nothrow) Orphan{block, generation, now, nullptr};
  if (orphan == nullptr) return;                            // stays in transit
  orphan->next = orphans_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
  // Release: pairs with the acquire of recall_orphans(). Seq_cst: as `resting` in detach().
  while (!orphans_.compare_exchange_weak(orphan->next, orphan, std::memory_order_seq_cst, std::memory_order_relaxed)) {
  }
}

// The caller owns the index.
Attachment* Pool::attachment_for(uint32_t index) {
  Attachment* thread = attachment_at(index);
  if (thread == nullptr) {
    Heap* heap = heap_for(index % kMaxHeaps);
    if (heap != nullptr) thread = Attachment::create(static_cast<uint16_t>(index), heap, class_count_);
    // Release: pairs with the acquire of attachment_at(); publishes it to threads that add up the counters.
    attachments_[index].store(thread, std::memory_order_release);
  }
  // Relaxed: only a bound for loops.
  uint32_t count = attachment_count_.load(std::memory_order_relaxed);
  while (count <= index && !attachment_count_.compare_exchange_weak(count, index + 1, std::memory_order_relaxed,
                                                                    std::memory_order_relaxed)) {
  }
  return thread;
}

Heap* Pool::heap_for(uint32_t slot) {
  Heap* heap = heap_at(slot);
  if (heap != nullptr) return heap;
  Heap* made = Heap::create(static_cast<uint16_t>(slot), class_count_);
  if (made == nullptr) return nullptr;
  // Release: pairs with the acquire of heap_at(); publishes the constructed heap. Acquire on failure: another thread
  // with this slot was faster, and its heap is used.
  if (heaps_[slot].compare_exchange_strong(heap, made, std::memory_order_release, std::memory_order_acquire))
    return made;
  delete made;
  return heap;
}

Heap* Pool::heap_at(uint32_t slot) const { return heaps_[slot].load(std::memory_order_acquire); }

Attachment* Pool::attachment_at(uint32_t index) const { return attachments_[index].load(std::memory_order_acquire); }

// Relaxed: what a racing attach() adds is found the next time.
uint32_t Pool::attachment_count() const { return attachment_count_.load(std::memory_order_relaxed); }

uint32_t Pool::heap_slots() const { return std::min(attachment_count(), kMaxHeaps); }

RefillResult Pool::refill(Attachment& thread, uint32_t c, uint32_t* out) {
  if (waiting()) return {Status::exhausted, 0};
  // Acquire, three times: pairs with end_aging()'s release; what was given back is then seen.
  const uint32_t before = ages_.load(std::memory_order_acquire);
  RefillResult result = try_refill(thread, *thread.heap, c, kMaxBatch, out);
  if (result.status == Status::exhausted) {
    // Blocks that a trim has in hand are in no stack, and yet charged: a refusal counts only when none was under way.
    const uint32_t after = ages_.load(std::memory_order_acquire);
    if (after != before || after % 2 != 0) {
      while (after % 2 != 0 && ages_.load(std::memory_order_acquire) == after) std::this_thread::yield();
      result = try_refill(thread, *thread.heap, c, kMaxBatch, out);
    }
  }
  // Of what was claimed or woken, some may have been given back, to be missed by somebody who began to wait meanwhile.
  serve();
  return result;
}

RefillResult Pool::try_refill(Attachment& thread, const Heap& heap, uint32_t c, uint32_t most, uint32_t* out) {
  Step step{};
  uint32_t batch = take_free(heap, c, step);
  if (batch == kNoIndex && wake(c)) batch = take_free(heap, c, step);
  if (batch == kNoIndex) {
    const SizeClass& k = classes_[c];
    const uint32_t wanted = (std::min(most, k.batch) + k.span - 1) / k.span;
    const uint32_t granted = k.span * budget_.claim(wanted, k.span_bytes());
    if (granted == 0) return {Status::exhausted, 0};
    batch = take_cold(heap, c, granted, step);
    if (batch == kNoIndex) {
      budget_.give_back(granted * k.stride);
      return {Status::out_of_memory, 0};
    }
  }
  thread.classes[c].refills[static_cast<size_t>(step)].add(1);
  const uint32_t count = hand_out(thread, c, batch, out);
  if (step == Step::victim) totals_[c].victim.fetch_sub(count, std::memory_order_relaxed);
  return {Status::ok, count, step};
}

uint32_t Pool::take_free(const Heap& heap, uint32_t c, Step& step) {
  step = Step::depot;
  uint32_t batch = heap.classes[c].depot.pop(*this);
  if (batch != kNoIndex) return batch;
  step = Step::steal;
  batch = take_from(heap, c, &ClassHeap::depot, 1);
  if (batch != kNoIndex) return batch;
  step = Step::victim;
  return take_from(heap, c, &ClassHeap::victim, 0);
}

// A batch from that stack of the heaps in turn, beginning `first` slots behind `heap`: so thieves spread over the
// others.
uint32_t Pool::take_from(const Heap& heap, uint32_t c, TaggedStack<> ClassHeap::*stack, uint32_t first) {
  const uint32_t slots = heap_slots();
  for (uint32_t i = first; i < slots; ++i) {
    Heap* other = heap_at((heap.index + i) % slots);
    if (other == nullptr || (other->classes[c].*stack).looks_empty()) continue;
    const uint32_t batch = (other->classes[c].*stack).pop(*this);
    if (batch != kNoIndex) return batch;
  }
  return kNoIndex;
}

// The budget has granted `limit` blocks; what is not taken goes back to it.
uint32_t Pool::take_cold(const Heap& heap, uint32_t c, uint32_t limit, Step& step) {
  step = Step::cold;
  uint32_t batch = take_from(heap, c, &ClassHeap::cold, 0);
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
  if (tail != kNoIndex) home_of(tail, c).cold.push(*this, tail);
  budget_.give_back((limit - taken) * classes_[c].stride);
  totals_[c].peak_resident.raise(totals_[c].resident.fetch_add(taken, std::memory_order_relaxed) + taken);
  if (janitor_) janitor_->wake();
  return batch;
}

// A new slab, home in `heap`: its first batch is returned, the others are pushed on the cold stack.
uint32_t Pool::carve(const Heap& heap, uint32_t c) {
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

// From here on the thread owns the blocks of the batch.
uint32_t Pool::hand_out(Attachment& thread, uint32_t c, uint32_t batch, uint32_t* out) {
  uint32_t count = 0;
  for (uint32_t b = batch; b != kNoIndex; b = blocks_[b].next) {
    out[count++] = b;
    blocks_[b].life.hand_out(thread.index);
  }
  thread.classes[c].taken.add(count);
  return count;
}

bool Pool::holds(const Attachment& thread, uint32_t c, uint32_t block) const {
  // A block that this thread holds had its slab published to it with the batch, or with the ticket.
  return block < blocks_.size() && blocks_[block].life.held_by(thread.index) && class_of(block) == c;
}

Status Pool::flush(Attachment& thread, uint32_t c, uint32_t* blocks, uint32_t count) {
  const Status status = flush_held(thread, c, blocks, count);
  serve();
  return status;
}

Status Pool::flush_held(Attachment& thread, uint32_t c, uint32_t* blocks, uint32_t count) {
  // The life word moves before the next block is looked at, so that a block named twice is caught.
  uint32_t held = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (!holds(thread, c, blocks[i])) continue;
    blocks_[blocks[i]].life.lay_down(BlockState::free);
    blocks[held++] = blocks[i];
  }
  thread.classes[c].returned.add(held);
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

Status Pool::retire(Attachment& thread, uint32_t c, uint32_t block) {
  if (!holds(thread, c, block)) return Status::not_held;
  blocks_[block].life.lay_down(BlockState::retired);
  thread.classes[c].returned.add(1);
  totals_[c].retired.fetch_add(1, std::memory_order_relaxed);
  return Status::ok;
}

Status Pool::transfer(Attachment& thread, uint32_t c, uint32_t block, Carrier carrier, uint32_t& generation,
                      uint32_t size) {
  if (!holds(thread, c, block)) return Status::not_held;
  thread.classes[c].sent.add(1);
  blocks_[block].size = static_cast<uint32_t>(std::min<size_t>(size, classes_[c].capacity));
  generation = blocks_[block].life.transfer(carrier == Carrier::ticket ? thread.index : kNobodysIndex);
  return Status::ok;
}

Status Pool::adopt(Attachment& thread, uint32_t block, uint32_t generation) {
  if (block >= blocks_.size() || !blocks_[block].life.adopt(generation, kTicketGenerationBits, thread.index)) {
    return Status::stale;
  }
  thread.classes[class_of(block)].adopted.add(1);
  return Status::ok;
}

void Pool::recall(uint32_t block, uint32_t generation) {
  recall_block(block, generation);
  serve();
}

void Pool::recall_block(uint32_t block, uint32_t generation) {
  // Out with nobody for a moment.
  if (!blocks_[block].life.adopt(generation, kTicketGenerationBits, kNobodysIndex)) return;
  const uint32_t c = class_of(block);
  blocks_[block].life.lay_down(BlockState::free);
  totals_[c].recalled.fetch_add(1, std::memory_order_relaxed);
  BatchBuilder(*this, home_of(block, c).depot, 1).add(block);
}

char* Pool::address(uint32_t block) const {
  const Slab& slab = slabs_[blocks_[block].slab];
  return slab.address + size_t{block - slab.first_block} * classes_[slab.size_class].stride;
}

}  // namespace slabpool
