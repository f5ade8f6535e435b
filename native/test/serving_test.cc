// What serves those who wait: everything that gives blocks or budget back, with one thread at a time.
#include <algorithm>
#include <chrono>
#include <thread>

#include "core/channel.h"
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

TEST(quarantine_that_takes_no_time_serves_at_once) {
  Full f(0);
  const Numbers numbers{f.first.wait(2), f.second.wait(0)};
  f.holder.detach();
  Blocks got;
  CHECK(f.first.collect(got) == Numbers{numbers[0]});
  CHECK_EQ(f.first.flush(2, got), Status::ok);
  CHECK(f.second.collect() == Numbers{numbers[1]});
  CHECK_SOUND(*f.pool);
}

// Whatever comes by when the quarantine is over, and without the janitor.
TEST(quarantine_that_is_over_serves_with_the_next_age_trim_flush_or_recall) {
  const auto age = [](Full& f) { (void)f.pool->age(); };
  const auto trim = [](Full& f) { (void)f.pool->trim(); };
  const auto flush = [](Full& f) { CHECK_EQ(f.pool->flush(*f.second.member, 0, nullptr, 0), Status::ok); };
  const auto recall = [](Full& f) { f.pool->recall(f.held[0], 0); };
  const auto retire = [](Full& f) { CHECK_EQ(f.pool->retire(*f.second.member, 0, f.held[0]), Status::not_held); };
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

TEST(quarantine_that_is_over_serves_by_the_janitor_alone) {
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
    CHECK(channel->try_send(*f.holder.member, 0, 0, {b, 0, {}}, to_wake) == Channel::Result::ok);
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
  CHECK_EQ(f.pool->retire(*f.holder.member, 0, f.held[0]), Status::ok);
  CHECK(f.first.collect().empty());
  f.held.erase(f.held.begin());
  f.release();
  CHECK_EQ(f.first.collect().size(), size_t{1});
  CHECK_SOUND(*f.pool);
}

// A budget of 64 pages, on each eighth of which one block of four is held; the other pages lack one for the large
// request.
struct Pinned {
  std::unique_ptr<Pool> pool = make_pool({1024, 2048, 4 * kBlock}, 4 * kBlock, kNever);
  Client holder{*pool};
  Client large{*pool};
  Client small{*pool};
  Blocks elders;
  uint64_t number;

  Pinned() {
    CHECK_EQ(os::page_size(), size_t{4096});
    Blocks all = holder.refill_all(0);
    CHECK_EQ(all.size(), size_t{256});
    std::sort(all.begin(), all.end());
    Blocks rest;
    for (size_t i = 0; i < all.size(); ++i) (i % 32 == 0 ? elders : rest).push_back(all[i]);
    CHECK_EQ(holder.flush(0, rest), Status::ok);
    number = large.wait(2);
    CHECK(large.collect().empty());
    CHECK_EQ(pool->budget().used(), uint64_t{8 * 4096});
  }
  // All that can be had past the queue.
  Blocks take_past() {
    Blocks past;
    uint32_t batch[kMaxBatch];
    for (RefillResult result; (result = pool->refill(*small.member, 0, batch)).status == Status::ok;) {
      CHECK_EQ(result.count, 1u);
      past.push_back(batch[0]);
    }
    return past;
  }
};

TEST(refill_gets_past_the_queue_what_is_of_no_use_to_the_first_in_it) {
  Pinned p;
  const Blocks past = p.take_past();
  CHECK_EQ(past.size(), size_t{8 * 3});  // on the pages that are held anyway
  CHECK_EQ(p.pool->budget().used(), uint64_t{8 * 4096});
  CHECK_SOUND(*p.pool);
  // What comes back can be had again.
  CHECK_EQ(p.small.flush(0, past), Status::ok);
  CHECK_EQ(p.take_past().size(), past.size());
  // Another class has no page that is held.
  Blocks none;
  CHECK_EQ(p.small.refill(1, none), Status::exhausted);
  CHECK_EQ(p.small.refill(2, none), Status::exhausted);
  CHECK(p.large.collect().empty());
  CHECK_SOUND(*p.pool);
}

TEST(stream_past_the_queue_holds_no_page_against_the_first_in_it) {
  Pinned p;
  Blocks past = p.take_past();
  CHECK_EQ(p.holder.flush(0, p.elders), Status::ok);
  CHECK(p.large.collect().empty());
  // The pages are held by what went past the queue alone: nobody else gets a block of them, whatever comes back.
  while (!past.empty()) {
    CHECK_EQ(p.small.flush(0, {past.back()}), Status::ok);
    past.pop_back();
    CHECK(p.take_past().empty());
  }
  CHECK(p.large.collect() == Numbers{p.number});
  CHECK_SOUND(*p.pool);
}

TEST(requests_behind_the_first_are_served_with_what_is_of_no_use_to_it_in_their_order) {
  Pinned p;
  Numbers asked;
  for (int i = 0; i < 30; ++i) asked.push_back((i % 2 == 0 ? p.small : p.holder).wait(0));
  Blocks none;
  CHECK_EQ(p.small.refill(0, none), Status::exhausted);  // not ahead of the same
  Blocks got[2];
  Numbers served = p.small.collect(got[0]);
  CHECK_EQ(served.size(), size_t{12});
  CHECK_EQ(p.holder.collect(got[1]).size(), size_t{12});
  CHECK_EQ(p.pool->stats().waiting, uint64_t{1 + 6});
  CHECK(served.back() == asked[22]);
  // What one of them gives back is the next one's.
  CHECK_EQ(p.small.flush(0, {got[0].back()}), Status::ok);
  CHECK(p.small.collect(got[0]) == Numbers{asked[24]});
  CHECK(p.large.collect().empty());
  CHECK_SOUND(*p.pool);
}

}  // namespace
}  // namespace slabpool::test
