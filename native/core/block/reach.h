// Reach: how much of a cold block of one class gets its memory at once, by how far the holders of earlier ones went.
//
// What        Of a block of up to kReachBytes all of it: its pages cost little. Of a larger one the beginning, or, if
//             its predecessors were used to their middles, all of it. The page in the middle is left out, so that it
//             tells: it has memory only if somebody touched it.
// Callers     Any thread. What one thread notes is a hint to the others.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/block/size_class.h"
#include "core/block/slab.h"
#include "core/os/os.h"
#include "core/sync/sync.h"

namespace slabpool {

inline constexpr size_t kReachBytes = 64 << 10;  // populated for a few page faults' price

class Reach {
 public:
  // Offsets in a block.
  struct Part {
    size_t from, to;
  };

  // What to populate of a block.
  [[nodiscard]] std::array<Part, 2> parts(const SizeClass& k) const {
    if (!learns(k)) return {Part{0, k.stride}, Part{}};
    const size_t middle = middle_of(k);
    if (!far_.load(std::memory_order_relaxed)) return {Part{0, std::min(kReachBytes, middle)}, Part{}};
    return {Part{0, middle}, Part{middle + k.page, k.stride}};
  }

  // Blocks of the slab at `base` are about to lose their memory: how far were most of them used?
  void note(const SizeClass& k, const char* base, const BlockSet& blocks) {
    if (!learns(k) || blocks.empty() || !os::can_populate()) return;
    uint32_t touched = 0;
    uint32_t seen = 0;
    for (uint32_t b = blocks.next(0); b < k.slab_blocks; b = blocks.next(b + 1), ++seen) {
      touched += os::is_resident(base + b * k.stride + middle_of(k));
    }
    far_.store(2 * touched > seen, std::memory_order_relaxed);
  }

 private:
  static bool learns(const SizeClass& k) { return k.stride > kReachBytes && !k.shares_pages(); }
  static size_t middle_of(const SizeClass& k) { return k.stride / 2 / k.page * k.page; }

  StdSync::atomic<bool> far_{false};  // relaxed: a hint
};

}  // namespace slabpool
