// Ring: a bounded many-producer many-consumer queue (D. Vyukov, 2010, "Bounded MPMC queue").
//
// What        `capacity` cells, a power of two. Each cell's sequence number says whose turn it is: `position` for the
//             producer of that position, `position + 1` for its consumer.
// Callers     Any thread. try_push() and try_pop() never wait; a producer that was overtaken between claiming its cell and
//             filling it makes consumers of that cell see "empty", never a torn message.
// Ownership   A cell belongs to the producer from its CAS on `tail_` to its release store, then to the consumer from its
//             CAS on `head_` to its release store.
// Order       First in, first out in the order of the producers' CASes.
#pragma once

#include <cstdint>

#include "sync.h"

namespace slabpool {

template <class T, class Sync = StdSync>
class Ring {
 public:
  // On a line of its own: with two to a line, producer and consumer of a short queue took it from each other (a tenth of a
  // hand-over).
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

  // False when the ring is full.
  [[nodiscard]] bool try_push(const T& message) {
    uint64_t position = tail_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    for (;;) {
      Cell& cell = cells_[position & mask_];
      // Acquire: pairs with the release of try_pop(); the previous message has been read before it is overwritten.
      const uint64_t sequence = cell.sequence.load(std::memory_order_acquire);
      if (sequence == position) {
        // Relaxed: the position only says who may fill the cell; the cell's sequence orders the message.
        if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed, std::memory_order_relaxed)) {
          cell.message = message;
          // Release: pairs with the acquire of try_pop(); publishes the message.
          cell.sequence.store(position + 1, std::memory_order_release);
          return true;
        }
      } else if (static_cast<int64_t>(sequence - position) < 0) {
        return false;
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  // False when the ring is empty.
  [[nodiscard]] bool try_pop(T& message) {
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
          return true;
        }
      } else if (turn < 0) {
        return false;
      } else {
        position = head_.load(std::memory_order_relaxed);
      }
    }
  }

  // Relaxed: a figure for people; it may be off by what is under way.
  [[nodiscard]] uint64_t size() const {
    const uint64_t head = head_.load(std::memory_order_relaxed);
    const uint64_t tail = tail_.load(std::memory_order_relaxed);
    return tail > head ? tail - head : 0;
  }

 private:
  Cell* cells_ = nullptr;
  uint64_t mask_ = 0;
  // Apart, so that producers and consumers do not take a cache line from each other at each step.
  alignas(64) typename Sync::template atomic<uint64_t> tail_{0};
  alignas(64) typename Sync::template atomic<uint64_t> head_{0};
};

}  // namespace slabpool
