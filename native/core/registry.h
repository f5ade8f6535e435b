// Registry: the process's table of things that several threads share (pools, channels), by slot and serial number.
//
// What        A word {serial 32, references 32} for each slot. Joining is a CAS on a count that is not zero, so that
//             nobody joins what is being destroyed; the last to leave destroys it and moves the serial on, so that an
//             old handle never finds a new thing.
// Callers     Any thread.
#pragma once

#include <cstdint>
#include <memory>

#include "core/sync/sync.h"

namespace slabpool {

struct Handle {
  uint32_t slot;
  uint32_t serial;
};

template <class T, uint32_t Slots>
class Registry {
 public:
  // The new thing with one reference, or false when all slots are taken; then `thing` is untouched.
  [[nodiscard]] bool add(std::unique_ptr<T>& thing, Handle& handle) {
    for (uint32_t slot = 0; slot < Slots; ++slot) {
      // Acquire: pairs with the release in leave(); the slot's former thing is gone.
      uint64_t word = slots_[slot].word.load(std::memory_order_acquire);
      if (references(word) != 0 || slots_[slot].claimed.exchange(true, std::memory_order_acquire)) continue;
      word = slots_[slot].word.load(std::memory_order_relaxed);
      slots_[slot].thing = thing.release();
      handle = {slot, serial(word)};
      // Release: pairs with the acquire in join(); publishes the thing.
      slots_[slot].word.store(word + 1, std::memory_order_release);
      return true;
    }
    return false;
  }

  // One more reference, or nullptr when the thing is gone, or never was.
  [[nodiscard]] T* join(Handle handle) {
    if (handle.slot >= Slots) return nullptr;
    Slot& slot = slots_[handle.slot];
    uint64_t word = slot.word.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    do {
      if (serial(word) != handle.serial || references(word) == 0) return nullptr;
      // Acquire: pairs with the release in add(); the thing is complete.
    } while (!slot.word.compare_exchange_weak(word, word + 1, std::memory_order_acquire, std::memory_order_relaxed));
    return slot.thing;
  }

  // Destroys the thing if the caller's reference is the only one.
  [[nodiscard]] bool leave_last(Handle handle) {
    Slot& slot = slots_[handle.slot];
    uint64_t word = slot.word.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    do {
      if (references(word) != 1) return false;
    } while (!give_up(slot, word));
    return true;
  }

  // Gives one reference back; the last one destroys the thing.
  void leave(Handle handle) {
    Slot& slot = slots_[handle.slot];
    uint64_t word = slot.word.load(std::memory_order_relaxed);
    while (!give_up(slot, word)) {
    }
  }

 private:
  struct Slot {
    StdSync::atomic<uint64_t> word{0};
    StdSync::atomic<bool> claimed{false};  // from add() until the thing is destroyed
    T* thing = nullptr;
  };

  // One reference less, and the thing is gone if it was the last one. False: the word has changed.
  bool give_up(Slot& slot, uint64_t& word) {
    const bool last = references(word) == 1;
    const uint64_t left = last ? uint64_t{serial(word) + 1} << 32 : word - 1;
    // Release: what this thread did with the thing comes before its destruction. Acquire: so did the others.
    if (!slot.word.compare_exchange_weak(word, left, std::memory_order_acq_rel, std::memory_order_relaxed))
      return false;
    if (last) {
      delete slot.thing;
      // Release: pairs with the acquire in add().
      slot.claimed.store(false, std::memory_order_release);
    }
    return true;
  }

  static constexpr uint32_t serial(uint64_t word) { return static_cast<uint32_t>(word >> 32); }
  static constexpr uint32_t references(uint64_t word) { return static_cast<uint32_t>(word); }

  Slot slots_[Slots];
};

}  // namespace slabpool
