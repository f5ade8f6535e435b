// Ring under the model checker: two cells, so that both are overwritten within a few messages.
#include "core/sync/ring.h"
#include "model.h"

namespace slabpool::test {
namespace {

// Not atomic: written and read by whose turn it is, published by the cell's sequence alone.
struct Message {
  rl::var<unsigned> value;

  Message() = default;
  explicit Message(unsigned v) { value(RL_INFO) = v; }
  Message& operator=(const Message& other) {
    const unsigned v = other.value(RL_INFO);
    value(RL_INFO) = v;
    return *this;
  }
};

// The first `producers` threads send two letters each, the others receive; after() finds the rest.
template <unsigned threads, unsigned producers, class Sync>
struct Transfer : rl::test_suite<Transfer<threads, producers, Sync>, threads> {
  static constexpr unsigned kMessages = 2;

  typename Ring<Message, Sync>::Cell cells[2];
  Ring<Message, Sync> ring;
  // Plain: Relacy switches threads at atomics only.
  unsigned sent[producers] = {};
  bool arrived[producers][kMessages] = {};

  void before() { ring.init(cells, 2); }
  void thread(unsigned index) {
    if (index < producers) {
      for (unsigned number = 0; number < kMessages; ++number) {
        if (ring.try_push(Message(index * kMessages + number)) != RingResult::ok) return;
        sent[index] = number + 1;
      }
    } else {
      unsigned next[producers] = {};
      for (unsigned tries = 0; tries < 3; ++tries) receive(next);
    }
  }
  void after() {
    unsigned next[producers] = {};
    while (receive(next)) {
    }
    for (unsigned p = 0; p < producers; ++p) {
      for (unsigned number = 0; number < kMessages; ++number) RL_ASSERT(arrived[p][number] == number < sent[p]);
    }
  }
  bool receive(unsigned (&next)[producers]) {
    Message letter;
    if (ring.try_pop(letter) != RingResult::ok) return false;
    const unsigned value = letter.value(RL_INFO);
    const unsigned p = value / kMessages;
    const unsigned number = value % kMessages;
    RL_ASSERT(p < producers && !arrived[p][number] && number >= next[p]);
    arrived[p][number] = true;
    next[p] = number + 1;
    return true;
  }
};

// A position that is taken without a look at whether it still is the taker's.
struct BlindSync {
  template <class T>
  struct atomic : RelacySync<>::atomic<T> {
    using RelacySync<>::atomic<T>::atomic;
    bool compare_exchange_weak(T&, T desired, std::memory_order success, std::memory_order) {
      this->store(desired, success);
      return true;
    }
  };
};

struct Push {
  static constexpr auto name = "try_push";
};
struct Pop {
  static constexpr auto name = "try_pop";
};

template <class Sync = RelacySync<>>
using TwoToOne = Transfer<3, 2, Sync>;
template <class Sync = RelacySync<>>
using OneToTwo = Transfer<3, 1, Sync>;

constexpr rl::iteration_t kExecutions = 500'000;

TEST(ring_delivers_each_message_once_and_whole) {
  check_holds_at_random<TwoToOne<>>(kExecutions);
  check_holds_at_random<OneToTwo<>>(kExecutions);
  check_holds_at_random<Transfer<4, 2, RelacySync<>>>(kExecutions);
  check_holds_with_preemptions<TwoToOne<>>(2);
  check_holds_with_preemptions<OneToTwo<>>(2);
}

TEST(mutant_ring_that_publishes_before_it_writes_is_caught) {
  check_caught<TwoToOne<DroppedIn<Push, Dropped::release>>>(kExecutions);
}

TEST(mutant_ring_whose_pop_frees_the_cell_before_it_has_read_is_caught) {
  check_caught<TwoToOne<DroppedIn<Pop, Dropped::release>>>(kExecutions);
}

TEST(mutant_ring_whose_pop_reads_without_acquire_is_caught) {
  check_caught<TwoToOne<DroppedIn<Pop, Dropped::acquire>>>(kExecutions);
}

TEST(mutant_ring_whose_push_overwrites_without_acquire_is_caught) {
  check_caught<TwoToOne<DroppedIn<Push, Dropped::acquire>>>(kExecutions);
}

TEST(mutant_ring_with_blind_positions_is_caught) { check_caught<TwoToOne<BlindSync>>(kExecutions); }

// How the end goes wrong on purpose.
enum class EndFlaw { none, mark_apart, told_by_the_mark_alone };

// Two threads send, a third closes the ring and empties it: what it is told by `closed` is that it has
// everything that was taken.
template <class Sync, EndFlaw flaw = EndFlaw::none>
struct Closing : rl::test_suite<Closing<Sync, flaw>, 3> {
  typename Ring<Message, Sync>::Cell cells[2];
  Ring<Message, Sync> ring;
  typename Sync::template atomic<bool> closed{false};  // of the flaw
  unsigned taken = 0, received = 0;                    // plain: Relacy switches threads at atomics only
  bool told = false;

  void before() { ring.init(cells, 2); }
  void thread(unsigned index) {
    if (index < 2) {
      if (flaw == EndFlaw::mark_apart && closed.load(std::memory_order_seq_cst)) return;
      if (ring.try_push(Message(index)) == RingResult::ok) ++taken;
      return;
    }
    if (flaw == EndFlaw::mark_apart)
      closed.store(true, std::memory_order_seq_cst);
    else
      ring.mark(RingMark::closed);
    for (unsigned tries = 0; tries < 4 && !told; ++tries) {
      // What was marked before is looked at before.
      const bool marked =
          flaw == EndFlaw::mark_apart ? closed.load(std::memory_order_seq_cst) : ring.marked(RingMark::closed);
      Message letter;
      const RingResult result = ring.try_pop(letter);
      if (result == RingResult::ok)
        ++received;
      else
        told = flaw == EndFlaw::none ? result == RingResult::closed : marked;
    }
  }
  void after() { RL_ASSERT(!told || received == taken); }
};

TEST(ring_that_says_it_is_closed_has_given_everything) {
  check_holds_at_random<Closing<RelacySync<>>>(kExecutions);
  check_holds_with_preemptions<Closing<RelacySync<>>>(2);
}

TEST(mutant_ring_whose_closed_mark_is_not_in_its_tail_is_caught) {
  check_caught<Closing<RelacySync<>, EndFlaw::mark_apart>>(kExecutions);
}

TEST(mutant_ring_that_is_closed_while_a_claimed_cell_is_not_filled_is_caught) {
  check_caught<Closing<RelacySync<>, EndFlaw::told_by_the_mark_alone>>(kExecutions);
}

// Peers that send and leave, the last of which leaves the receiver alone, and one that comes back: `alone` tells that
// what those had sent has been received.
template <class Sync>
struct Leaving : rl::test_suite<Leaving<Sync>, 3> {
  typename Ring<Message, Sync>::Cell cells[2];
  Ring<Message, Sync> ring;
  unsigned peers = 2, taken = 0, received = 0;  // plain
  bool told = false;

  void before() { ring.init(cells, 2); }
  void thread(unsigned index) {
    if (index < 2) {
      if (ring.try_push(Message(1)) == RingResult::ok) ++taken;
      if (--peers == 0) ring.mark(RingMark::alone);
      return;
    }
    for (unsigned tries = 0; tries < 4 && !told; ++tries) {
      Message letter;
      const RingResult result = ring.try_pop(letter);
      if (result == RingResult::ok) ++received;
      told = result == RingResult::alone;
      if (told) RL_ASSERT(received == taken && peers == 0);
    }
    ring.unmark(RingMark::alone);
    RL_ASSERT(!told || ring.try_push(Message(2)) == RingResult::ok);
  }
};

TEST(ring_that_says_its_consumer_is_alone_has_given_everything) {
  check_holds_at_random<Leaving<RelacySync<>>>(kExecutions);
  check_holds_with_preemptions<Leaving<RelacySync<>>>(2);
}

// The closer marks and then looks for a sleeper, who says that it sleeps and then looks at the ring: one sees the
// other.
template <class Sync>
struct Asleep : rl::test_suite<Asleep<Sync>, 2> {
  typename Ring<Message, Sync>::Cell cells[2];
  Ring<Message, Sync> ring;
  typename RelacySync<>::atomic<bool> sleeps{false};
  bool missed[2] = {};  // plain

  void before() { ring.init(cells, 2); }
  void thread(unsigned index) {
    Message letter;
    if (index == 0) {
      ring.mark(RingMark::closed);
      missed[0] = !sleeps.load(std::memory_order_seq_cst);
    } else {
      sleeps.store(true, std::memory_order_seq_cst);
      missed[1] = ring.try_pop(letter) == RingResult::not_now;
    }
  }
  void after() { RL_ASSERT(!missed[0] || !missed[1]); }
};

// A read of the tail, or a mark, that is not in the one order of all.
template <bool of_load, bool of_mark>
struct NotInOrderSync {
  template <class T>
  struct atomic : RelacySync<>::atomic<T> {
    using RelacySync<>::atomic<T>::atomic;
    T load(std::memory_order order, std::source_location where = std::source_location::current()) const {
      if (of_load && order == std::memory_order_seq_cst) order = std::memory_order_acquire;
      return RelacySync<>::atomic<T>::load(order, where);
    }
    T fetch_or(T value, std::memory_order order, std::source_location where = std::source_location::current()) {
      return RelacySync<>::atomic<T>::fetch_or(value, of_mark ? std::memory_order_acq_rel : order, where);
    }
  };
};

TEST(closer_and_sleeper_do_not_both_miss_each_other) {
  check_holds_at_random<Asleep<RelacySync<>>>(kExecutions);
  check_holds_with_preemptions<Asleep<RelacySync<>>>(4);
}

TEST(mutant_ring_whose_mark_is_read_out_of_order_is_caught) {
  check_caught<Asleep<NotInOrderSync<true, false>>>(kExecutions);
}

TEST(mutant_ring_that_is_marked_out_of_order_is_caught) {
  check_caught<Asleep<NotInOrderSync<false, true>>>(kExecutions);
}

}  // namespace
}  // namespace slabpool::test
