// Tickets under the model checker: the word of AtomicBlockState alone publishes a block's bytes and says who adopted
// it.
#include "core/block/block_state.h"
#include "model.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kTicket = 1;  // sent once: generation 1
constexpr unsigned kSender = 0;

// Threads 1 and 2 race with one ticket; the one that gets the block writes to it and sends it on.
template <class Sync = RelacySync<>, uint32_t bits = kGenerationBits>
struct TwoAdopters : rl::test_suite<TwoAdopters<Sync, bits>, 3> {
  AtomicBlockState<Sync> state;
  rl::var<int> bytes;  // not atomic: touched by the owner only
  // Plain: Relacy switches threads at atomics only.
  unsigned adopted = 0;
  uint32_t second_ticket = 0;

  void before() {
    bytes(RL_INFO) = 0;
    state.release_as(BlockState::free);
    state.hand_out(kSender);
  }
  void thread(unsigned index) {
    if (index == kSender) {
      bytes(RL_INFO) = 1;
      RL_ASSERT(state.transfer(kSender) == kTicket);
      state.disown(kSender);  // it makes a clean exit at once
      return;
    }
    // A ticket that overtakes its block looks stale at first: nothing but the word orders the threads here.
    for (int tries = 0; tries < 3; ++tries) {
      if (state.adopt(kTicket, static_cast<uint16_t>(index), bits)) own(static_cast<uint16_t>(index));
    }
  }
  void own(uint16_t index) {
    RL_ASSERT(state.held_by(index));
    RL_ASSERT(++adopted == 1);
    RL_ASSERT(int{bytes(RL_INFO)} == 1);
    bytes(RL_INFO) = 2;
    second_ticket = state.transfer(kSender);
    RL_ASSERT(second_ticket == kTicket + 1);
  }
  void after() {
    if (adopted == 0) {
      RL_ASSERT(state.adopt(kTicket, 1, bits));
      own(1);
    }
    RL_ASSERT(!state.adopt(kTicket, 1, bits));
    RL_ASSERT(state.adopt(second_ticket, 1, bits));
    RL_ASSERT(!state.adopt(second_ticket, 2, bits));
    RL_ASSERT(int{bytes(RL_INFO)} == 2);
  }
};

// An adoption that does not check whether its guess still holds.
struct BlindSync {
  template <class T>
  struct atomic : RelacySync<>::atomic<T> {
    using RelacySync<>::atomic<T>::atomic;
    bool compare_exchange_strong(T&, T desired, std::memory_order success, std::memory_order) {
      this->store(desired, success);
      return true;
    }
  };
};

constexpr rl::iteration_t kExecutions = 1'000'000;

TEST(ticket_is_good_for_one_adopter_who_sees_the_bytes) {
  check_holds_at_random<TwoAdopters<>>(kExecutions);
  check_holds_with_preemptions<TwoAdopters<>>(2);
}

TEST(mutant_whose_tickets_are_good_twice_is_caught) {
  check_caught<TwoAdopters<RelacySync<>, 0>>(kExecutions);  // no bits of the generation are compared
}

TEST(mutant_with_a_blind_adoption_is_caught) { check_caught<TwoAdopters<BlindSync>>(kExecutions); }

TEST(mutant_whose_transfer_does_not_release_is_caught) {
  check_caught<TwoAdopters<RelacySync<Dropped::release>>>(kExecutions);
}

TEST(mutant_whose_adoption_does_not_acquire_is_caught) {
  check_caught<TwoAdopters<RelacySync<Dropped::acquire>>>(kExecutions);
}

}  // namespace
}  // namespace slabpool::test
