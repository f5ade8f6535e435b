// AddressSpace: where the slabs of all pools of the process lie.
//
// What        Hands out ranges of addresses, from arenas that are reserved once and never given up. What is committed
//             in an arena is one piece, so that the kernel has one mapping for it, however many slabs there are.
// Callers     Any thread. allocate() and the last release() of a range take a lock; nobody does anything slow under it.
// Reuse       A range is referred to by its slab, and by each ArrayBuffer that may be over it. With the last reference
//             the range's pages go back to the OS, and it may become part of another pool: so no view ever shows what a
//             later pool has there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/sync/sync.h"

namespace slabpool {

// A range of addresses in use. Counted references: the slab's, and one for each ArrayBuffer.
class Range {
 public:
  [[nodiscard]] char* address() const { return address_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }

  // By whoever has a reference: one more.
  void retain() { references_.fetch_add(1, std::memory_order_relaxed); }  // the caller's own keeps it above 0
  // The last one gives the range up.
  void release();
  // Whether anybody but the caller refers to it. Acquire: pairs with the releases in release(); what they did is over.
  [[nodiscard]] bool shared() const { return references_.load(std::memory_order_acquire) > 1; }
  // The range is in quarantine for `ms` from its last release on: nobody else gets it before. By the slab's owner.
  void quarantine(uint32_t ms) { quarantine_ms_ = ms; }

 private:
  friend class AddressSpace;

  char* address_ = nullptr;
  size_t bytes_ = 0;
  Range* next_ = nullptr;  // of those in quarantine, under the lock
  uint32_t quarantine_ms_ = 0;
  uint32_t since_ = 0;  // os::now_ms()
  StdSync::atomic<uint32_t> references_{1};
};

class AddressSpace {
 public:
  // `bytes` of committed memory that reads zeros, at a multiple of `alignment` (a power of two, at most kArenaBytes),
  // with one reference; nullptr when the OS refuses.
  [[nodiscard]] static Range* allocate(size_t bytes, size_t alignment);

  struct Figures {
    uint64_t arenas, used_bytes;  // ranges in use, or in quarantine
  };
  [[nodiscard]] static Figures figures();

 private:
  friend class Range;
  class Arenas;
  [[nodiscard]] static Arenas& arenas();
};

}  // namespace slabpool
