// TaggedStack alone, under as many threads as make it sweat.
#include <memory>
#include <thread>

#include "core/sync/tagged_stack.h"
#include "test.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kThreads = 8;
constexpr uint32_t kIndices = 64;
constexpr uint32_t kStacks = 3;
constexpr uint32_t kOperations = kSanitized ? 100'000 : 1'000'000;

struct Element {
  std::atomic<uint32_t> next_batch{0};
  std::atomic<bool> owned{false};
  uint64_t payload = 0;  // plain: written by the owner, published by the stack alone
};

struct Elements {
  Element all[kIndices];
  std::atomic<uint32_t>& next_batch(uint32_t index) { return all[index].next_batch; }
  void own(uint32_t index) {
    CHECK(!all[index].owned.exchange(true, std::memory_order_relaxed));
    ++all[index].payload;
  }
  void disown(uint32_t index) {
    ++all[index].payload;
    CHECK(all[index].owned.exchange(false, std::memory_order_relaxed));
  }
};

struct Shared {
  Elements elements;
  TaggedStack<> stacks[kStacks];

  void give(uint32_t stack, uint32_t index) {
    elements.disown(index);
    stacks[stack].push(elements, index);
  }

  // Pops from one stack and pushes on another, now and then all of it: each index has ever new neighbours.
  void work(uint32_t seed) {
    Random random(seed);
    uint32_t kept = kNoIndex;  // across operations, so that stacks run empty and tops change meanwhile
    for (uint32_t i = 0; i < kOperations; ++i) {
      if (random.below(16) == 0) {
        const uint32_t to = random.below(kStacks);
        for (uint32_t taken = stacks[random.below(kStacks)].take_all(), next; taken != kNoIndex; taken = next) {
          next = elements.next_batch(taken).load(std::memory_order_relaxed);
          elements.own(taken);
          give(to, taken);
        }
      }
      const uint32_t popped = stacks[random.below(kStacks)].pop(elements);
      if (popped != kNoIndex) elements.own(popped);
      if (kept != kNoIndex) give(random.below(kStacks), kept);
      kept = popped;
    }
    if (kept != kNoIndex) give(0, kept);
  }
};

TEST(each_index_has_one_owner_whatever_is_pushed_popped_and_taken) {
  const auto shared = std::make_unique<Shared>();
  for (uint32_t i = 0; i < kIndices; ++i) {
    shared->elements.own(i);
    shared->give(i % kStacks, i);
  }
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) threads.emplace_back([&, t] { shared->work(t); });
  for (std::thread& thread : threads) thread.join();

  uint32_t found = 0;
  for (TaggedStack<>& stack : shared->stacks) {
    for (uint32_t index; (index = stack.pop(shared->elements)) != kNoIndex; ++found) shared->elements.own(index);
    CHECK(stack.looks_empty());
  }
  CHECK_EQ(found, kIndices);
}

}  // namespace
}  // namespace slabpool::test
