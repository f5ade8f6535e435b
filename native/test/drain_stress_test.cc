// Threads that take, hand over and give back while one of them begins to drain the pool: the end is announced once
// nobody has anything.
#include <thread>

#include "client.h"

namespace slabpool::test {
namespace {

struct Ticket {
  uint32_t block, generation;
};

TEST(pool_is_drained_when_the_last_of_eight_threads_has_given_everything_back) {
  constexpr uint32_t kThreads = 8;
  constexpr uint32_t kRounds = kSanitized ? 100 : 400;
  for (uint32_t round = 0; round < kRounds; ++round) {
    const auto pool = make_pool({1000, 65'536}, kMiB);
    std::atomic<int64_t> leased{0};
    std::mutex lock;
    std::vector<Ticket> tickets;
    const auto work = [&](uint32_t seed) {
      Client client(*pool);
      pool->set_waker(*client.member, {[](void*) {}, nullptr});
      Random random(round * kThreads + seed);
      Blocks held;
      bool drains = false;
      const auto leave = random.below(8) == 0 ? 20 + random.below(200) : UINT32_MAX;
      for (uint32_t i = 0; i < leave && !pool->drained(); ++i) {
        if (seed == 0 && i == 50) pool->drain();
        // A flush request is looked for now and then, as an event loop does.
        if (random.below(8) == 0 && pool->take_flush_request(*client.member) == FlushRequest::drain) drains = true;
        const uint32_t choice = random.below(4);
        if (choice == 0 && !drains) {
          const size_t before = held.size();
          const Status status = client.refill(0, held);
          leased += static_cast<int64_t>(held.size() - before);
          CHECK(status == Status::ok || status == Status::exhausted || status == Status::draining);
        } else if (choice == 1 && !held.empty()) {
          Ticket ticket{held.back(), 0};
          held.pop_back();
          CHECK_EQ(pool->transfer(*client.member, 0, ticket.block, Carrier::channel, ticket.generation), Status::ok);
          const std::lock_guard guard(lock);
          tickets.push_back(ticket);
        } else if (choice == 2) {
          const std::lock_guard guard(lock);
          if (tickets.empty()) continue;
          CHECK_EQ(client.adopt(tickets.back().block, tickets.back().generation), Status::ok);
          held.push_back(tickets.back().block);
          tickets.pop_back();
        } else {
          if (!drains && random.below(2) == 0) continue;
          leased -= static_cast<int64_t>(held.size());  // before it is: whoever finds the end finds none leased
          CHECK_EQ(client.flush(0, std::exchange(held, {})), Status::ok);
        }
      }
      if (pool->drained()) CHECK_EQ(leased.load(), int64_t{0});
      leased -= static_cast<int64_t>(held.size());
      if (leave == UINT32_MAX) {
        CHECK(held.empty());
        return;
      }
      CHECK_EQ(client.flush(0, held), Status::ok);
      if (seed == 0) pool->drain();
      client.detach(Departure::clean_exit);
    };
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < kThreads; ++t) threads.emplace_back(work, t);
    for (std::thread& thread : threads) thread.join();
    // What is left is in flight, if all have gone.
    for (const Ticket& ticket : tickets) pool->recall(ticket.block, ticket.generation);
    CHECK(pool->drained());
    CHECK_SOUND(*pool);
  }
}

}  // namespace
}  // namespace slabpool::test
