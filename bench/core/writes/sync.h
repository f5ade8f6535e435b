// In place of native/core/sync/sync.h: atomics that count what is written to them, by the place in the source that does it.
//
// What        A write is a store, an exchange, or any attempt at a read-modify-write: each takes the cache line for itself. It
//             has moved the line if another thread wrote to that line last.
// Callers     The core, unchanged, in a program of writes/main.cc.
#pragma once

#include <atomic>
#include <source_location>

namespace slabpool {

// `kind`: 's' of a store, 'm' of a read-modify-write.
void count_write(const void* address, char kind, const std::source_location& where);

template <class T>
class CountedAtomic {
  using Order = std::memory_order;
  using Place = std::source_location;

 public:
  constexpr CountedAtomic() = default;
  constexpr CountedAtomic(T value) : value_(value) {}  // NOLINT: as std::atomic
  CountedAtomic(const CountedAtomic&) = delete;
  CountedAtomic& operator=(const CountedAtomic&) = delete;

  [[nodiscard]] T load(Order order = Order::seq_cst) const { return value_.load(order); }
  void store(T to, Order order = Order::seq_cst, Place where = Place::current()) {
    count_write(this, 's', where);
    value_.store(to, order);
  }
  T exchange(T to, Order order = Order::seq_cst, Place where = Place::current()) {
    count_write(this, 'm', where);
    return value_.exchange(to, order);
  }
  bool compare_exchange_weak(T& from, T to, Order done, Order not_done, Place where = Place::current()) {
    count_write(this, 'm', where);
    return value_.compare_exchange_weak(from, to, done, not_done);
  }
  bool compare_exchange_weak(T& from, T to, Order order = Order::seq_cst, Place where = Place::current()) {
    count_write(this, 'm', where);
    return value_.compare_exchange_weak(from, to, order);
  }
  bool compare_exchange_strong(T& from, T to, Order done, Order not_done, Place where = Place::current()) {
    count_write(this, 'm', where);
    return value_.compare_exchange_strong(from, to, done, not_done);
  }
  bool compare_exchange_strong(T& from, T to, Order order = Order::seq_cst, Place where = Place::current()) {
    count_write(this, 'm', where);
    return value_.compare_exchange_strong(from, to, order);
  }
  T fetch_add(T by, Order order = Order::seq_cst, Place where = Place::current()) {
    count_write(this, 'm', where);
    return value_.fetch_add(by, order);
  }
  T fetch_sub(T by, Order order = Order::seq_cst, Place where = Place::current()) {
    count_write(this, 'm', where);
    return value_.fetch_sub(by, order);
  }
  T fetch_or(T with, Order order = Order::seq_cst, Place where = Place::current()) {
    count_write(this, 'm', where);
    return value_.fetch_or(with, order);
  }
  T fetch_and(T with, Order order = Order::seq_cst, Place where = Place::current()) {
    count_write(this, 'm', where);
    return value_.fetch_and(with, order);
  }

 private:
  std::atomic<T> value_;
};

struct StdSync {
  template <class T>
  using atomic = CountedAtomic<T>;
};

}  // namespace slabpool
