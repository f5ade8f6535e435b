// EventCount with Ring under the model checker: a wake-up that is lost leaves a thread asleep for good, which Relacy
// reports as a deadlock.
#include "core/sync/event_count.h"
#include "core/sync/ring.h"
#include "model.h"

namespace slabpool::test {
namespace {

// What a sleeper sleeps on, as an event loop on its uv_async_t: a wake-up without a sleeper is kept.
class Alarm {
 public:
  void wake() {
    unsigned before = 0;
    semaphore_.post(1, before, RL_INFO);
  }
  void sleep() { semaphore_.wait(false, false, RL_INFO); }
  void init() { semaphore_.init(false, 0, 100, RL_INFO); }
  void deinit() { semaphore_.deinit(RL_INFO); }

 private:
  struct Tag {};
  rl::semaphore<Tag> semaphore_;
};

// How the model goes wrong on purpose.
enum class Flaw { none, no_second_look, notifies_before_its_push, wakes_nobody, keeps_its_wake_up };

// The first `senders` threads send `letters` each through a ring of two cells; the others share them out evenly.
template <class Sync, unsigned senders, unsigned receivers, unsigned letters, Flaw flaw = Flaw::none>
struct Sleepers : rl::test_suite<Sleepers<Sync, senders, receivers, letters, flaw>, senders + receivers> {
  static constexpr unsigned kThreads = senders + receivers;
  static constexpr unsigned kOfEach = senders * letters / receivers;
  static_assert(kOfEach * receivers == senders * letters);

  typename Ring<unsigned, Sync>::Cell cells[2];
  Ring<unsigned, Sync> ring;
  EventCount<Sync> for_receivers, for_senders;
  Alarm alarms[kThreads];
  unsigned sum = 0;  // plain: Relacy switches threads at atomics only

  void before() {
    ring.init(cells, 2);
    for (Alarm& alarm : alarms) alarm.init();
  }
  void thread(unsigned index) {
    if (index < senders) {
      for (unsigned n = 1; n <= letters; ++n) {
        if (flaw == Flaw::notifies_before_its_push) notify(for_receivers);
        wait(
            index, for_senders, [&] { return ring.try_push(n) == RingResult::ok; }, [&] { return ring.size() < 2; });
        if (flaw != Flaw::notifies_before_its_push) notify(for_receivers);
      }
    } else {
      for (unsigned n = 0; n < kOfEach; ++n) {
        unsigned letter = 0;
        wait(
            index, for_receivers, [&] { return ring.try_pop(letter) == RingResult::ok; },
            [&] { return ring.size() != 0; });
        sum += letter;
        notify(for_senders);
      }
    }
  }
  void after() {
    RL_ASSERT(sum == senders * letters * (letters + 1) / 2);
    for (Alarm& alarm : alarms) alarm.deinit();
  }

  // A wake-up may stand for two changes: a message behind a cell that is claimed and not yet filled cannot be received,
  // and whoever was woken for it has gone to sleep again. So whoever was woken and found something passes it on.
  template <class Try, class More>
  void wait(unsigned index, EventCount<Sync>& events, const Try& attempt, const More& more) {
    bool woken = false;
    while (!attempt()) {
      events.arm(index);
      if (flaw != Flaw::no_second_look && attempt()) {
        woken |= !events.disarm(index);
        break;
      }
      alarms[index].sleep();
      woken = true;
    }
    if (woken && flaw != Flaw::keeps_its_wake_up && more()) notify(events);
  }
  void notify(EventCount<Sync>& events) {
    const uint32_t sleeper = events.notify();
    if (sleeper != kNobody && flaw != Flaw::wakes_nobody) alarms[sleeper].wake();
  }
};

// A notifier that looks at the bits without taking its place in the order of changes.
struct PlainLoadSync {
  template <class T>
  struct atomic : RelacySync<>::atomic<T> {
    using RelacySync<>::atomic<T>::atomic;
    T fetch_or(T value, std::memory_order order, std::source_location where = std::source_location::current()) {
      if (value == 0) return this->load(std::memory_order_acquire, where);
      return RelacySync<>::atomic<T>::fetch_or(value, order, where);
    }
  };
};

// An event count whose read-modify-writes order nothing but themselves.
template <bool of_arm, bool of_notify>
struct RelaxedCountSync {
  template <class T>
  struct atomic : RelacySync<>::atomic<T> {
    using RelacySync<>::atomic<T>::atomic;
    T fetch_or(T value, std::memory_order order, std::source_location where = std::source_location::current()) {
      if (value == 0 ? of_notify : of_arm) order = std::memory_order_relaxed;
      return RelacySync<>::atomic<T>::fetch_or(value, order, where);
    }
  };
};

// A disarm that says that a wake-up is under way, but does not show what for.
struct RelaxedDisarmSync {
  template <class T>
  struct atomic : RelacySync<>::atomic<T> {
    using RelacySync<>::atomic<T>::atomic;
    T fetch_and(T value, std::memory_order, std::source_location where = std::source_location::current()) {
      return RelacySync<>::atomic<T>::fetch_and(value, std::memory_order_relaxed, where);
    }
  };
};

template <class Sync = RelacySync<>, Flaw flaw = Flaw::none>
using OneToOne = Sleepers<Sync, 1, 1, 3, flaw>;

constexpr rl::iteration_t kExecutions = 300'000;

TEST(sleepers_are_always_woken) {
  check_holds_at_random<OneToOne<>>(kExecutions);
  check_holds_at_random<Sleepers<RelacySync<>, 1, 2, 4>>(kExecutions);
  check_holds_at_random<Sleepers<RelacySync<>, 2, 1, 2>>(kExecutions);
  check_holds_at_random<Sleepers<RelacySync<>, 2, 2, 2>>(kExecutions);
  check_holds_with_preemptions<OneToOne<>>(2);
}

TEST(mutant_that_keeps_its_wake_up_to_itself_is_caught) {
  check_caught<Sleepers<RelacySync<>, 2, 2, 2, Flaw::keeps_its_wake_up>>(kExecutions);
}

TEST(mutant_whose_disarm_does_not_acquire_is_caught) {
  check_caught<Sleepers<RelaxedDisarmSync, 1, 2, 4>>(kExecutions);
}

TEST(mutant_that_sleeps_without_a_second_look_is_caught) {
  check_caught<OneToOne<RelacySync<>, Flaw::no_second_look>>(kExecutions);
}

TEST(mutant_that_notifies_before_its_change_is_caught) {
  check_caught<OneToOne<RelacySync<>, Flaw::notifies_before_its_push>>(kExecutions);
}

TEST(mutant_that_clears_the_bit_and_wakes_nobody_is_caught) {
  check_caught<OneToOne<RelacySync<>, Flaw::wakes_nobody>>(kExecutions);
}

TEST(mutant_whose_notifier_only_loads_is_caught) { check_caught<OneToOne<PlainLoadSync>>(kExecutions); }

TEST(mutant_whose_sleeper_arms_without_acquire_is_caught) {
  check_caught<OneToOne<RelaxedCountSync<true, false>>>(kExecutions);
}

TEST(mutant_whose_notifier_notifies_without_release_is_caught) {
  check_caught<OneToOne<RelaxedCountSync<false, true>>>(kExecutions);
}

}  // namespace
}  // namespace slabpool::test
