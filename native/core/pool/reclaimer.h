// Reclaimer: what makes room: pages that nobody needs go back to the OS, and blocks that members left behind are free
// again.
//
// What        A block that was unused for an epoch turns idle, and loses its pages with the next. age() does that once
//             an epoch, trim() at once for all that is free, and take() as far as is needed before a refill is refused.
//             The janitor calls the first two.
// Callers     Any thread. Pages are given back slab by slab, and nobody waits for it; but take() and trim() wait for
//             what other threads have in hand (in_hand.h).
// Ownership   The Reclaimer has no blocks: it says when those of the BlockStore move. What take() returns belongs to the
//             caller.
// Identity    The sum of dropped_bytes() is what give_back() has taken off the budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/janitor.h"
#include "core/pool/block_store.h"
#include "core/pool/quarantine.h"
#include "core/pool/status.h"
#include "core/sync/sync.h"

namespace slabpool {

// Why memory was given back.
enum class Cause : uint8_t { decay, trim, exhausted, pressure };
inline constexpr size_t kCauses = 4;

class Reclaimer {
 public:
  // `min_bytes`: what epochs leave resident.
  Reclaimer(BlockStore& store, uint32_t epoch_ms, uint64_t min_bytes)
      : store_(store), epoch_ms_(epoch_ms), min_bytes_(min_bytes), quarantine_(store, epoch_ms) {}

  // From now on the janitor ages `pool` once an epoch (0: never). By its maker, once.
  void enroll(Ageable& pool) { janitor_.emplace(pool, epoch_ms_); }
  // The janitor is done with the pool, for good.
  void withdraw() { janitor_.reset(); }
  // By whoever has made pages resident.
  void wake_janitor() {
    if (janitor_) janitor_->wake();
  }
  // The janitor trims the pool as soon as it can.
  void trim_soon() {
    if (janitor_) janitor_->trim_soon();
  }

  // Up to `most` blocks of the class, which the caller owns then, into `out`; looks and carves in `heap` first. Idle
  // blocks of any class lose their pages for it, if the budget has no room.
  [[nodiscard]] RefillResult take(Heap& heap, uint32_t c, uint32_t most, uint32_t* out);

  // One epoch. Returns the bytes given back to the OS. `stop`, which may be null, ends it between two slabs.
  uint64_t age(const StdSync::atomic<bool>* stop);
  // All that is free loses its pages: two epochs at once. Returns the bytes given back to the OS. With a `stop`, it
  // does not wait for what others have in hand.
  uint64_t trim(Cause cause, const StdSync::atomic<bool>* stop);

  [[nodiscard]] Quarantine& quarantine() { return quarantine_; }
  // Where no epoch does it, abandoned tickets are void at once: by whoever drains the pool, or leaves it meanwhile.
  void release_without_epochs() {
    if (epoch_ms_ == 0) (void)quarantine_.release_expired(0);
  }
  // Whether blocks will be free by and by without any member's help.
  [[nodiscard]] bool may_free_by_itself() const;

  // Figures since the beginning.
  [[nodiscard]] uint64_t dropped_bytes(Cause cause) const {
    return dropped_bytes_[static_cast<size_t>(cause)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] uint64_t drop_calls() const { return drop_calls_.load(std::memory_order_relaxed); }

 private:
  friend struct PoolInsides;  // of the tests: starts counters high

  RefillResult try_take(Heap& heap, uint32_t c, uint32_t most, uint32_t* out);
  // Without what is in quarantine.
  RefillResult take_freed(Heap& heap, uint32_t c, uint32_t most, uint32_t* out);
  RefillResult take_cold(Heap& heap, uint32_t c, uint32_t most, uint32_t* out);
  // Gives pages of idle blocks back until the budget has room for so many bytes; what it gave.
  uint64_t reclaim(uint64_t bytes);
  // Gives pages of one slab back.
  GivenBack give_back(Heap& heap, uint32_t c, uint32_t pass, Cause cause, uint64_t most_pages,
                      const StdSync::atomic<bool>* stop);
  void release_expired();
  [[nodiscard]] bool has_idle() const;                                                                // a hint
  [[nodiscard]] uint32_t next_pass() { return passes_.fetch_add(1, std::memory_order_relaxed) + 1; }  // only a number

  BlockStore& store_;
  const uint32_t epoch_ms_;
  const uint64_t min_bytes_;
  Quarantine quarantine_;
  // Numbers those who go through the shelves to give pages back.
  StdSync::atomic<uint32_t> passes_{0};
  StdSync::atomic<uint64_t> dropped_bytes_[kCauses]{}, drop_calls_{0};
  std::optional<Enrollment> janitor_;
};

}  // namespace slabpool
