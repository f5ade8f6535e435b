// The handshake of wait_queue.h under the model checker: WaitQueue, BudgetQueue::serve_requests() and aging as steps on
// the core's own stacks and budget. A request that is left waiting beside something free has lost its wake-up.
//
// The budget of two is full. Whoever waits asks for blocks of one class; the ways in which something becomes free for
// it:
//   block    block 0, of its class, comes back to the depot of its heap
//   stolen   the same, to another heap's depot
//   other    block 1, of another class, comes back, and has to lose its memory first
//   newcomer the same, to the depot of a heap that is new
//   bytes    a thread gives back budget alone, as a refill that has claimed too much
//   epoch    block 1 is idle, and in the hands of the janitor when the waiting begins
#include "core/pool/budget.h"
#include "core/sync/tagged_stack.h"
#include "model.h"

namespace slabpool::test {
namespace {

enum class Way { block, stolen, newcomer, other, bytes, epoch };

// How the model goes wrong on purpose.
enum class Flaw { none, takes_before_it_says_so, looks_before_it_frees, ages_and_serves_nobody };

template <class Sync, Flaw flaw>
struct WaitingPool {
  using Counter = typename Sync::template atomic<uint64_t>;

  typename Sync::template atomic<uint32_t> links[2];
  TaggedStack<Sync> depot, stolen_from, newcomers, other_depot, other_victim;
  Budget<Sync> budget{2};
  Counter size, ages, heap_count;
  rl::mutex lock;
  // Under the lock.
  rl::var<unsigned> waiting, served;

  auto& next_batch(uint32_t index) { return links[index]; }

  void init() {
    RL_ASSERT(budget.claim(2, 1) == 2);
    waiting(RL_INFO) = served(RL_INFO) = 0;
    heap_count.store(2, std::memory_order_relaxed);
  }

  // WaitQueue::count() and size().
  void say() { size.store(waiting(RL_INFO), std::memory_order_seq_cst); }
  bool look() { return size.load(std::memory_order_seq_cst) != 0; }

  void wait() {
    lock.lock(RL_INFO);
    if (flaw == Flaw::takes_before_it_says_so && serves_one()) {
      served(RL_INFO) += 1;
    } else {
      waiting(RL_INFO) += 1;
      say();
      if (flaw != Flaw::takes_before_it_says_so) serve_requests();
    }
    lock.unlock(RL_INFO);
  }

  void serve() {
    if (!look()) return;
    lock.lock(RL_INFO);
    serve_requests();
    lock.unlock(RL_INFO);
  }

  void serve_requests() {
    while (unsigned{waiting(RL_INFO)} != 0) {
      if (!serves_one()) return;
      waiting(RL_INFO) -= 1;
      served(RL_INFO) += 1;
      say();
    }
  }
  bool serves_one() {
    if (take_one()) return true;
    if (!begin_aging()) return false;
    age_once();
    age_once();
    end_aging();
    return take_one();
  }
  bool take_one() {
    if (depot.pop(*this) != kNoIndex) return true;
    if (!stolen_from.looks_empty() && stolen_from.pop(*this) != kNoIndex) return true;
    for (uint64_t heap = 2; heap < heap_slots(); ++heap) {
      if (!newcomers.looks_empty() && newcomers.pop(*this) != kNoIndex) return true;
    }
    return budget.claim(1, 1) != 0;
  }
  // As BlockStore::heap_for().
  void attach() { heap_count.fetch_add(1, std::memory_order_seq_cst); }
  uint64_t heap_slots() { return heap_count.load(std::memory_order_seq_cst); }

  bool begin_aging() {
    uint64_t before = ages.load(std::memory_order_seq_cst);
    return before % 2 == 0 &&
           ages.compare_exchange_strong(before, before + 1, std::memory_order_seq_cst, std::memory_order_seq_cst);
  }
  void end_aging() { ages.fetch_add(1, std::memory_order_seq_cst); }
  void age_once() {
    each(other_victim.take_all(), [&](uint32_t) { budget.give_back(1); });
    each(other_depot.take_all(), [&](uint32_t block) { other_victim.push(*this, block); });
  }
  template <class Visit>
  void each(uint32_t block, const Visit& visit) {
    for (uint32_t next; block != kNoIndex; block = next) {
      next = links[block].load(std::memory_order_relaxed);
      visit(block);
    }
  }
  void age() {
    if (!begin_aging()) return;
    age_once();
    end_aging();
    if (flaw != Flaw::ages_and_serves_nobody) serve();
  }

  void free(Way way) {
    if (way == Way::epoch) return age();
    const bool seen = flaw == Flaw::looks_before_it_frees && look();
    if (way == Way::block) depot.push(*this, 0);
    if (way == Way::stolen) stolen_from.push(*this, 0);
    if (way == Way::newcomer) attach(), newcomers.push(*this, 0);
    if (way == Way::other) other_depot.push(*this, 1);
    if (way == Way::bytes) budget.give_back(1);
    if (seen || flaw != Flaw::looks_before_it_frees) serve();
  }
};

// One waits for one.
template <Way way, class Sync = RelacySync<>, Flaw flaw = Flaw::none>
struct OneWaits : rl::test_suite<OneWaits<way, Sync, flaw>, 2> {
  WaitingPool<Sync, flaw> pool;

  void before() {
    pool.init();
    if (way == Way::epoch) pool.other_depot.push(pool, 1);
  }
  void thread(unsigned index) {
    if (index == 0) {
      pool.wait();
    } else {
      pool.free(way);
    }
  }
  void after() { RL_ASSERT(unsigned{pool.served(RL_INFO)} == 1); }
};

// Two wait, and two are freed by others, while the janitor has an epoch.
template <Way way>
struct TwoWait : rl::test_suite<TwoWait<way>, 4> {
  WaitingPool<RelacySync<>, Flaw::none> pool;

  void before() { pool.init(); }
  void thread(unsigned index) {
    if (index == 0) {
      pool.wait();
      pool.wait();
    } else {
      pool.free(index == 1 ? way : index == 2 ? Way::other : Way::epoch);
    }
  }
  void after() { RL_ASSERT(unsigned{pool.served(RL_INFO)} == 2); }
};

// Acquire and release in place of seq_cst, in one function, named by a part of its signature.
template <class Function>
struct WeakIn {
  template <class T>
  struct atomic : RelacySync<>::atomic<T> {
    using Base = RelacySync<>::atomic<T>;
    using Where = std::source_location;
    using Base::Base;

    T load(std::memory_order order, Where where = Where::current()) const {
      return Base::load(weaker(order, std::memory_order_acquire, where), where);
    }
    void store(T value, std::memory_order order, Where where = Where::current()) {
      Base::store(value, weaker(order, std::memory_order_release, where), where);
    }
    T fetch_add(T value, std::memory_order order, Where where = Where::current()) {
      return Base::fetch_add(value, weaker(order, std::memory_order_acq_rel, where), where);
    }
    T fetch_sub(T value, std::memory_order order, Where where = Where::current()) {
      return Base::fetch_sub(value, weaker(order, std::memory_order_acq_rel, where), where);
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success, std::memory_order failure,
                               Where where = Where::current()) {
      return Base::compare_exchange_weak(expected, desired, weaker(success, std::memory_order_acq_rel, where),
                                         weaker(failure, std::memory_order_acquire, where), where);
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order success, std::memory_order failure,
                                 Where where = Where::current()) {
      return Base::compare_exchange_strong(expected, desired, weaker(success, std::memory_order_acq_rel, where),
                                           weaker(failure, std::memory_order_acquire, where), where);
    }

   private:
    static std::memory_order weaker(std::memory_order order, std::memory_order to, const Where& where) {
      const bool here =
          order == std::memory_order_seq_cst && std::strstr(where.function_name(), Function::name) != nullptr;
      return here ? to : order;
    }
  };
};

#define NAMED(type, signature)                  \
  struct type {                                 \
    static constexpr auto name = signature "("; \
  }
NAMED(Push, "::push");
NAMED(Pop, "::pop");
NAMED(LooksEmpty, "::looks_empty");
NAMED(TakeAll, "::take_all");
NAMED(Claim, "::claim");
NAMED(GiveBack, "::give_back");
NAMED(Say, "::say");
NAMED(Look, "::look");
NAMED(EndAging, "::end_aging");
NAMED(Attach, "::attach");
NAMED(HeapSlots, "::heap_slots");
#undef NAMED

constexpr rl::iteration_t kExecutions = 100'000;

template <Way way, class Sync = RelacySync<>, Flaw flaw = Flaw::none>
void check_one_waits_is_caught() {
  check_caught_with_preemptions<OneWaits<way, Sync, flaw>>(2);
}

template <Way way>
void check_one_waits() {
  check_holds_at_random<OneWaits<way>>(kExecutions);
  check_holds_with_preemptions<OneWaits<way>>(2);
}

TEST(whoever_waits_is_served_by_whatever_becomes_free) {
  check_one_waits<Way::block>();
  check_one_waits<Way::stolen>();
  check_one_waits<Way::newcomer>();
  check_one_waits<Way::other>();
  check_one_waits<Way::bytes>();
  check_one_waits<Way::epoch>();
  check_holds_at_random<TwoWait<Way::block>>(kExecutions);
  check_holds_at_random<TwoWait<Way::bytes>>(kExecutions);
}

TEST(mutant_that_takes_before_it_says_that_it_waits_is_caught) {
  check_one_waits_is_caught<Way::block, RelacySync<>, Flaw::takes_before_it_says_so>();
  check_one_waits_is_caught<Way::bytes, RelacySync<>, Flaw::takes_before_it_says_so>();
}

TEST(mutant_that_looks_for_waiters_before_it_frees_is_caught) {
  check_one_waits_is_caught<Way::block, RelacySync<>, Flaw::looks_before_it_frees>();
  check_one_waits_is_caught<Way::other, RelacySync<>, Flaw::looks_before_it_frees>();
  check_one_waits_is_caught<Way::bytes, RelacySync<>, Flaw::looks_before_it_frees>();
}

TEST(mutant_whose_janitor_serves_nobody_is_caught) {
  check_one_waits_is_caught<Way::epoch, RelacySync<>, Flaw::ages_and_serves_nobody>();
}

TEST(mutant_whose_push_only_releases_is_caught) {
  check_one_waits_is_caught<Way::block, WeakIn<Push>>();
  check_one_waits_is_caught<Way::stolen, WeakIn<Push>>();
  check_one_waits_is_caught<Way::other, WeakIn<Push>>();
}

TEST(mutant_whose_waiter_only_acquires_the_stacks_is_caught) {
  check_one_waits_is_caught<Way::block, WeakIn<Pop>>();
  check_one_waits_is_caught<Way::stolen, WeakIn<LooksEmpty>>();
  check_one_waits_is_caught<Way::other, WeakIn<TakeAll>>();
}

TEST(mutant_whose_new_heap_is_only_released_or_acquired_is_caught) {
  check_one_waits_is_caught<Way::newcomer, WeakIn<Attach>>();
  check_one_waits_is_caught<Way::newcomer, WeakIn<HeapSlots>>();
}

TEST(mutant_whose_budget_only_acquires_and_releases_is_caught) {
  check_one_waits_is_caught<Way::bytes, WeakIn<Claim>>();
  check_one_waits_is_caught<Way::bytes, WeakIn<GiveBack>>();
}

TEST(mutant_whose_size_only_acquires_and_releases_is_caught) {
  check_one_waits_is_caught<Way::block, WeakIn<Say>>();
  check_one_waits_is_caught<Way::block, WeakIn<Look>>();
  check_one_waits_is_caught<Way::bytes, WeakIn<Say>>();
  check_one_waits_is_caught<Way::bytes, WeakIn<Look>>();
}

TEST(mutant_whose_end_of_aging_only_releases_is_caught) { check_one_waits_is_caught<Way::epoch, WeakIn<EndAging>>(); }

}  // namespace
}  // namespace slabpool::test
