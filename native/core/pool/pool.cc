#include "core/pool/pool.h"

#include <algorithm>
#include <new>
#include <optional>

#include "core/block/ticket.h"
#include "core/pool/invariants.h"

namespace slabpool {

std::unique_ptr<Pool> Pool::create(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms,
                                   uint64_t min_bytes) {
  std::unique_ptr<Pool> pool(new (std::nothrow) Pool(capacities, count, max_bytes, epoch_ms, min_bytes));
  return pool && pool->store_.reserve() ? std::move(pool) : nullptr;
}

Pool::Pool(const uint32_t* capacities, uint32_t count, uint64_t max_bytes, uint32_t epoch_ms, uint64_t min_bytes)
    : store_(capacities, count, max_bytes, epoch_ms),
      members_(store_),
      reclaimer_(store_, epoch_ms, min_bytes),
      queue_(store_, members_, reclaimer_) {}

Pool::~Pool() { reclaimer_.withdraw(); }

void Pool::detach(Member& member, Departure departure) {
  queue_.close_notifications(member);
  reclaimer_.quarantine().take_all_of(member, departure);
  members_.leave(member);
  if (draining()) reclaimer_.release_without_epochs();
  queue_.serve();
}

RefillResult Pool::refill(Member& member, uint32_t c, uint32_t* out) {
  if (waiting()) return queue_.refill_past(member, c, out);
  const RefillResult result = reclaimer_.take(*member.heap, c, size_class(c).batch, out);
  if (result.status == Status::ok) {
    member.classes[c].count_refill(result.step);
    members_.hand_out(member, c, out, result.count);
  }
  // Of what was claimed, or came out of quarantine, some may have been given back, to be missed by somebody who began
  // to wait meanwhile.
  queue_.serve();
  if (result.unbacked) store_.populate(c, out, result.count, BlockStore::Amount::reach);
  return result;
}

WarmResult Pool::warm(Member& member, uint32_t c, uint64_t count) {
  if (draining()) return {Status::draining, 0};
  if (waiting()) return {Status::exhausted, 0};
  (void)reclaimer_.quarantine().release_expired(c);
  const ClassStats now = stats(c);
  const uint64_t in_use = now.held + now.in_flight + now.quarantined + now.retired;
  const WarmResult result = store_.warm(*member.heap, c, count, now.resident - std::min(now.resident, in_use));
  reclaimer_.wake_janitor();
  queue_.serve();
  return result;
}

uint32_t Pool::take_free(Member& member, uint32_t c, uint32_t most, uint32_t* out) {
  if (waiting()) return 0;
  const uint32_t count = store_.take_free(*member.heap, c, most, out).count;
  members_.hand_out(member, c, out, count);
  // What was in hand may have been missed by somebody who began to wait meanwhile.
  queue_.serve();
  store_.populate(c, out, count, BlockStore::Amount::all);
  return count;
}

bool Pool::collect(Member& member, Grant& grant) {
  if (!queue_.collect(member, grant)) return false;
  if (grant.unbacked) store_.populate(grant.size_class, &grant.block, 1, BlockStore::Amount::reach);
  return true;
}

Status Pool::flush(Member& member, uint32_t c, uint32_t* blocks, uint32_t count) {
  const uint32_t held = members_.take_back(member, c, blocks, count);
  store_.put(c, blocks, held);
  queue_.serve();
  return held == count ? Status::ok : Status::not_held;
}

Status Pool::retire(Member& member, uint32_t c, uint32_t block) {
  const Status status = members_.retire(member, c, block);
  if (status == Status::ok) queue_.serve();  // it frees nothing, but it may be the last block that was held
  return status;
}

Status Pool::adopt_ticket(Member& member, uint64_t number, uint32_t& block) {
  const std::optional<Ticket> ticket = Ticket::of(number);
  if (!ticket) return Status::stale;
  block = ticket->block;
  return members_.adopt(member, block, ticket->generation, ticket->bits);
}

void Pool::recall(uint32_t block, uint32_t generation) {
  store_.recall(block, generation);
  queue_.serve();
}

uint64_t Pool::age(const StdSync::atomic<bool>* stop) {
  const uint64_t bytes = reclaimer_.age(stop);
  queue_.serve();
  return bytes;
}

uint64_t Pool::trim(Cause cause, const StdSync::atomic<bool>* stop) {
  const uint64_t bytes = reclaimer_.trim(cause, stop);
  queue_.serve();
  return bytes;
}

void Pool::age(Aging why, const StdSync::atomic<bool>& stop) {
  switch (why) {
    case Aging::epoch:
      (void)age(&stop);
      break;
    case Aging::trim:
      (void)trim(Cause::trim, &stop);
      break;
    case Aging::pressure:
      request_flush(FlushRequest::pressure, nullptr);
      (void)trim(Cause::pressure, &stop);
      break;
  }
}

PoolStats Pool::stats() const {
  PoolStats stats{};
  stats.waits = queue_.waits();
  stats.waiting = queue_.size();
  stats.peak_waiting = queue_.peak();
  stats.peak_resident_bytes = budget().peak();
  stats.refused = queue_.refused();
  for (size_t cause = 0; cause < kCauses; ++cause) {
    stats.dropped_bytes[cause] = reclaimer_.dropped_bytes(static_cast<Cause>(cause));
  }
  stats.drop_calls = reclaimer_.drop_calls();
  return stats;
}

bool Pool::stats(uint32_t index, ThreadStats& stats) const {
  const Member* const member = members_.at(index);
  if (member == nullptr || !members_.is_attached(index) || queue_.is_own(member)) return false;
  stats = thread_stats(store_, *member);
  return true;
}

const char* Pool::check_invariants() const { return slabpool::check_invariants(store_, members_); }

}  // namespace slabpool
