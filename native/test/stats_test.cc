// The figures that a pool tells: of threads, of victims, of what was dropped and why, and counters that have come far.
#include "client.h"
#include "insides.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kBlock = 65'536;

uint64_t dropped(const Pool& pool, Cause cause) { return pool.stats().dropped_bytes[static_cast<size_t>(cause)]; }

TEST(each_thread_is_told_of_by_its_index_until_it_leaves) {
  const auto pool = make_pool({4096, kBlock}, 8 * kMiB);
  Client first(*pool);
  Client second(*pool);
  const Blocks small = first.refill(0);
  const Blocks large = second.refill(1);
  CHECK_EQ(second.adopt(small[0], first.transfer(0, small[0])), Status::ok);
  ThreadStats s{};
  CHECK(pool->stats(0, s));
  CHECK_EQ(s.index, 0u);
  CHECK_EQ(s.held, uint64_t{small.size() - 1});
  CHECK_EQ(s.held_bytes, uint64_t{(small.size() - 1) * 4096});
  CHECK_EQ(s.refills[static_cast<size_t>(Step::slab)], uint64_t{1});
  CHECK(pool->stats(1, s));
  CHECK_EQ(s.held, uint64_t{large.size() + 1});
  CHECK_EQ(s.held_bytes, uint64_t{large.size() * kBlock + 4096});

  CHECK(!pool->stats(pool->member_count(), s));
  second.detach();
  CHECK(!pool->stats(1, s));
  CHECK_SOUND(*pool);
}

TEST(counts_of_a_thread_go_on_where_those_of_the_one_that_had_its_index_before_ended) {
  const auto pool = make_pool({4096, kBlock}, 8 * kMiB);
  for (uint64_t life = 1; life <= 3; ++life) {
    Client mortal(*pool);
    const Blocks held = mortal.refill(1);
    mortal.member->classes[1].publish(5, 0);
    ThreadStats s{};
    CHECK(pool->stats(0, s));
    CHECK_EQ(s.acquires, 5 * life);
    uint64_t refills = 0;
    for (const uint64_t n : s.refills) refills += n;
    CHECK_EQ(refills, life);
    CHECK_EQ(s.held, uint64_t{held.size()});
    mortal.detach();
    CHECK_SOUND(*pool);
  }
}

TEST(queues_own_thread_is_none_of_those_that_are_told_of) {
  const auto pool = make_pool({kBlock}, 4 * kBlock);
  Client client(*pool);
  (void)client.wait(0);
  CHECK_EQ(pool->member_count(), 2u);
  ThreadStats s{};
  CHECK(pool->stats(0, s));
  CHECK(!pool->stats(1, s));
  CHECK_EQ(client.collect().size(), size_t{1});
  CHECK_SOUND(*pool);
}

TEST(reports_add_up_leases_and_replace_what_is_cached) {
  const auto pool = make_pool({4096, kBlock}, 8 * kMiB);
  Client client(*pool);
  const Blocks small = client.refill(0);
  const Blocks large = client.refill(1);
  client.member->classes[0].publish(5, 7);
  client.member->classes[0].publish(3, 2);
  client.member->classes[1].publish(1, UINT32_MAX);  // which is more than it has
  CHECK_EQ(pool->stats(0).acquires, uint64_t{8});
  CHECK_EQ(pool->stats(0).cached, uint64_t{2});
  ThreadStats s{};
  CHECK(pool->stats(client.member->index, s));
  CHECK_EQ(s.acquires, uint64_t{9});
  CHECK_EQ(s.cached, uint64_t{2 + large.size()});
  CHECK_EQ(s.cached_bytes, uint64_t{2 * 4096 + large.size() * kBlock});
  CHECK_EQ(s.held, uint64_t{small.size() + large.size()});
  client.detach();
  CHECK_EQ(pool->stats(0).cached, uint64_t{0});
  CHECK_EQ(pool->stats(0).acquires, uint64_t{8});
  CHECK_SOUND(*pool);
}

TEST(victims_are_counted_until_they_are_used_or_cold) {
  const auto pool = make_pool({1000, 4096}, 4 * kMiB);
  Client client(*pool);
  for (const uint32_t c : {0u, 1u}) {
    Blocks blocks = client.refill(c);
    client.refill(c, blocks);
    CHECK_EQ(client.flush(c, blocks), Status::ok);
    CHECK_EQ(pool->stats(c).idle, uint64_t{0});
    pool->age();
    CHECK_EQ(pool->stats(c).idle, uint64_t{blocks.size()});
    CHECK_SOUND(*pool);
    Blocks used = client.refill(c);
    CHECK_EQ(pool->stats(c).idle, uint64_t{blocks.size() - used.size()});
    CHECK_SOUND(*pool);
    const uint32_t kept = used.back();
    used.pop_back();
    CHECK_EQ(client.flush(c, used), Status::ok);
    pool->age();  // the others turn cold, these turn victim
    CHECK_EQ(pool->stats(c).idle, uint64_t{used.size()});
    pool->age();
    CHECK_EQ(pool->stats(c).idle, uint64_t{0});
    CHECK_SOUND(*pool);
    CHECK_EQ(client.flush(c, {kept}), Status::ok);
    pool->trim();
    CHECK_EQ(pool->stats(c).idle, uint64_t{0});
    CHECK_SOUND(*pool);
  }
}

TEST(dropped_bytes_are_told_by_their_cause) {
  const auto pool = make_pool({kBlock, 4 * kBlock}, 4 * kBlock);
  Client client(*pool);
  const auto use_one = [&] { CHECK_EQ(client.flush(0, client.refill(0)), Status::ok); };
  uint64_t expected[kCauses] = {};
  const auto check = [&](Cause cause) {
    expected[static_cast<size_t>(cause)] = kBlock;
    for (size_t i = 0; i < kCauses; ++i) CHECK_EQ(pool->stats().dropped_bytes[i], expected[i]);
    CHECK_EQ(pool->budget().used(), uint64_t{0});
  };
  use_one();
  CHECK_EQ(pool->age() + pool->age(), uint64_t{kBlock});
  check(Cause::decay);
  use_one();
  CHECK_EQ(pool->trim(), uint64_t{kBlock});
  check(Cause::trim);
  use_one();
  CHECK_EQ(pool->trim(Cause::pressure), uint64_t{kBlock});
  check(Cause::pressure);
  use_one();
  (void)client.wait(1);
  Blocks got;
  CHECK_EQ(client.collect(got).size(), size_t{1});
  CHECK_EQ(client.flush(1, got), Status::ok);
  CHECK_EQ(dropped(*pool, Cause::exhausted), uint64_t{kBlock});
  CHECK_SOUND(*pool);
}

TEST(peaks_are_those_of_the_highest_instant) {
  const auto pool = make_pool({kBlock}, 4 * kBlock);
  Client client(*pool);
  Blocks held = client.refill_all(0);
  const uint64_t numbers[] = {client.wait(0), client.wait(0), client.wait(0)};
  for (const uint64_t number : numbers) CHECK(pool->cancel(number));
  CHECK_EQ(client.flush(0, held), Status::ok);
  pool->trim();
  held = client.refill(0);
  (void)client.wait(0);
  pool->count_refusal();
  const PoolStats s = pool->stats();
  CHECK_EQ(s.peak_waiting, uint64_t{3});
  CHECK_EQ(s.waits, uint64_t{4});
  CHECK_EQ(s.waiting, uint64_t{0});
  CHECK_EQ(s.refused, uint64_t{1});
  CHECK_EQ(s.peak_resident_bytes, uint64_t{4 * kBlock});
  CHECK_EQ(pool->stats(0).peak_resident_bytes, uint64_t{4 * kBlock});
  CHECK_SOUND(*pool);
}

// 2^53: where a double stops to tell whole numbers apart; the core goes on.
TEST(counters_go_on_beyond_32_and_53_bits) {
  for (const uint64_t edge : {uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 53}) {
    const uint64_t from = edge - 2;
    const auto pool = make_pool({kBlock, 4 * kBlock}, 4 * kBlock);
    Client client(*pool);
    PoolInsides::start_high(*pool, from);
    client.member->classes[0].publish(from, 0);
    client.member->classes[0].publish(5, 0);
    CHECK_EQ(pool->stats(0).acquires, from + 5);
    Blocks held = client.refill_all(0);
    CHECK_EQ(pool->stats(0).held, uint64_t{4});
    std::vector<uint64_t> numbers;
    for (int i = 0; i < 4; ++i) numbers.push_back(client.wait(0));
    CHECK_EQ(numbers.back(), from + 4);
    CHECK_EQ(client.flush(0, held), Status::ok);
    CHECK_EQ(pool->stats(0).in_flight, uint64_t{4});
    CHECK_SOUND(*pool);
    held.clear();
    CHECK(client.collect(held) == numbers);
    CHECK_EQ(client.flush(0, held), Status::ok);
    for (int i = 0; i < 4; ++i) pool->count_refusal();
    CHECK_EQ(pool->trim(), uint64_t{4 * kBlock});
    const PoolStats s = pool->stats();
    CHECK_EQ(s.waits, from + 4);
    CHECK_EQ(s.refused, from + 4);
    CHECK_EQ(dropped(*pool, Cause::trim), from + 4 * kBlock);
    // Sent 2^32 blocks, and more, of which each was adopted or recalled.
    for (int i = 0; i < 4; ++i) {
      const uint32_t b = client.refill(0)[0];
      pool->recall(b, client.transfer(0, b));
    }
    CHECK_EQ(pool->stats(0).in_flight, uint64_t{0});
    CHECK_SOUND(*pool);
  }
}

}  // namespace
}  // namespace slabpool::test
