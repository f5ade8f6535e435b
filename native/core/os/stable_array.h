// StableArray: a grow-only array in reserved address space. Elements never move and start as zero bytes.
//
// Callers     Any thread may claim() and index.
// Bounds      size() is a safe bound for indices from outside: every element below it is committed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/os/os.h"
#include "core/sync/sync.h"
#include "core/sync/tagged_stack.h"

namespace slabpool {

template <class T>
class StableArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  StableArray() = default;
  StableArray(const StableArray&) = delete;
  StableArray& operator=(const StableArray&) = delete;
  ~StableArray() {
    if (data_ != nullptr) os::release(data_, bytes_of(capacity_));
  }

  [[nodiscard]] bool reserve(uint32_t capacity) {
    data_ = static_cast<T*>(os::reserve(bytes_of(capacity), os::page_size()));
    capacity_ = capacity;
    return data_ != nullptr;
  }

  // The first of `count` new consecutive elements, or kNoIndex when the reservation is used up or the OS refuses.
  [[nodiscard]] uint32_t claim(uint32_t count) {
    uint32_t first = size_.load(std::memory_order_relaxed);  // only a guess: the CAS checks it
    do {
      if (capacity_ - first < count || !commit(first, count)) return kNoIndex;
      // Release: pairs with the acquire of size(); whoever sees the new size finds the pages committed.
    } while (!size_.compare_exchange_weak(first, first + count, std::memory_order_release, std::memory_order_relaxed));
    return first;
  }

  // Gives elements back that were claimed last, and not touched; unless others were claimed meanwhile, then they are
  // lost.
  void unclaim(uint32_t first, uint32_t count) {
    uint32_t size = first + count;
    (void)size_.compare_exchange_strong(size, first, std::memory_order_relaxed,
                                        std::memory_order_relaxed);  // nothing was written
  }

  [[nodiscard]] uint32_t size() const { return size_.load(std::memory_order_acquire); }
  [[nodiscard]] T& operator[](uint32_t index) { return data_[index]; }
  [[nodiscard]] const T& operator[](uint32_t index) const { return data_[index]; }

 private:
  static size_t bytes_of(uint32_t count) {
    const size_t page = os::page_size();
    return (size_t{count} * sizeof(T) + page - 1) / page * page;
  }

  // Threads that race for the same elements commit the same pages, which is harmless.
  [[nodiscard]] bool commit(uint32_t first, uint32_t count) {
    const size_t from = size_t{first} * sizeof(T) / os::page_size() * os::page_size();
    return os::commit(reinterpret_cast<char*>(data_) + from, bytes_of(first + count) - from);
  }

  T* data_ = nullptr;
  uint32_t capacity_ = 0;
  StdSync::atomic<uint32_t> size_{0};
};

}  // namespace slabpool
