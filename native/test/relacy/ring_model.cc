// Ring under the model checker: two cells, so that both are overwritten within a few messages.
#include "../../core/ring.h"
#include "model.h"

namespace slabpool::test {
namespace {

// Not atomic: written and read by whose turn it is, published by the cell's sequence alone.
struct Letter {
  rl::var<unsigned> value;

  Letter() = default;
  explicit Letter(unsigned v) { value(RL_INFO) = v; }
  Letter& operator=(const Letter& other) {
    const unsigned v = other.value(RL_INFO);
    value(RL_INFO) = v;
    return *this;
  }
};

// The first `producers` threads send two letters each, the others receive; after() finds the rest.
template <unsigned threads, unsigned producers, class Sync>
struct Mail : rl::test_suite<Mail<threads, producers, Sync>, threads> {
  static constexpr unsigned kLetters = 2;

  typename Ring<Letter, Sync>::Cell cells[2];
  Ring<Letter, Sync> ring;
  // Plain: Relacy switches threads at atomics only.
  unsigned sent[producers] = {};
  bool arrived[producers][kLetters] = {};

  void before() { ring.init(cells, 2); }
  void thread(unsigned index) {
    if (index < producers) {
      for (unsigned number = 0; number < kLetters; ++number) {
        if (!ring.try_push(Letter(index * kLetters + number))) return;
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
      for (unsigned number = 0; number < kLetters; ++number) RL_ASSERT(arrived[p][number] == number < sent[p]);
    }
  }
  bool receive(unsigned (&next)[producers]) {
    Letter letter;
    if (!ring.try_pop(letter)) return false;
    const unsigned value = letter.value(RL_INFO);
    const unsigned p = value / kLetters;
    const unsigned number = value % kLetters;
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
using TwoToOne = Mail<3, 2, Sync>;
template <class Sync = RelacySync<>>
using OneToTwo = Mail<3, 1, Sync>;

constexpr rl::iteration_t kExecutions = 500'000;

TEST(ring_delivers_each_message_once_and_whole) {
  check_holds_at_random<TwoToOne<>>(kExecutions);
  check_holds_at_random<OneToTwo<>>(kExecutions);
  check_holds_at_random<Mail<4, 2, RelacySync<>>>(kExecutions);
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

}  // namespace
}  // namespace slabpool::test
