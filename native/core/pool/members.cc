#include "core/pool/members.h"

#include <algorithm>
#include <bit>

namespace slabpool {

static_assert(kMaxMembers <= kNoMember);

Members::~Members() {
  for (const auto& member : members_) delete member.load(std::memory_order_relaxed);
}

Member* Members::attach(bool* full) {
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
Member* Members::take_place() {
  for (uint32_t w = 0; w < kMaxMembers / 64; ++w) {
    uint64_t taken = attached_[w].load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    while (~taken != 0) {
      const auto bit = static_cast<uint32_t>(std::countr_one(taken));
      // Acquire: pairs with the release in leave(); the counters pass from one thread to the next.
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

Member* Members::member_for(uint32_t index) {
  Member* member = at(index);
  if (member == nullptr) {
    Heap* heap = store_.heap_for(index % kMaxHeaps);
    if (heap != nullptr) member = Member::create(static_cast<uint16_t>(index), heap, store_.class_count());
    // Release: pairs with the acquire of at(); publishes the member to threads that add up the counters.
    members_[index].store(member, std::memory_order_release);
  }
  // Release: pairs with the acquire of count(); who sees the index in range sees the member. Seq_cst: who attaches, and
  // then finds that the pool does not drain yet, is seen by whoever looks afterwards whether all blocks are back.
  uint32_t count = count_.load(std::memory_order_seq_cst);
  while (count <= index &&
         !count_.compare_exchange_weak(count, index + 1, std::memory_order_seq_cst, std::memory_order_seq_cst)) {
  }
  return member;
}

void Members::leave(Member& member) {
  // Release: pairs with the acquire in take_place(); the next member with this index goes on with the counters.
  attached_[member.index / 64].fetch_and(~(uint64_t{1} << member.index % 64), std::memory_order_release);
  threads_.fetch_sub(1, std::memory_order_relaxed);  // as in attach()
}

bool Members::holds_any(const Member& member) const {
  for (uint32_t c = 0; c < store_.class_count(); ++c) {
    const Member::ClassCounters& k = member.classes[c];
    if (k.taken.get() + k.adopted.get() != k.returned.get() + k.sent.get()) return true;
  }
  return false;
}

uint32_t Members::take_back(Member& member, uint32_t c, uint32_t* blocks, uint32_t count) {
  // The state moves before the next block is looked at, so that a block named twice is caught.
  uint32_t held = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (!holds(member, c, blocks[i])) continue;
    store_.block(blocks[i]).state.release_as(BlockState::free);
    blocks[held++] = blocks[i];
  }
  member.classes[c].returned.add(held);
  return held;
}

Status Members::retire(Member& member, uint32_t c, uint32_t block) {
  if (!holds(member, c, block)) return Status::not_held;
  store_.retire(block);
  member.classes[c].returned.add(1);
  return Status::ok;
}

Status Members::transfer(Member& member, uint32_t c, uint32_t block, Carrier carrier, uint32_t& generation,
                         uint32_t size) {
  if (!holds(member, c, block)) return Status::not_held;
  member.classes[c].sent.add(1);
  Block& sent = store_.block(block);
  sent.size = static_cast<uint32_t>(std::min<size_t>(size, store_.size_class(c).capacity));
  // Relaxed: for figures, which check the state.
  if (carrier == Carrier::ticket) sent.next_batch.store(os::coarse_now_ms(), std::memory_order_relaxed);
  generation = sent.state.transfer(carrier == Carrier::ticket ? member.index : kNoMember);
  return Status::ok;
}

Status Members::adopt(Member& member, uint32_t block, uint32_t generation, uint32_t bits) {
  if (block >= store_.block_count() || !store_.block(block).state.adopt(generation, member.index, bits)) {
    return Status::stale;
  }
  member.classes[store_.class_of(block)].adopted.add(1);
  return Status::ok;
}

}  // namespace slabpool
