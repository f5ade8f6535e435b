// The janitor: pools that nobody uses give everything back by themselves, sooner where memory is short, and those that
// come and go do not disturb it.
#include "core/janitor.h"

#include <thread>

#include "client.h"
#include "core/os/steady_condition.h"
#include "files.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kEpochMs = 5;

std::unique_ptr<Pool> enrolled(uint32_t epoch_ms = kEpochMs) {
  auto pool = make_pool({1000, 4096, 65'536}, 64 * kMiB, epoch_ms);
  pool->enroll();
  return pool;
}

// Generous: other processes may have the machine.
template <class Condition>
bool comes_true(Condition&& condition) {
  for (int ms = 0; ms < 20'000 && !condition(); ++ms) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return condition();
}

void use(Client& client) {
  for (uint32_t c = 0; c < client.pool.class_count(); ++c) {
    const Blocks blocks = client.refill(c);
    fill(client.pool, c, blocks, 'u');
    CHECK_EQ(client.flush(c, blocks), Status::ok);
  }
}

TEST(timed_wait_ends_when_its_time_has_come_or_it_is_notified) {
  SteadyCondition changed;
  std::mutex mutex;
  std::unique_lock lock(mutex);
  const auto due = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  while (std::chrono::steady_clock::now() < due) changed.wait_until(lock, due);

  bool notified = false;
  std::thread other([&] {
    const std::lock_guard guard(mutex);
    notified = true;
    changed.notify_one();
  });
  const auto far = std::chrono::steady_clock::now() + std::chrono::hours(1);
  while (!notified && std::chrono::steady_clock::now() < far) changed.wait_until(lock, far);
  CHECK(notified);
  lock.unlock();
  other.join();
}

TEST(pool_that_nobody_uses_is_empty_after_some_epochs) {
  const auto pool = enrolled();
  Client client(*pool);
  for (int times = 0; times < 5; ++times) {
    use(client);
    CHECK(pool->budget().used() != 0);
    CHECK(empties(*pool));  // and the janitor sleeps until the next use
  }
  CHECK_SOUND(*pool);
}

TEST(blocks_that_are_held_keep_their_pages_and_contents) {
  const auto pool = enrolled();
  Client client(*pool);
  const Blocks held = client.refill(1);
  fill(*pool, 1, held, 'h');
  use(client);
  const uint64_t expected = held.size() * pool->size_class(1).stride;
  CHECK(comes_true([&] { return pool->budget().used() == expected; }));
  for (const uint32_t b : held) CHECK(all_bytes_are(pool->address(b), 4096, 'h'));
  CHECK_EQ(client.flush(1, held), Status::ok);
  CHECK(empties(*pool));
}

TEST(abandoned_blocks_and_tickets_come_back_by_themselves) {
  const auto pool = enrolled();
  Client mortal(*pool);
  const Blocks blocks = mortal.refill(1);
  (void)mortal.transfer(1, blocks[0]);
  mortal.detach();
  CHECK(empties(*pool));
  CHECK_SOUND(*pool);
}

TEST(epoch_that_never_ends_leaves_the_pool_alone) {
  Files files;
  const auto pool = enrolled(UINT32_MAX);
  Client client(*pool);
  use(client);
  const uint64_t used = pool->budget().used();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK_EQ(pool->budget().used(), used);
}

constexpr uint32_t kNever = UINT32_MAX;

void memory_is(Files& files, PressureLevel level) {
  files.meminfo(1000, level == PressureLevel::none ? 900 : level == PressureLevel::high ? 200 : 50);
}

// A pool with a short epoch and a block that is held: the janitor looks at memory all the time.
struct Restless {
  std::unique_ptr<Pool> pool = enrolled();
  Client client{*pool};
  Blocks held = client.refill(0);
};

bool looks_happen(uint64_t count) {
  const uint64_t before = memory::looks();
  return comes_true([&] { return memory::looks() >= before + count; });
}

// Counts how often it is aged.
struct Aged final : Ageable {
  StdSync::atomic<uint64_t> epochs{0};
  void age(Aging why, const StdSync::atomic<bool>&) override { epochs.fetch_add(why == Aging::epoch); }
  [[nodiscard]] bool has_pages() const override { return true; }
};

// Epochs of an Ageable for each look at memory, which comes once in 200 ms whatever it says. The janitor's one thread
// counts both, so that a busy machine delays them alike.
double epochs_per_look(PressureLevel level) {
  Files files;
  memory_is(files, level);
  Aged aged;
  Enrollment enrollment(aged, 200);
  enrollment.wake();
  CHECK(looks_happen(1));
  const uint64_t before = aged.epochs;
  CHECK(looks_happen(6));
  return static_cast<double>(aged.epochs - before) / 6;
}

TEST(high_pressure_makes_epochs_a_quarter_as_long) {
  CHECK(epochs_per_look(PressureLevel::none) <= 1.5);
  CHECK(epochs_per_look(PressureLevel::high) > 2.5);
}

TEST(critical_pressure_gives_back_all_that_is_free_at_the_next_look) {
  Files files;
  memory_is(files, PressureLevel::critical);
  const auto pool = enrolled(kNever);
  Client client(*pool);
  const Blocks held = client.refill(1);
  fill(*pool, 1, held, 'h');
  use(client);
  const uint64_t released_at = memory::looks();
  const uint64_t expected = held.size() * pool->size_class(1).stride;
  CHECK(comes_true([&] { return pool->budget().used() == expected; }));
  CHECK(memory::looks() <= released_at + 2);  // the one that was under way, and the next
  for (const uint32_t b : held) CHECK(all_bytes_are(pool->address(b), 4096, 'h'));
  CHECK_EQ(client.flush(1, held), Status::ok);
  CHECK(empties(*pool));
  CHECK_SOUND(*pool);
}

TEST(pressure_that_comes_later_is_noticed_while_the_pool_is_awake) {
  Files files;
  memory_is(files, PressureLevel::none);
  const auto pool = enrolled(kNever);
  const Restless restless;
  Client client(*pool);
  use(client);
  const uint64_t used = pool->budget().used();
  CHECK(looks_happen(5));
  CHECK_EQ(pool->budget().used(), used);
  memory_is(files, PressureLevel::critical);
  CHECK(empties(*pool));
}

TEST(nobody_looks_at_memory_while_all_pools_sleep) {
  const auto pool = enrolled();
  Client client(*pool);
  const Blocks held = client.refill(0);
  CHECK(looks_happen(5));
  CHECK_EQ(client.flush(0, held), Status::ok);
  CHECK(empties(*pool));
  // It may have been about to.
  CHECK(comes_true([] {
    const uint64_t before = memory::looks();
    std::this_thread::sleep_for(std::chrono::milliseconds(20 * kEpochMs));
    return memory::looks() == before;
  }));
}

TEST(threads_that_ask_for_verdicts_see_whole_ones) {
  Files files;
  memory_is(files, PressureLevel::none);
  const Restless restless;
  CHECK(looks_happen(2));
  StdSync::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      while (!done.load()) {
        const Pressure seen = t == 0 ? memory::look() : memory::last();
        CHECK_EQ(seen.used_bytes, uint64_t{1024} * (seen.level == PressureLevel::none ? 100 : 950));
      }
    });
  }
  for (int times = 0; times < 100; ++times) {
    memory_is(files, times % 2 == 0 ? PressureLevel::critical : PressureLevel::none);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(trim_waits_for_the_janitor_and_gives_everything_back) {
  const auto pool = enrolled(1);
  Client client(*pool);
  for (int times = 0; times < 200; ++times) {
    use(client);
    (void)pool->trim();
    CHECK_EQ(pool->budget().used(), uint64_t{0});
  }
  CHECK_SOUND(*pool);
}

TEST(pools_come_and_go_while_the_janitor_works) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int life = 0; life < (kSanitized ? 50 : 200); ++life) {
        const auto pool = enrolled(1);
        Client client(*pool);
        for (int times = 0; times < 3; ++times) use(client);
        if (life % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace slabpool::test
