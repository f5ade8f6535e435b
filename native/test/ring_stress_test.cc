// Ring alone: many producers, many consumers, a ring that is full or empty most of the time.
#include <memory>
#include <thread>

#include "core/sync/ring.h"
#include "test.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kProducers = 4;
constexpr uint32_t kConsumers = 3;
constexpr uint32_t kMessages = kSanitized ? 15'000 : 200'000;  // of each producer

struct Letter {
  uint32_t producer;
  uint32_t number;
  uint64_t sum;  // of both: a torn message shows
};

void send_and_receive(uint64_t capacity) {
  const std::unique_ptr<Ring<Letter>::Cell[]> cells(new Ring<Letter>::Cell[capacity]);
  Ring<Letter> ring;
  ring.init(cells.get(), capacity);
  std::vector<std::atomic<uint8_t>> arrived(kProducers * kMessages);
  std::atomic<uint32_t> left{kProducers * kMessages};

  const auto produce = [&](uint32_t producer) {
    for (uint32_t number = 0; number < kMessages; ++number) {
      while (ring.try_push({producer, number, uint64_t{producer} + number}) != RingResult::ok)
        std::this_thread::yield();
    }
  };
  const auto consume = [&] {
    int64_t last[kProducers];
    for (int64_t& number : last) number = -1;
    while (left.load(std::memory_order_relaxed) != 0) {
      Letter letter{};
      if (ring.try_pop(letter) != RingResult::ok) {
        std::this_thread::yield();
        continue;
      }
      left.fetch_sub(1, std::memory_order_relaxed);
      CHECK_EQ(letter.sum, uint64_t{letter.producer} + letter.number);
      CHECK_EQ(arrived[letter.producer * kMessages + letter.number].fetch_add(1, std::memory_order_relaxed), 0);
      CHECK(last[letter.producer] < letter.number);
      last[letter.producer] = letter.number;
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t p = 0; p < kProducers; ++p) threads.emplace_back(produce, p);
  for (uint32_t c = 0; c < kConsumers; ++c) threads.emplace_back(consume);
  for (std::thread& thread : threads) thread.join();
  for (const auto& count : arrived) CHECK_EQ(count.load(), 1);
  Letter none{};
  CHECK_EQ(ring.try_pop(none), RingResult::not_now);
  CHECK_EQ(ring.size(), uint64_t{0});
}

TEST(each_message_arrives_once_and_in_its_producers_order_through_two_cells) { send_and_receive(2); }

TEST(each_message_arrives_once_and_in_its_producers_order_through_64_cells) { send_and_receive(64); }

// Whoever closes the ring and has emptied it has all that was taken, with whom it shares the receiving.
TEST(everything_that_a_ring_took_comes_out_before_it_says_that_it_is_closed) {
  constexpr uint32_t kRounds = kSanitized ? 1'000 : 5'000;
  constexpr uint32_t kBeforeClosing = 20;
  const std::unique_ptr<Ring<Letter>::Cell[]> cells(new Ring<Letter>::Cell[8]);
  for (uint32_t round = 0; round < kRounds; ++round) {
    Ring<Letter> ring;
    ring.init(cells.get(), 8);
    std::atomic<uint32_t> taken{0}, received{0};
    const auto produce = [&] {
      for (;;) {
        const RingResult result = ring.try_push({0, 0, 0});
        if (result == RingResult::closed) return;
        if (result == RingResult::ok)
          ++taken;
        else
          std::this_thread::yield();
      }
    };
    const auto consume = [&] {
      for (Letter letter{};;) {
        const RingResult result = ring.try_pop(letter);
        if (result == RingResult::closed) return;
        if (result != RingResult::ok)
          std::this_thread::yield();
        else if (++received == kBeforeClosing)
          ring.mark(RingMark::closed);
      }
    };
    std::vector<std::thread> threads;
    for (int p = 0; p < 2; ++p) threads.emplace_back(produce);
    for (int c = 0; c < 2; ++c) threads.emplace_back(consume);
    for (std::thread& thread : threads) thread.join();
    CHECK_EQ(taken.load(), received.load());
  }
}

}  // namespace
}  // namespace slabpool::test
