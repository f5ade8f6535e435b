// TaggedStack under the model checker, and mutants of it that must be caught.
//
// A tag of two bits comes back after four pushes. No scenario has more than three pushes besides those of the thread
// whose pop they could fool, so that a wrap-around is not possible, and every failure is a real one.
#include "core/sync/tagged_stack.h"
#include "model.h"

namespace slabpool::test {
namespace {

template <class Sync, unsigned tag_bits>
struct Nodes {
  static constexpr uint32_t kCount = 3;

  typename Sync::template atomic<uint32_t> links[kCount];
  rl::var<int> payload[kCount];  // not atomic: touched by the owner only, published by the stack alone
  bool owned[kCount] = {};
  TaggedStack<Sync, tag_bits> stack;

  auto& next_batch(uint32_t index) { return links[index]; }

  void push(uint32_t index) {
    payload[index](RL_INFO) += 1;
    RL_ASSERT(owned[index]);
    owned[index] = false;
    stack.push(*this, index);
  }
  uint32_t own(uint32_t index) {
    if (index == kNoIndex) return index;
    RL_ASSERT(!owned[index]);
    owned[index] = true;
    payload[index](RL_INFO) += 1;
    return index;
  }
  uint32_t pop() { return own(stack.pop(*this)); }

  // Node 0 on top, as a thread that takes and gives back finds it.
  void fill() {
    for (uint32_t i = kCount; i-- > 0;) {
      owned[i] = true;
      payload[i](RL_INFO) = 0;
      push(i);
    }
  }
  // Nothing is lost: what the threads do not own is in the stack, once.
  void drain() {
    while (pop() != kNoIndex) {
    }
    for (const bool one : owned) RL_ASSERT(one);
  }
};

// One pops while the other pops two and pushes the first again: the classic ABA.
template <class Sync = RelacySync<>, unsigned tag_bits = 2>
struct PopAgainstReuse : rl::test_suite<PopAgainstReuse<Sync, tag_bits>, 2> {
  Nodes<Sync, tag_bits> nodes;
  void before() { nodes.fill(); }
  void thread(unsigned index) {
    const uint32_t first = nodes.pop();
    if (index == 1) nodes.pop();
    nodes.push(first);
  }
  void after() { nodes.drain(); }
};

// A third takes all at once, as a trim does, and gives back two of it.
template <class Sync = RelacySync<>, unsigned tag_bits = 2>
struct PopAgainstTakeAll : rl::test_suite<PopAgainstTakeAll<Sync, tag_bits>, 3> {
  Nodes<Sync, tag_bits> nodes;
  void before() { nodes.fill(); }
  void thread(unsigned index) {
    if (index == 2) return take_all();
    const uint32_t first = nodes.pop();
    if (first != kNoIndex && index == 0) nodes.push(first);
    if (index == 1) nodes.pop();
  }
  void take_all() {
    uint32_t pushes = 2;
    for (uint32_t taken = nodes.stack.take_all(), next; taken != kNoIndex; taken = next) {
      next = nodes.next_batch(taken).load(std::memory_order_relaxed);
      nodes.own(taken);
      if (pushes-- > 0) nodes.push(taken);
    }
  }
  void after() { nodes.drain(); }
};

constexpr rl::iteration_t kExecutions = 1'000'000;

TEST(stack_survives_reuse_during_a_pop) {
  check_holds_at_random<PopAgainstReuse<>>(kExecutions);
  check_holds_with_preemptions<PopAgainstReuse<>>(2);
}

TEST(stack_survives_take_all_during_a_pop) {
  check_holds_at_random<PopAgainstTakeAll<>>(kExecutions);
  check_holds_with_preemptions<PopAgainstTakeAll<>>(2);
}

template <Dropped order>
using ReuseWithout = PopAgainstReuse<RelacySync<order>>;

TEST(mutant_without_a_tag_is_caught) { check_caught<PopAgainstReuse<RelacySync<>, 0>>(kExecutions); }

TEST(mutant_whose_tag_wraps_around_is_caught) { check_caught<PopAgainstTakeAll<RelacySync<>, 1>>(kExecutions); }

TEST(mutant_without_release_is_caught) { check_caught<ReuseWithout<Dropped::release>>(kExecutions); }

TEST(mutant_without_acquire_is_caught) { check_caught<ReuseWithout<Dropped::acquire>>(kExecutions); }

TEST(mutant_whose_pop_loads_without_acquire_is_caught) {
  check_caught<ReuseWithout<Dropped::acquire_of_load>>(kExecutions);
}

TEST(mutant_whose_failed_pop_reads_without_acquire_is_caught) {
  check_caught<ReuseWithout<Dropped::acquire_of_failure>>(kExecutions);
}

TEST(mutant_whose_take_all_takes_without_acquire_is_caught) {
  check_caught<PopAgainstTakeAll<RelacySync<Dropped::acquire_of_success>>>(kExecutions);
}

}  // namespace
}  // namespace slabpool::test
