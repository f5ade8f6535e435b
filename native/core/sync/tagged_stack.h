// TaggedStack: a lock-free LIFO of batches (R. K. Treiber 1986, with the tag of IBM System/370's free-list example).
//
// What        One 64-bit word {tag, index}. The elements are indices; the links between them live with the elements and
//             are reached through `links.next_batch(index)`, which returns a Sync::atomic<uint32_t>&.
// Callers     Any thread, any number of them. No call blocks; a failed CAS means that another thread made progress.
// Ownership   An index belongs to its pusher until push() succeeds, and to its popper from the CAS of pop() on.
// Lifetime    Links are never unmapped, so a popper that was overtaken reads a stale link, never freed memory; the tag
//             then makes its CAS fail. Each push moves the tag on: a word {tag, index} comes back only after 2^TagBits
//             pushes inside one pop (the ABA problem), hence 32 bits.
// Zero        A word of zero is the empty stack: zero-filled memory is a valid TaggedStack.
#pragma once

#include <cstdint>

#include "core/sync/sync.h"

namespace slabpool {

inline constexpr uint32_t kNoIndex = UINT32_MAX;

template <class Sync = StdSync, unsigned TagBits = 32>
class TaggedStack {
  static_assert(TagBits <= 32);

 public:
  template <class Links>
  void push(Links& links, uint32_t index) {
    uint64_t head = head_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    uint64_t pushed;
    do {
      // Relaxed: the link is published by the release below, together with everything else the pusher wrote.
      links.next_batch(index).store(index_of(head), std::memory_order_relaxed);
      pushed = pack(tag_of(head) + 1, index);
      // Release: pairs with the acquire of pop() and take_all(); publishes the batch and its link. Later CASes of other
      // threads continue this release sequence, so whoever finds the batch deeper in the stack sees it as well.
      // Seq_cst: and the pusher then looks whether somebody waits for it (wait_queue.h), while a waiter says so and
      // then pops: one of them sees the other.
    } while (!head_.compare_exchange_weak(head, pushed, std::memory_order_seq_cst, std::memory_order_relaxed));
  }

  // The index on top, or kNoIndex when the stack was empty.
  template <class Links>
  [[nodiscard]] uint32_t pop(Links& links) {
    // Acquire, here and on failure: pairs with the release of push(); without it the link read below could be older
    // than the push that made this head. Seq_cst: see push().
    uint64_t head = head_.load(std::memory_order_seq_cst);
    while (index_of(head) != kNoIndex) {
      // Relaxed: ordered by the acquire above. It may be stale when another thread popped meanwhile; then the CAS
      // fails.
      const uint32_t next = links.next_batch(index_of(head)).load(std::memory_order_relaxed);
      // Success needs no more than relaxed, as an equal tag means that `head` is the very word acquired above; but GCC
      // 12 warns of a failure order that is stronger.
      if (head_.compare_exchange_weak(head, pack(tag_of(head), next), std::memory_order_seq_cst,
                                      std::memory_order_seq_cst)) {
        return index_of(head);
      }
    }
    return kNoIndex;
  }

  // Empties the stack in one step: its top (linked on through next_batch to kNoIndex), or kNoIndex.
  [[nodiscard]] uint32_t take_all() {
    // An empty one is left alone, since whoever ages a pool looks into all that there are. Seq_cst: see push().
    uint64_t head = head_.load(std::memory_order_seq_cst);
    if (index_of(head) == kNoIndex) return kNoIndex;
    // Acquire: pairs with the release of push(); the taker walks links and batches that others wrote. Release: pairs
    // with the acquire of pop() and looks_empty(); whoever finds the stack empty sees what the taker did before.
    while (!head_.compare_exchange_weak(head, pack(tag_of(head), kNoIndex), std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
    }
    return index_of(head);
  }

  // A hint for skipping a stack. Acquire: pairs with the release of take_all(). Seq_cst: see push().
  [[nodiscard]] bool looks_empty() const { return index_of(head_.load(std::memory_order_seq_cst)) == kNoIndex; }

  // Top of the stack, for walks at quiescence (no other thread inside).
  [[nodiscard]] uint32_t peek() const { return index_of(head_.load(std::memory_order_relaxed)); }

 private:
  static constexpr uint64_t kTagMask = (uint64_t{1} << TagBits) - 1;

  // The index is stored complemented, so that kNoIndex is zero.
  static constexpr uint64_t pack(uint64_t tag, uint32_t index) { return (tag & kTagMask) << 32 | uint32_t{~index}; }
  static constexpr uint64_t tag_of(uint64_t word) { return word >> 32; }
  static constexpr uint32_t index_of(uint64_t word) { return ~static_cast<uint32_t>(word); }

  typename Sync::template atomic<uint64_t> head_{};
};

}  // namespace slabpool
