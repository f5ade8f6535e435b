#include "core/pool/quarantine.h"

#include <memory>
#include <new>
#include <optional>
#include <utility>

namespace slabpool {

Quarantine::~Quarantine() {
  for (AbandonedTicket* ticket = tickets_.load(std::memory_order_relaxed); ticket != nullptr;) {
    delete std::exchange(ticket, ticket->next);
  }
}

void Quarantine::take_all_of(Member& member, Departure departure) {
  const uint32_t now = os::now_ms();
  const uint32_t blocks = store_.block_count();
  uint32_t taken[kMaxClasses] = {};
  {
    std::optional<BlockStore::BatchBuilder> batches;  // of the slab at hand
    uint32_t slab = kNoIndex;
    for (uint32_t b = 0; b < blocks; ++b) {
      Block& block = store_.block(b);
      // Other threads move the states of other blocks; none of those can come to be held or sent by this member now.
      // Read once: what was sent may be adopted, and sent on by others, at any moment.
      const BlockStateWord word = block.state.get();
      if (word.owner != member.index) continue;
      if (word.state == BlockState::in_flight) {
        if (departure == Departure::abandoned) {
          add_ticket(b, word.generation, now);
        } else {
          block.state.disown(
              member.index);  // or the ticket would be void when the next member with this index is abandoned
        }
      }
      if (word.state != BlockState::held) continue;
      const uint32_t c = store_.class_of(b);
      if (block.slab != slab) {
        slab = block.slab;
        batches.emplace(store_, store_.home_of(b, c).quarantine, store_.size_class(c).batch);
      }
      block.state.release_as(BlockState::quarantined);
      block.quarantined_since = now;
      taken[c]++;
      // Before the push, which releases it: whoever frees the block subtracts it afterwards. Seq_cst: see Never lost.
      store_.totals(c).quarantined.fetch_add(1, std::memory_order_seq_cst);
      batches->add(b);
    }
  }
  for (uint32_t c = 0; c < store_.class_count(); ++c) {
    if (taken[c] != 0) member.classes[c].returned.add(taken[c]);
    member.classes[c].cached.store(0, std::memory_order_relaxed);
  }
}

void Quarantine::add_ticket(uint32_t block, uint32_t generation, uint32_t since) {
  auto* const ticket = new (std::nothrow) AbandonedTicket{block, generation, since, nullptr};
  if (ticket == nullptr) return;                            // the block stays in flight
  ticket->next = tickets_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
  // Release: pairs with the acquire of recall_expired_tickets(). Seq_cst: see Never lost.
  while (!tickets_.compare_exchange_weak(ticket->next, ticket, std::memory_order_seq_cst, std::memory_order_relaxed)) {
  }
}

bool Quarantine::release_expired(uint32_t c) {
  // What is being taken from a member meanwhile is found the next time. Seq_cst: see Never lost.
  const bool blocks = store_.totals(c).quarantined.load(std::memory_order_seq_cst) != 0;
  const bool tickets = tickets_.load(std::memory_order_seq_cst) != nullptr;
  if (!blocks && !tickets) return false;
  bool any = false;
  store_.in_hand().during([&] {
    if (blocks) any = free_expired_blocks(c);
    if (tickets && recall_expired_tickets()) any = true;
  });
  return any;
}

bool Quarantine::free_expired_blocks(uint32_t c) {
  uint32_t freed = 0;
  for (uint32_t h = 0; h < store_.heap_slots(); ++h) {
    Heap* heap = store_.heap_at(h);
    if (heap == nullptr) continue;
    BlockStore::ClassHeap& home = heap->classes[c];
    uint32_t batch = home.quarantine.take_all();
    // Read after the batches were taken, so that the quarantine of none of them began later.
    const uint32_t now = os::now_ms();
    while (batch != kNoIndex) {
      // Relaxed: take_all acquired the links. Read before a push gives the batch away.
      const uint32_t next = store_.next_batch(batch).load(std::memory_order_relaxed);
      if (now - store_.block(batch).quarantined_since >= epoch_ms_) {
        for (uint32_t b = batch; b != kNoIndex; b = store_.block(b).next, ++freed) {
          store_.block(b).state.release_as(BlockState::free);
        }
        home.depot.push(store_, batch);
      } else {
        home.quarantine.push(store_, batch);
      }
      batch = next;
    }
  }
  store_.totals(c).quarantined.fetch_sub(freed, std::memory_order_relaxed);
  return freed != 0;
}

bool Quarantine::recall_expired_tickets() {
  bool recalled = false;
  // Acquire: pairs with the release of add_ticket().
  AbandonedTicket* ticket = tickets_.exchange(nullptr, std::memory_order_acquire);
  const uint32_t now = os::now_ms();
  while (ticket != nullptr) {
    const std::unique_ptr<AbandonedTicket> taken(std::exchange(ticket, ticket->next));
    if (now - taken->since >= epoch_ms_) {
      store_.recall(taken->block, taken->generation);
      recalled = true;
    } else {
      add_ticket(taken->block, taken->generation, taken->since);
    }
  }
  return recalled;
}

bool Quarantine::any() const {
  // Seq_cst: see Never lost.
  if (tickets_.load(std::memory_order_seq_cst) != nullptr) return true;
  for (uint32_t c = 0; c < store_.class_count(); ++c) {
    if (store_.totals(c).quarantined.load(std::memory_order_seq_cst) != 0) return true;
  }
  return false;
}

}  // namespace slabpool
