// What serves those who wait: everything that gives blocks or budget back, with one thread at a time.
#include <chrono>
#include <thread>

#include "../core/channel.h"
#include "full_pool.h"

namespace slabpool::test {
namespace {

TEST(idle_blocks_of_other_classes_give_way) {
  const auto pool = make_pool({1000, 4096, 4 * kBlock}, 4 * kBlock, kNever);
  Client idle(*pool);
  Client client(*pool);
  Blocks small = idle.refill_all(1);
  CHECK_EQ(idle.flush(1, small), Status::ok);
  const uint64_t number = client.wait(2);
  Blocks got;
  CHECK(client.collect(got) == Numbers{number});
  CHECK_EQ(pool->stats().dropped_bytes[static_cast<size_t>(Cause::exhausted)], uint64_t{4 * kBlock});
  CHECK_EQ(client.flush(2, got), Status::ok);
  CHECK_EQ(pool->trim(), uint64_t{4 * kBlock});

  // Blocks that share pages: the last of each slab decides.
  small = idle.refill_all(0);
  (void)client.wait(2);
  const uint32_t last = small.back();
  small.pop_back();
  CHECK_EQ(idle.flush(0, small), Status::ok);
  CHECK(client.collect().empty());
  CHECK_SOUND(*pool);
  CHECK_EQ(idle.flush(0, {last}), Status::ok);
  CHECK_EQ(client.collect().size(), size_t{1});
  CHECK_SOUND(*pool);
}

TEST(rest_of_a_dead_thread_that_takes_no_time_serves_at_once) {
  Full f(0);
  const Numbers numbers{f.first.wait(2), f.second.wait(0)};
  f.holder.detach();
  Blocks got;
  CHECK(f.first.collect(got) == Numbers{numbers[0]});
  CHECK_EQ(f.first.flush(2, got), Status::ok);
  CHECK(f.second.collect() == Numbers{numbers[1]});
  CHECK_SOUND(*f.pool);
}

// Whatever comes by when the rest is over, and without the janitor.
TEST(rest_that_is_over_serves_with_the_next_age_trim_flush_or_recall) {
  const auto age = [](Full& f) { (void)f.pool->age(); };
  const auto trim = [](Full& f) { (void)f.pool->trim(); };
  const auto flush = [](Full& f) { CHECK_EQ(f.pool->flush(*f.second.thread, 0, nullptr, 0), Status::ok); };
  const auto recall = [](Full& f) { f.pool->recall(f.held[0], 0); };
  const auto retire = [](Full& f) { CHECK_EQ(f.pool->retire(*f.second.thread, 0, f.held[0]), Status::not_held); };
  struct Case {
    void (*poke)(Full&);
    bool serves;
  };
  for (const auto& [poke, serves] :
       {Case{age, true}, Case{trim, true}, Case{flush, true}, Case{recall, true}, Case{retire, false}}) {
    Full f(20);
    const uint64_t number = f.first.wait(0);
    f.holder.detach();
    CHECK(f.first.collect().empty());
    std::this_thread::sleep_for(std::chrono::milliseconds(40));
    CHECK(f.first.collect().empty());
    poke(f);
    CHECK(f.first.collect() == (serves ? Numbers{number} : Numbers{}));
    CHECK_SOUND(*f.pool);
  }
}

TEST(rest_that_is_over_serves_by_the_janitor_alone) {
  Full f(10, Full::Janitor::ages_it);
  const Numbers numbers{f.first.wait(0), f.first.wait(2)};
  // One lot held, one sent by tickets.
  (void)f.holder.transfer(0, f.held[0]);
  f.holder.detach();
  Blocks got;
  const auto collect_one = [&] {
    for (int ms = 0; ms < 10'000; ++ms) {
      const Numbers collected = f.first.collect(got);
      if (!collected.empty()) return collected;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return Numbers{};
  };
  CHECK(collect_one() == Numbers{numbers[0]});
  CHECK_EQ(f.first.flush(0, got), Status::ok);
  CHECK(collect_one() == Numbers{numbers[1]});
  CHECK_EQ(f.first.flush(2, {got.back()}), Status::ok);
  CHECK(empties(*f.pool));
  CHECK_SOUND(*f.pool);
}

TEST(channel_that_ends_serves_with_what_was_in_it) {
  Full f;
  auto channel = Channel::create(*f.pool, 4);
  (void)channel->join();
  uint32_t to_wake;
  for (const uint32_t b : f.held) {
    CHECK(channel->try_send(*f.holder.thread, 0, 0, {b, 0, {}}, to_wake) == Channel::Result::ok);
  }
  const uint64_t number = f.first.wait(2);
  CHECK(f.first.collect().empty());
  channel.reset();
  CHECK(f.first.collect() == Numbers{number});
  CHECK_SOUND(*f.pool);
}

TEST(retired_block_serves_nobody) {
  Full f;
  (void)f.first.wait(0);
  CHECK_EQ(f.pool->retire(*f.holder.thread, 0, f.held[0]), Status::ok);
  CHECK(f.first.collect().empty());
  f.held.erase(f.held.begin());
  f.release();
  CHECK_EQ(f.first.collect().size(), size_t{1});
  CHECK_SOUND(*f.pool);
}

}  // namespace
}  // namespace slabpool::test
