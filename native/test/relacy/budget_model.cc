// Budget under the model checker: the cap holds at every instant, whoever claims and gives back meanwhile.
#include "core/pool/budget.h"
#include "model.h"

namespace slabpool::test {
namespace {

template <class Sync = RelacySync<>>
struct ThreeClaimants : rl::test_suite<ThreeClaimants<Sync>, 3> {
  static constexpr uint64_t kMax = 5;
  static constexpr size_t kUnit = 2;  // so that the last byte is never granted

  Budget<Sync> budget{kMax};
  uint64_t held = 0;  // plain: Relacy switches threads at atomics only

  void thread(unsigned index) {
    for (int round = 0; round < 2; ++round) {
      const uint64_t bytes = budget.claim(index + 1, kUnit) * kUnit;
      held += bytes;
      RL_ASSERT(held <= kMax);
      RL_ASSERT(budget.used() <= kMax);
      held -= bytes;
      budget.give_back(bytes);
    }
  }
  void after() { RL_ASSERT(budget.used() == 0); }
};

// A claim that does not check whether its guess still holds.
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

TEST(budget_is_never_overdrawn) {
  check_holds_at_random<ThreeClaimants<>>(1'000'000);
  check_holds_with_preemptions<ThreeClaimants<>>(2);
}

TEST(mutant_with_a_blind_claim_is_caught) { check_caught<ThreeClaimants<BlindSync>>(1'000'000); }

}  // namespace
}  // namespace slabpool::test
