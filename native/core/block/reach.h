// Reach: how much of the cold blocks of a refill gets its memory at once, by what became of earlier ones of the class.
//
// Blocks      The first one, which is about to be used; all of them if one refill was not enough since the class last
//             gave memory back.
// Bytes       Of a small block all of it. Of a larger one the beginning, or, if its predecessors were used to their
//             middles, all of it. The page in the middle is left out, so that it tells: it has memory only if somebody
//             touched it. A block tells that it was used far when the next one is populated, if its holder was fast;
//             that it was not, when it loses its memory, since it may be used until then.
// Callers     Any thread. What one thread finds out is a hint to the others.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/block/size_class.h"
#include "core/block/slab.h"
#include "core/os/os.h"
#include "core/sync/sync.h"

namespace slabpool {

inline constexpr size_t kSmallReach = 64 << 10;  // up to so many bytes a block is small
inline constexpr size_t kBeginning = 16 << 10;   // populated for about the price of two page faults

class Reach {
 public:
  // Offsets in a block.
  struct Part {
    size_t from, to;
  };
  using Parts = std::array<Part, 2>;

  static Parts all_of(const SizeClass& k) { return {Part{0, k.stride}, Part{}}; }

  // How many of `count` blocks that a refill brought.
  [[nodiscard]] uint32_t blocks(uint32_t count) {
    return asked_.exchange(true, std::memory_order_relaxed) ? count : std::min(count, 1u);
  }

  // What of the block at this address, and of those that came with it.
  [[nodiscard]] Parts parts(const SizeClass& k, const char* block) {
    if (!learns(k)) return all_of(k);
    const char* const before = last_.exchange(block, std::memory_order_relaxed);
    if (!far_.load(std::memory_order_relaxed)) {
      if (before == nullptr || !used_far(k, before)) return {Part{0, kBeginning}, Part{}};
      far_.store(true, std::memory_order_relaxed);
    }
    return {Part{0, middle_of(k)}, Part{middle_of(k) + k.page, k.stride}};
  }

  // Blocks of the slab at `base` are about to lose their memory.
  void note(const SizeClass& k, const char* base, const BlockSet& blocks) {
    asked_.store(false, std::memory_order_relaxed);
    if (!learns(k) || blocks.empty() || !os::can_populate()) return;
    uint32_t far = 0;
    uint32_t seen = 0;
    for (uint32_t b = blocks.next(0); b < k.slab_blocks; b = blocks.next(b + 1), ++seen) {
      far += used_far(k, base + b * k.stride);
    }
    far_.store(2 * far > seen, std::memory_order_relaxed);
  }

 private:
  // Its blocks are whole pages, and the middle is behind the beginning.
  static bool learns(const SizeClass& k) { return k.stride > kSmallReach && !k.shares_pages(); }
  static size_t middle_of(const SizeClass& k) { return k.stride / 2 / k.page * k.page; }
  static bool used_far(const SizeClass& k, const char* block) { return os::is_resident(block + middle_of(k)); }

  // Relaxed, all: hints, and memory of blocks is never unmapped.
  StdSync::atomic<bool> asked_{false};
  StdSync::atomic<const char*> last_{nullptr};
  StdSync::atomic<bool> far_{false};
};

}  // namespace slabpool
