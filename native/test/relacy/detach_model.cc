// The blocks of a thread that was killed, under the model checker: quarantine and its end (reclaimer.h) as steps on the
// core's own AtomicBlockState and stacks, against another thread's release, an adoption, and an operating system that
// still writes.
//
//   block 0   held by the thread that was killed; the I/O that it started is not done
//   block 1   in flight: the thread that was killed sent it
//   block 2   held by another thread, which releases it meanwhile
#include "core/block/block_state.h"
#include "core/sync/tagged_stack.h"
#include "model.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kBlocks = 3;
constexpr uint16_t kDead = 7;
constexpr uint16_t kOther = 8;
constexpr uint16_t kUser = 9;

enum class Quarantine { epoch, none };

template <class Sync = RelacySync<>, Quarantine length = Quarantine::epoch, bool reclaims_in_flight = false>
struct AbandonedAmongThreads : rl::test_suite<AbandonedAmongThreads<Sync, length, reclaims_in_flight>, 4> {
  typename Sync::template atomic<uint32_t> links[kBlocks];
  AtomicBlockState<Sync> states[kBlocks];
  rl::var<int> bytes[kBlocks];  // not atomic: touched by the owner only
  TaggedStack<Sync> quarantine, depot;
  // The epoch: the event that comes after the I/O. Not a Sync::atomic, as it is the operating system's order, not ours.
  typename RelacySync<>::template atomic<uint32_t> io_done;
  uint32_t ticket = 0;
  bool adopted = false;

  auto& next_batch(uint32_t index) { return links[index]; }

  void before() {
    for (uint32_t b = 0; b < kBlocks; ++b) {
      bytes[b](RL_INFO) = 0;
      states[b].release_as(BlockState::free);
      states[b].hand_out(b == 2 ? kOther : kDead);
    }
    ticket = states[1].transfer(kDead);
  }

  void thread(unsigned index) {
    switch (index) {
      case 0:
        detach();
        end_quarantines();
        break;
      case 1:  // the I/O thread
        bytes[0](RL_INFO) += 1;
        io_done.store(1, std::memory_order_release);
        break;
      case 2:
        bytes[2](RL_INFO) += 1;
        RL_ASSERT(states[2].held_by(kOther));
        states[2].release_as(BlockState::free);
        depot.push(*this, 2);
        use();
        break;
      default:
        if (states[1].adopt(ticket, kOther)) {
          adopted = true;
          bytes[1](RL_INFO) += 1;
          RL_ASSERT(states[1].held_by(kOther));
        }
        end_quarantines();
        use();
    }
  }

  void detach() {
    for (uint32_t b = 0; b < kBlocks; ++b) {
      const bool sent = reclaims_in_flight && states[b].get().state == BlockState::in_flight;
      if (!states[b].held_by(kDead) && !sent) continue;
      if (length == Quarantine::epoch) {
        states[b].release_as(BlockState::quarantined);
        quarantine.push(*this, b);
      } else {
        states[b].release_as(BlockState::free);
        depot.push(*this, b);
      }
    }
  }

  void end_quarantines() {
    for (uint32_t b = quarantine.take_all(), next; b != kNoIndex; b = next) {
      next = links[b].load(std::memory_order_relaxed);
      if (io_done.load(std::memory_order_acquire) != 0) {
        states[b].release_as(BlockState::free);
        depot.push(*this, b);
      } else {
        quarantine.push(*this, b);
      }
    }
  }

  // Takes a block as a refill does, writes to it and gives it back.
  void use() {
    const uint32_t b = depot.pop(*this);
    if (b == kNoIndex) return;
    RL_ASSERT(states[b].get().state == BlockState::free);
    states[b].hand_out(kUser);
    bytes[b](RL_INFO) += 1;
    RL_ASSERT(states[b].held_by(kUser));
    states[b].release_as(BlockState::free);
    depot.push(*this, b);
  }

  // Nothing is lost: when all is over, each block is in the depot once, or in the adopter's hands.
  void after() {
    end_quarantines();
    bool found[kBlocks] = {};
    for (uint32_t b; (b = depot.pop(*this)) != kNoIndex;) {
      RL_ASSERT(!found[b] && states[b].get().state == BlockState::free);
      found[b] = true;
    }
    RL_ASSERT(found[0] && !found[1] && found[2]);
    RL_ASSERT(adopted && states[1].held_by(kOther));
  }
};

constexpr rl::iteration_t kExecutions = 300'000;

TEST(abandoned_blocks_are_in_quarantine_until_the_io_is_over) {
  check_holds_at_random<AbandonedAmongThreads<>>(kExecutions);
  check_holds_with_preemptions<AbandonedAmongThreads<>>(1);  // with two, four threads take hours
}

TEST(mutant_that_reclaims_without_a_quarantine_is_caught) {
  check_caught<AbandonedAmongThreads<RelacySync<>, Quarantine::none>>(kExecutions);
}

TEST(mutant_that_reclaims_what_was_sent_is_caught) {
  check_caught<AbandonedAmongThreads<RelacySync<>, Quarantine::epoch, true>>(kExecutions);
}

TEST(mutant_whose_stacks_do_not_release_abandoned_blocks_is_caught) {
  check_caught<AbandonedAmongThreads<RelacySync<Dropped::release>>>(kExecutions);
}

}  // namespace
}  // namespace slabpool::test
