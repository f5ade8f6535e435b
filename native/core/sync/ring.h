// Ring: a bounded many-producer many-consumer queue (D. Vyukov, 2010, "Bounded MPMC queue") that can be told to take no
// more.
//
// What        `capacity` cells, a power of two. Each cell's sequence number says whose turn it is: `position` for the
//             producer of that position, `position + 1` for its consumer.
// Callers     Any thread. try_push() and try_pop() never wait; a producer that was overtaken between claiming its cell
//             and filling it makes consumers of that cell see "not now", never a torn message.
// Ownership   A cell belongs to the producer from its CAS on `tail_` to its release store, then to the consumer from
//             its CAS on `head_` to its release store.
// Order       First in, first out in the order of the producers' CASes.
// Marks       Why no more is taken are bits of `tail_` (as in crossbeam's array channel), so that marks and claims have
//             one order: a claim after a mark fails, and a consumer that has come to the position beside a mark has
//             missed nothing. One that is ahead of a claimed cell is told "not now" instead: what is in it will come.
#pragma once

#include <cstdint>

#include "core/sync/sync.h"

namespace slabpool {

enum class RingResult : uint8_t { ok, not_now, closed, alone };

enum class RingMark : uint64_t { closed = uint64_t{1} << 63, alone = uint64_t{1} << 62 };

template <class T, class Sync = StdSync>
class Ring {
 public:
  // On a line of its own: with two to a line, producer and consumer of a short queue took it from each other (a tenth
  // of a hand-over).
  struct alignas(64) Cell {
    typename Sync::template atomic<uint64_t> sequence;
    T message;
  };

  // `cells` outlive the ring.
  void init(Cell* cells, uint64_t capacity) {
    cells_ = cells;
    mask_ = capacity - 1;
    // Relaxed: the ring is not shared yet.
    for (uint64_t i = 0; i < capacity; ++i) cells_[i].sequence.store(i, std::memory_order_relaxed);
  }

  // `not_now`: the ring is full.
  [[nodiscard]] RingResult try_push(const T& message) {
    uint64_t position = tail_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    for (;;) {
      if ((position & kMarks) != 0) return reason(position);
      Cell& cell = cells_[position & mask_];
      // Acquire: pairs with the release of try_pop(); the previous message has been read before it is overwritten.
      const uint64_t sequence = cell.sequence.load(std::memory_order_acquire);
      if (sequence == position) {
        // Relaxed: the position only says who may fill the cell; the cell's sequence orders the message.
        if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed, std::memory_order_relaxed)) {
          cell.message = message;
          // Release: pairs with the acquire of try_pop(); publishes the message.
          cell.sequence.store(position + 1, std::memory_order_release);
          return RingResult::ok;
        }
      } else if (static_cast<int64_t>(sequence - position) < 0) {
        return RingResult::not_now;
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  // `not_now`: the ring is empty, or about to be filled.
  [[nodiscard]] RingResult try_pop(T& message) {
    uint64_t position = head_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    for (;;) {
      Cell& cell = cells_[position & mask_];
      // Acquire: pairs with the release of try_push(); the message read below is whole.
      const uint64_t sequence = cell.sequence.load(std::memory_order_acquire);
      const auto turn = static_cast<int64_t>(sequence - (position + 1));
      if (turn == 0) {
        if (head_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed, std::memory_order_relaxed)) {
          message = cell.message;
          // Release: pairs with the acquire of try_push(); the cell may be overwritten once this is seen.
          cell.sequence.store(position + mask_ + 1, std::memory_order_release);
          return RingResult::ok;
        }
      } else if (turn < 0) {
        // Seq_cst, with mark(): who says that it sleeps and then looks here, and who marks and then looks for sleepers,
        // cannot both miss the other. For the messages relaxed would do: the position beside the mark says how many
        // there are.
        const uint64_t tail = tail_.load(std::memory_order_seq_cst);
        return (tail & ~kMarks) == position ? reason(tail) : RingResult::not_now;
      } else {
        position = head_.load(std::memory_order_relaxed);
      }
    }
  }

  // From now on nobody claims a cell.
  void mark(RingMark why) { tail_.fetch_or(static_cast<uint64_t>(why), std::memory_order_seq_cst); }
  // Relaxed: who claims a cell then does not read what was done before.
  void unmark(RingMark why) { tail_.fetch_and(~static_cast<uint64_t>(why), std::memory_order_relaxed); }
  [[nodiscard]] bool marked(RingMark why) const {
    return (tail_.load(std::memory_order_seq_cst) & static_cast<uint64_t>(why)) != 0;
  }

  // Relaxed: a figure for people; it may be off by what is under way.
  [[nodiscard]] uint64_t size() const {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    const uint64_t tail = tail_.load(std::memory_order_relaxed) & ~kMarks;
    return tail > head ? tail - head : 0;
  }

 private:
  static constexpr uint64_t kClosed = static_cast<uint64_t>(RingMark::closed);
  static constexpr uint64_t kMarks = kClosed | static_cast<uint64_t>(RingMark::alone);

  static RingResult reason(uint64_t tail) {
    if ((tail & kClosed) != 0) return RingResult::closed;
    return (tail & kMarks) != 0 ? RingResult::alone : RingResult::not_now;
  }

  Cell* cells_ = nullptr;
  uint64_t mask_ = 0;
  // Apart, so that producers and consumers do not take a cache line from each other at each step.
  alignas(64) typename Sync::template atomic<uint64_t> tail_{0};
  alignas(64) typename Sync::template atomic<uint64_t> head_{0};
};

}  // namespace slabpool
