#include "core/os/address_space.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

#include "core/os/os.h"

namespace slabpool {

namespace {

constexpr size_t kGranule = 64 << 10;  // the largest page there is
constexpr size_t kArenaBytes = sizeof(void*) == 8 ? size_t{1} << 30 : size_t{32} << 20;

constexpr size_t granules(size_t bytes) { return (bytes + kGranule - 1) / kGranule; }

// Reserved at once; committed from the beginning on, in one piece.
struct Arena {
  char* base = nullptr;
  size_t granules = 0;
  size_t committed = 0;              // granules
  size_t maybe_free = 0;             // below it, none is
  std::unique_ptr<uint64_t[]> used;  // a bit for each granule
  Arena* next = nullptr;

  [[nodiscard]] bool is_used(size_t g) const { return (used[g / 64] >> g % 64 & 1) != 0; }
  void mark(size_t first, size_t count, bool is) {
    for (size_t g = first; g < first + count; ++g) {
      const uint64_t bit = uint64_t{1} << g % 64;
      used[g / 64] = is ? used[g / 64] | bit : used[g / 64] & ~bit;
    }
  }

  // First fit: low addresses stay in use, and what is committed stays short. `granules` when there is none.
  [[nodiscard]] size_t find(size_t count, size_t alignment) const {
    const size_t base_granule = reinterpret_cast<uintptr_t>(base) / kGranule;
    const auto aligned = [&](size_t g) {
      return (base_granule + g + alignment - 1) / alignment * alignment - base_granule;
    };
    for (size_t at = aligned(maybe_free); at + count <= granules;) {
      size_t length = 0;
      while (length < count && !is_used(at + length)) ++length;
      if (length == count) return at;
      at += length + 1;
      while (at % 64 == 0 && at < granules && used[at / 64] == UINT64_MAX) at += 64;
      at = aligned(at);
    }
    return granules;
  }
};

}  // namespace

class AddressSpace::Arenas {
 public:
  bool allocate(Range& range, size_t alignment) {
    const std::lock_guard lock(mutex_);
    end_quarantines();
    const size_t count = granules(range.bytes_);
    Arena* arena = first_;
    size_t at = 0;
    for (; arena != nullptr; arena = arena->next) {
      at = arena->find(count, granules(alignment));
      if (at != arena->granules) break;
    }
    if (arena == nullptr) {
      arena = add(count, alignment);
      if (arena == nullptr) return false;
      at = arena->find(count, granules(alignment));
    }
    if (at + count > arena->committed) {
      char* const from = arena->base + arena->committed * kGranule;
      if (!os::commit(from, (at + count - arena->committed) * kGranule)) return false;
      arena->committed = at + count;
    }
    arena->mark(at, count, true);
    if (at == arena->maybe_free) arena->maybe_free = at + count;
    used_ += count;
    range.address_ = arena->base + at * kGranule;
    return true;
  }

  // Whoever gives the range up has given its pages back.
  void free(Range* range) {
    const std::lock_guard lock(mutex_);
    if (range->quarantine_ms_ == 0) {
      put(range);
      return;
    }
    range->since_ = os::now_ms();
    range->next_ = std::exchange(quarantined_, range);
  }

  Figures figures() {
    const std::lock_guard lock(mutex_);
    return {arena_count_, used_ * kGranule};
  }

 private:
  Arena* add(size_t count, size_t alignment) {
    std::unique_ptr<Arena> arena(new (std::nothrow) Arena);
    if (!arena) return nullptr;
    // A large request gets an arena of its own size, which others may use later. Where addresses are short (ulimit -v),
    // so is it.
    for (size_t want = std::max(granules(kArenaBytes), count); arena->base == nullptr; want /= 2) {
      if (want < count) return nullptr;
      arena->granules = want;
      arena->base = static_cast<char*>(os::reserve(want * kGranule, std::max(alignment, kGranule)));
    }
    arena->used.reset(new (std::nothrow) uint64_t[arena->granules / 64 + 1]{});
    if (!arena->used) {
      os::release(arena->base, arena->granules * kGranule);
      return nullptr;
    }
    os::keep_pages_small(arena->base, arena->granules * kGranule);
    ++arena_count_;
    Arena** last = &first_;
    while (*last != nullptr) last = &(*last)->next;
    return *last = arena.release();
  }

  void end_quarantines() {
    if (quarantined_ == nullptr) return;
    const uint32_t now = os::now_ms();
    for (Range** at = &quarantined_; *at != nullptr;) {
      Range* const range = *at;
      if (now - range->since_ < range->quarantine_ms_) {
        at = &range->next_;
      } else {
        *at = range->next_;
        put(range);
      }
    }
  }

  void put(Range* range) {
    Arena* arena = first_;
    while (range->address_ < arena->base || range->address_ >= arena->base + arena->granules * kGranule) {
      arena = arena->next;
    }
    const size_t at = static_cast<size_t>(range->address_ - arena->base) / kGranule;
    const size_t count = granules(range->bytes_);
    arena->mark(at, count, false);
    arena->maybe_free = std::min(arena->maybe_free, at);
    used_ -= count;
    delete range;
  }

  std::mutex mutex_;
  Arena* first_ = nullptr;
  Range* quarantined_ = nullptr;
  uint64_t used_ = 0;  // granules
  uint64_t arena_count_ = 0;
};

AddressSpace::Arenas& AddressSpace::arenas() {
  // Never destroyed: ArrayBuffers may outlive the process's statics.
  static auto& arenas = *new Arenas;
  return arenas;
}

Range* AddressSpace::allocate(size_t bytes, size_t alignment) {
  std::unique_ptr<Range> range(new (std::nothrow) Range);
  if (!range) return nullptr;
  range->bytes_ = bytes;
  return arenas().allocate(*range, alignment) ? range.release() : nullptr;
}

AddressSpace::Figures AddressSpace::figures() { return arenas().figures(); }

void Range::release() {
  // Release: what this reference was for comes before the reuse. Acquire, by the last one: so did the others.
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // Memory that the OS keeps (locked) would show the next pool what was in it: then nobody gets it.
  if (os::decommit(address_, bytes_)) AddressSpace::arenas().free(this);
}

}  // namespace slabpool
