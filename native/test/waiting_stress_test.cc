// Threads that sleep until what they wait for is granted: one that is forgotten sleeps until a watchdog reports it.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "client.h"
#include "payload.h"

namespace slabpool::test {
namespace {

constexpr std::chrono::seconds kWatchdog{30};
constexpr uint32_t kBlock = 65'536;
constexpr uint32_t kBlocks = 64;
constexpr uint32_t kEpochMs = 1;

// A thread that waits for blocks, and sleeps meanwhile as an event loop does: a wake-up without a sleeper is kept.
class Sleeper {
 public:
  explicit Sleeper(Pool& pool) : client_(pool) { pool.set_waker(*client_.member, {&wake, this}); }

  void ask(uint32_t c) {
    const uint64_t number = client_.wait(c);
    CHECK(number > last_asked_);
    last_asked_ = number;
    ++pending_;
    flush_hoard();  // who waits is not asked itself
  }

  // Sleeps until something was granted, uses it and gives it back. False: the watchdog barked.
  bool serve_one_round() {
    std::unique_lock lock(mutex_);
    if (!condition_.wait_for(lock, kWatchdog, [this] { return woken_; })) return false;
    woken_ = false;
    lock.unlock();
    obey();
    collect();
    return true;
  }

  // Gives up what it asked for last, if that has not been granted.
  void change_its_mind() {
    if (pending_ != 0 && client_.pool.cancel(last_asked_)) --pending_;
  }

  // With what it still waits for, what it was granted and has not looked at, and a block in its hands.
  void leave_abandoned(uint32_t c) {
    Blocks held;
    Grant grant{};
    if (client_.pool.collect(*client_.member, grant)) {
      write_payload(client_.pool.address(grant.block), 64, grant.number);
    } else {
      (void)client_.refill(c, held);
    }
    client_.detach(c % 2 == 0 ? Departure::abandoned : Departure::clean_exit);
  }

  // Keeps blocks of the class to itself, as a magazine does, until it is asked to flush.
  void hoard(uint32_t c) { (void)client_.refill(c, hoard_[c]); }
  void obey() {
    if (client_.member->notifications.flush_request.exchange(FlushRequest::none) != FlushRequest::none) flush_hoard();
  }

  [[nodiscard]] uint64_t pending() const { return pending_; }
  [[nodiscard]] uint64_t served() const { return served_; }
  void leave() {
    flush_hoard();
    client_.detach(Departure::clean_exit);
  }

 private:
  static void wake(void* self) {
    auto& sleeper = *static_cast<Sleeper*>(self);
    const std::lock_guard lock(sleeper.mutex_);
    sleeper.woken_ = true;
    sleeper.condition_.notify_one();
  }

  void flush_hoard() {
    for (uint32_t c = 0; c < client_.pool.class_count(); ++c) {
      CHECK_EQ(client_.flush(c, std::exchange(hoard_[c], {})), Status::ok);
    }
  }

  void collect() {
    for (Grant grant{}; client_.pool.collect(*client_.member, grant);) {
      // Of other classes, later ones may be served with what is of no use to the first.
      CHECK(grant.number > last_served_[grant.size_class]);
      last_served_[grant.size_class] = grant.number;
      --pending_;
      ++served_;
      // Nobody else has the block.
      char* const bytes = client_.pool.address(grant.block);
      const size_t size = client_.pool.size_class(grant.size_class).capacity;
      write_payload(bytes, size, grant.number);
      std::this_thread::yield();
      CHECK(has_payload(bytes, size, grant.number));
      CHECK_EQ(client_.flush(grant.size_class, {grant.block}), Status::ok);
    }
  }

  Client client_;
  std::mutex mutex_;
  std::condition_variable condition_;
  bool woken_ = false;
  uint64_t last_asked_ = 0, pending_ = 0, served_ = 0;
  uint64_t last_served_[4] = {};  // by class
  Blocks hoard_[4];
};

std::unique_ptr<Pool> make_aged_pool() {
  auto pool = make_pool({1000, 4096, kBlock, 4 * kBlock}, kBlocks * kBlock, kEpochMs);
  pool->enroll();
  return pool;
}

TEST(all_who_wait_are_served_while_others_die_and_the_pool_ages) {
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kWaits = 10'000;
  const auto pool = make_aged_pool();
  Client first(*pool);
  const Blocks all = first.refill_all(2);
  CHECK_EQ(all.size(), size_t{kBlocks});

  std::atomic<uint32_t> asked{0}, running{kThreads};
  std::atomic<uint64_t> served{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Sleeper sleeper(*pool);
      Random random(t);
      // All at once: a full budget, and a queue of 10,000.
      for (uint32_t i = 0; i < kWaits / kThreads; ++i) sleeper.ask(random.below(4));
      ++asked;
      while (sleeper.pending() != 0) {
        if (sleeper.serve_one_round()) continue;
        CHECK_EQ(sleeper.pending(), uint64_t{0});
        break;
      }
      served += sleeper.served();
      sleeper.leave();
      --running;
    });
  }
  // Threads that come and go meanwhile, in the middle of waiting.
  std::thread mortals([&] {
    Random random(kThreads);
    while (running.load() != 0) {
      Sleeper mortal(*pool);
      for (uint32_t i = random.below(8); i != 0; --i) mortal.ask(random.below(4));
      for (uint32_t i = random.below(3); i != 0; --i) std::this_thread::yield();
      mortal.leave_abandoned(random.below(4));
      std::this_thread::sleep_for(
          std::chrono::microseconds(100));  // a detach looks through the whole queue, under its lock
    }
  });
  while (asked.load() < kThreads) std::this_thread::yield();
  CHECK_EQ(first.flush(2, all), Status::ok);
  for (std::thread& thread : threads) thread.join();
  mortals.join();
  CHECK_EQ(served.load(), uint64_t{kWaits});
  CHECK_EQ(pool->stats().waiting, uint64_t{0});
  CHECK(pool->stats().peak_waiting >= kWaits);
  CHECK(empties(*pool));
  CHECK_SOUND(*pool);
}

// Each has few requests at a time, so that the queue is empty again and again: that is where a wake-up could be lost.
TEST(queue_that_is_empty_again_and_again_forgets_nobody) {
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kRounds = kSanitized ? 5'000 : 20'000;
  const auto pool = make_pool({1000, kBlock, 2 * kBlock}, 2 * kBlock);  // nobody ages it
  std::atomic<uint64_t> waits{0};
  std::atomic<bool> stuck{false};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Sleeper sleeper(*pool);
      Random random(t);
      for (uint32_t round = 0; round < kRounds && !stuck.load(); ++round) {
        if (random.below(4) == 0) sleeper.hoard(random.below(3));
        for (uint32_t i = random.below(3); i != 0; --i) sleeper.ask(random.below(3));
        if (random.below(4) == 0) sleeper.change_its_mind();
        while (sleeper.pending() != 0 && !stuck.load()) {
          if (!sleeper.serve_one_round()) stuck = true;
        }
        sleeper.obey();
      }
      waits += sleeper.served();
      sleeper.leave();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(!stuck.load());
  CHECK(waits.load() > kRounds);
  CHECK_EQ(pool->stats().waiting, uint64_t{0});
  CHECK_SOUND(*pool);
}

}  // namespace
}  // namespace slabpool::test
