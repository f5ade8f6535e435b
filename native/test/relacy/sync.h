// The model checker's side of core/sync.h: Relacy (D. Vyukov) runs the core's own headers with its own atomics, tries
// interleavings and stale reads, and reports races on rl::var, failed assertions and livelocks.
//
// What had to be worked around to use headers of 2008 in C++20:
//   macros       relacy.hpp redefines memory_order_*, new, delete, malloc, free, assert, `$` and more for code that is
//                written for it. Ours is not: all are undefined below, and std::source_location says where a call is.
//   relacy_std   its std::atomic look-alike clashes with <atomic>; the class below takes its place.
//   failure      Relacy takes no failure order stronger than the success order and falls back on relaxed without a
//   order        word; TaggedStack::pop() needs just that. A failed CAS is a load: below it is one, of that order.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <relacy/relacy.hpp>
#include <source_location>
#undef memory_order_relaxed
#undef memory_order_consume
#undef memory_order_acquire
#undef memory_order_release
#undef memory_order_acq_rel
#undef memory_order_seq_cst
#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno

namespace slabpool::test {

// An order that a mutant drops everywhere, to prove that the model would notice.
enum class Dropped { nothing, release, acquire, acquire_of_load, acquire_of_success, acquire_of_failure };

template <Dropped dropped = Dropped::nothing>
struct RelacySync {
  template <class T>
  class atomic {
    using Where = std::source_location;

   public:
    atomic(T value = T{}) { impl_.store(value, rl::mo_relaxed, info(Where::current())); }

    T load(std::memory_order order, Where where = Where::current()) const {
      return impl_.load(of_load(order, dropped == Dropped::acquire_of_load), info(where));
    }
    void store(T value, std::memory_order order, Where where = Where::current()) {
      impl_.store(value, of_store(order), info(where));
    }
    T fetch_add(T value, std::memory_order order, Where where = Where::current()) {
      return impl_.fetch_add(value, relacy(order), info(where));
    }
    T fetch_sub(T value, std::memory_order order, Where where = Where::current()) {
      return impl_.fetch_sub(value, relacy(order), info(where));
    }
    T fetch_or(T value, std::memory_order order, Where where = Where::current()) {
      return impl_.fetch_or(value, relacy(order), info(where));
    }
    T fetch_and(T value, std::memory_order order, Where where = Where::current()) {
      return impl_.fetch_and(value, relacy(order), info(where));
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure,
                               Where where = Where::current()) {
      return compare_exchange<true>(expected, desired, success, failure, where);
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure,
                                 Where where = Where::current()) {
      return compare_exchange<false>(expected, desired, success, failure, where);
    }

   private:
    template <bool may_fail_without_cause>
    bool compare_exchange(T& expected, T desired, std::memory_order success, std::memory_order failure,
                          const Where& where) {
      if (impl_.compare_exchange(rl::bool_t<may_fail_without_cause>(), expected, desired,
                                 relacy(success, dropped == Dropped::acquire_of_success), rl::mo_relaxed,
                                 info(where))) {
        return true;
      }
      // A failed strong CAS has seen another value: it must not turn into the expected one here.
      if (may_fail_without_cause || failure != std::memory_order_relaxed) {
        expected = impl_.load(of_load(failure, dropped == Dropped::acquire_of_failure), info(where));
      }
      return false;
    }

    static rl::debug_info info(const Where& where) {
      return rl::debug_info(where.function_name(), where.file_name(), where.line());
    }
    static bool acquires(std::memory_order order) {
      return dropped != Dropped::acquire && (order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
                                             order == std::memory_order_seq_cst);
    }
    static bool releases(std::memory_order order) {
      return dropped != Dropped::release && (order == std::memory_order_release || order == std::memory_order_acq_rel ||
                                             order == std::memory_order_seq_cst);
    }
    // One that lost a part is no longer seq_cst.
    static bool is_whole(std::memory_order order) {
      return order == std::memory_order_seq_cst && acquires(order) && releases(order);
    }
    static rl::memory_order of_load(std::memory_order order, bool drop_acquire) {
      if (drop_acquire) return rl::mo_relaxed;
      return is_whole(order) ? rl::mo_seq_cst : acquires(order) ? rl::mo_acquire : rl::mo_relaxed;
    }
    static rl::memory_order of_store(std::memory_order order) {
      return is_whole(order) ? rl::mo_seq_cst : releases(order) ? rl::mo_release : rl::mo_relaxed;
    }
    static rl::memory_order relacy(std::memory_order order, bool drop_acquire = false) {
      if (!acquires(order) || drop_acquire) return releases(order) ? rl::mo_release : rl::mo_relaxed;
      return is_whole(order) ? rl::mo_seq_cst : releases(order) ? rl::mo_acq_rel : rl::mo_acquire;
    }

    rl::atomic<T> impl_;
  };
};

// An order that a mutant drops in one function of the core only, named by a part of its signature.
template <class Function, Dropped dropped>
struct DroppedIn {
  template <class T>
  struct atomic : RelacySync<>::atomic<T> {
    using Where = std::source_location;
    using RelacySync<>::atomic<T>::atomic;

    T load(std::memory_order order, Where where = Where::current()) const {
      return RelacySync<>::atomic<T>::load(weaker(order, std::memory_order_acquire, Dropped::acquire, where), where);
    }
    void store(T value, std::memory_order order, Where where = Where::current()) {
      RelacySync<>::atomic<T>::store(value, weaker(order, std::memory_order_release, Dropped::release, where), where);
    }

   private:
    static std::memory_order weaker(std::memory_order order, std::memory_order from, Dropped which,
                                    const Where& where) {
      const bool here =
          dropped == which && order == from && std::strstr(where.function_name(), Function::name) != nullptr;
      return here ? std::memory_order_relaxed : order;
    }
  };
};

}  // namespace slabpool::test
