// The janitor: pools that nobody uses give everything back by themselves, and those that come and go do not disturb it.
#include "../core/janitor.h"

#include <thread>

#include "client.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kEpochMs = 5;

std::unique_ptr<Pool> enrolled(uint32_t epoch_ms = kEpochMs) {
  auto pool = make_pool({1000, 4096, 65'536}, 64 * kMiB, epoch_ms);
  pool->enroll();
  return pool;
}

// Generous: other processes may have the machine.
bool empties(Pool& pool) {
  for (int ms = 0; ms < 20'000 && pool.budget().used() != 0; ++ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  (void)pool.trim();  // waits until the janitor is done
  return pool.budget().used() == 0;
}

void use(Client& client) {
  for (uint32_t c = 0; c < client.pool.class_count(); ++c) {
    const Blocks blocks = client.refill(c);
    fill(client.pool, c, blocks, 'u');
    CHECK_EQ(client.flush(c, blocks), Status::ok);
  }
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

TEST(blocks_that_are_out_keep_their_pages_and_contents) {
  const auto pool = enrolled();
  Client client(*pool);
  const Blocks held = client.refill(1);
  fill(*pool, 1, held, 'h');
  use(client);
  const uint64_t expected = held.size() * pool->size_class(1).stride;
  for (int ms = 0; ms < 20'000 && pool->budget().used() != expected; ++ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK_EQ(pool->budget().used(), expected);
  for (const uint32_t b : held) CHECK(all_bytes_are(pool->address(b), 4096, 'h'));
  CHECK_EQ(client.flush(1, held), Status::ok);
  CHECK(empties(*pool));
}

TEST(dead_threads_blocks_and_tickets_come_back_by_themselves) {
  const auto pool = enrolled();
  Client mortal(*pool);
  const Blocks blocks = mortal.refill(1);
  (void)mortal.transfer(1, blocks[0]);
  mortal.detach();
  CHECK(empties(*pool));
  CHECK_SOUND(*pool);
}

TEST(epoch_that_never_ends_leaves_the_pool_alone) {
  const auto pool = enrolled(UINT32_MAX);
  Client client(*pool);
  use(client);
  const uint64_t used = pool->budget().used();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK_EQ(pool->budget().used(), used);
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
