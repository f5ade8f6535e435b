#include "core/pool/reclaimer.h"

#include <algorithm>

namespace slabpool {

namespace {

// How often a refill that found no room looks again since others made some, or had something in hand: whoever took it
// instead has made progress, but nobody is to be kept for ever.
constexpr uint32_t kMostTries = 64;

constexpr uint32_t kMostTrims = 8;  // passes over the shelves by one trim(): the OS may keep what is idle

// Relaxed: nothing is read because of it.
bool stopped(const StdSync::atomic<bool>* stop) { return stop != nullptr && stop->load(std::memory_order_relaxed); }

}  // namespace

RefillResult Reclaimer::take(Heap& heap, uint32_t c, uint32_t most, uint32_t* out) {
  uint64_t reclaimed = 0;
  RefillResult result{};
  for (uint32_t tries = 0; tries < kMostTries; ++tries) {
    result = try_take(heap, c, most, out);
    if (result.status != Status::exhausted) break;
    const Budget<>& budget = store_.budget();
    const uint64_t bytes = reclaim(std::min<uint64_t>(most * store_.size_class(c).least_bytes(), budget.max()));
    reclaimed += bytes;
    if (bytes != 0) continue;
    // What another thread has in hand is in no place, and yet charged: a refusal counts only if there was none from
    // before the last look until after it. That look leaves the quarantine alone, since whoever frees its blocks has
    // them in hand.
    const InHand::Look before = store_.in_hand().look();
    result = take_freed(heap, c, most, out);
    if (result.status != Status::exhausted || !store_.in_hand().any_since(before)) break;
    store_.in_hand().await_one_more(before);
  }
  result.reclaimed_bytes = reclaimed;
  return result;
}

RefillResult Reclaimer::try_take(Heap& heap, uint32_t c, uint32_t most, uint32_t* out) {
  const RefillResult found = store_.take_free(heap, c, most, out);
  if (found.count != 0) return found;
  if (!quarantine_.release_expired(c)) return take_cold(heap, c, most, out);
  return take_freed(heap, c, most, out);
}

RefillResult Reclaimer::take_freed(Heap& heap, uint32_t c, uint32_t most, uint32_t* out) {
  const RefillResult found = store_.take_free(heap, c, most, out);
  return found.count != 0 ? found : take_cold(heap, c, most, out);
}

RefillResult Reclaimer::take_cold(Heap& heap, uint32_t c, uint32_t most, uint32_t* out) {
  const RefillResult found = store_.take_cold(heap, c, most, out);
  if (found.count != 0) wake_janitor();
  return found;
}

void Reclaimer::release_expired() {
  for (uint32_t c = 0; c < store_.class_count(); ++c) (void)quarantine_.release_expired(c);
}

uint64_t Reclaimer::age(const StdSync::atomic<bool>* stop) {
  release_expired();
  const Budget<>& budget = store_.budget();
  const uint32_t pass = next_pass();
  uint64_t bytes = 0;
  store_.each_heap([&](Heap& heap, uint32_t c) {
    const size_t page = store_.size_class(c).page;
    for (GivenBack given{true}; given.any && budget.used() > min_bytes_;) {
      const uint64_t most = (budget.used() - std::min(budget.used(), min_bytes_)) / page;
      given = give_back(heap, c, pass, Cause::decay, most, stop);
      bytes += given.pages * page;
      if (stopped(stop)) return false;
    }
    store_.shelve(heap, c);
    return true;
  });
  return bytes;
}

uint64_t Reclaimer::trim(Cause cause, const StdSync::atomic<bool>* stop) {
  release_expired();
  uint64_t bytes = 0;
  bool again = true;
  for (uint32_t tries = 0; again && tries < kMostTrims; ++tries) {
    const uint32_t pass = next_pass();
    store_.each_heap([&](Heap& heap, uint32_t c) {
      store_.shelve(heap, c);
      for (GivenBack given{true}; given.any && !stopped(stop);) {
        given = give_back(heap, c, pass, cause, UINT64_MAX, stop);
        bytes += given.pages * store_.size_class(c).page;
      }
      return !stopped(stop);
    });
    // What another thread had in hand meanwhile is idle when it puts it back. The janitor does not wait for that: it
    // comes again.
    const InHand::Look look = store_.in_hand().look();
    again = stop == nullptr && look.now != 0;
    if (again) store_.in_hand().await_one_more(look);
    if (stop == nullptr) again = again || has_idle();
  }
  return bytes;
}

bool Reclaimer::has_idle() const {
  for (uint32_t c = 0; c < store_.class_count(); ++c) {
    if (store_.totals(c).idle.load(std::memory_order_relaxed) != 0) return true;
  }
  return false;
}

uint64_t Reclaimer::reclaim(uint64_t bytes) {
  release_expired();
  const Budget<>& budget = store_.budget();
  uint32_t pass = next_pass();
  uint64_t given_bytes = 0;
  const auto give = [&](Heap& heap, uint32_t c) {
    for (GivenBack given{true}; given.any && budget.room() < bytes;) {
      given = give_back(heap, c, pass, Cause::exhausted, UINT64_MAX, nullptr);
      given_bytes += given.pages * store_.size_class(c).page;
    }
    return budget.room() < bytes;
  };
  store_.each_heap(give);
  if (budget.room() >= bytes) return given_bytes;
  pass = next_pass();
  store_.each_heap([&](Heap& heap, uint32_t c) {
    store_.shelve(heap, c);
    return give(heap, c);
  });
  return given_bytes;
}

GivenBack Reclaimer::give_back(Heap& heap, uint32_t c, uint32_t pass, Cause cause, uint64_t most_pages,
                               const StdSync::atomic<bool>* stop) {
  const GivenBack given = store_.give_back(heap, c, pass, most_pages, stop);
  if (!given.any) return given;
  // Relaxed: they only count.
  const uint64_t bytes = given.pages * store_.size_class(c).page;
  dropped_bytes_[static_cast<size_t>(cause)].fetch_add(bytes, std::memory_order_relaxed);
  drop_calls_.fetch_add(given.calls, std::memory_order_relaxed);
  return given;
}

bool Reclaimer::may_free_by_itself() const {
  // A thread may have abandoned tickets in hand.
  return janitor_.has_value() && (quarantine_.any() || store_.in_hand().any());
}

}  // namespace slabpool
