// What one thread, or two by turns, may expect of refill, flush and retire.
#include <algorithm>
#include <set>

#include "client.h"

namespace slabpool::test {
namespace {

Blocks sorted(Blocks blocks) {
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

TEST(refill_hands_out_distinct_aligned_blocks_of_every_class) {
  const auto pool = make_pool({1, 64, 1000, 1024, 4096, 5000, 20'000, 65'536, 100'000, 1 << 20, 3'000'000}, 64 * kMiB);
  Client client(*pool);
  std::vector<std::pair<uintptr_t, size_t>> ranges;
  for (uint32_t c = 0; c < pool->class_count(); ++c) {
    const Blocks blocks = client.refill(c);
    CHECK_EQ(blocks.size(), size_t{pool->size_class(c).batch});
    for (const uint32_t b : blocks) {
      CHECK(pool->holds(*client.member, c, b));
      const auto address = reinterpret_cast<uintptr_t>(pool->address(b));
      CHECK_EQ(address % kBlockAlignment, uintptr_t{0});
      ranges.emplace_back(address, pool->size_class(c).capacity);
    }
    fill(*pool, c, blocks, 'x');
    CHECK_EQ(client.flush(c, blocks), Status::ok);
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) CHECK(ranges[i - 1].first + ranges[i - 1].second <= ranges[i].first);
  CHECK_SOUND(*pool);
}

TEST(flushed_batches_come_back_last_in_first_out) {
  const auto pool = make_pool({1024}, 8 * kMiB);
  Client client(*pool);
  const Blocks first = client.refill(0);
  const Blocks second = client.refill(0);
  CHECK_EQ(client.flush(0, first), Status::ok);
  CHECK_EQ(client.flush(0, second), Status::ok);
  CHECK(sorted(client.refill(0)) == sorted(second));
  CHECK(sorted(client.refill(0)) == sorted(first));
  const ClassStats stats = pool->stats(0);
  CHECK_EQ(stats.refills[static_cast<size_t>(Step::slab)], uint64_t{1});
  CHECK_EQ(stats.refills[static_cast<size_t>(Step::cold)], uint64_t{1});
  CHECK_EQ(stats.refills[static_cast<size_t>(Step::depot)], uint64_t{2});
  CHECK_SOUND(*pool);
}

TEST(budget_is_reached_exactly_and_refuses_until_blocks_return) {
  const auto pool = make_pool({1024, 65'536}, 2 * kMiB);
  Client client(*pool);
  const Blocks all = client.refill_all(1);
  CHECK_EQ(all.size(), size_t{32});
  CHECK_EQ(pool->budget().used(), pool->budget().max());
  Blocks none;
  CHECK_EQ(client.refill(0, none), Status::exhausted);

  CHECK_EQ(client.flush(1, {all[7]}), Status::ok);
  CHECK(client.refill(1) == Blocks{all[7]});
  CHECK_EQ(client.refill(1, none), Status::exhausted);
  CHECK_SOUND(*pool);

  // What is cached in one class gives its pages up for another.
  CHECK_EQ(client.flush(1, all), Status::ok);
  CHECK_EQ(client.refill(0, none), Status::ok);
  CHECK_SOUND(*pool);
}

TEST(budget_with_less_than_a_batch_left_grants_fewer_blocks) {
  const auto pool = make_pool({4096, 16'384}, 2 * kMiB + 12 * kKiB);
  Client client(*pool);
  CHECK_EQ(pool->size_class(0).batch, 32u);
  Blocks blocks;
  for (int i = 0; i < 16; ++i) CHECK_EQ(client.refill(0, blocks), Status::ok);
  CHECK_EQ(client.refill(0).size(), size_t{3});
  CHECK_EQ(pool->budget().used(), pool->budget().max());
  CHECK_EQ(client.refill(0, blocks), Status::exhausted);
  CHECK_SOUND(*pool);
}

TEST(budget_smaller_than_one_block_is_exhausted_at_once) {
  const auto pool = make_pool({100, 65'536}, 1000);
  Client client(*pool);
  Blocks none;
  CHECK_EQ(client.refill(0, none), Status::exhausted);
  CHECK_EQ(client.refill(1, none), Status::exhausted);
  CHECK_SOUND(*pool);
}

TEST(flush_leaves_alone_what_the_caller_does_not_hold) {
  const auto pool = make_pool({1024, 2048}, 8 * kMiB);
  Client client(*pool);
  Client other(*pool);
  const Blocks mine = client.refill(0);
  const Blocks wider = client.refill(1);
  const Blocks foreign = other.refill(0);

  const auto check_refused = [&](uint32_t c, const Blocks& blocks, uint64_t taken) {
    const uint64_t out = pool->stats(c).held;
    CHECK_EQ(client.flush(c, blocks), Status::not_held);
    CHECK_EQ(out - pool->stats(c).held, taken);
    CHECK_SOUND(*pool);
  };
  check_refused(0, {mine[0], mine[0]}, 1);              // twice in one call
  check_refused(0, {mine[0]}, 0);                       // once more
  check_refused(0, {mine[1], foreign[0], mine[2]}, 2);  // another thread's
  check_refused(0, {mine[3], wider[0], mine[4]}, 2);    // of another class
  check_refused(1, {mine[5]}, 0);                       // the other way round
  check_refused(0, {kNoIndex, mine[6], 1u << 20}, 1);   // no blocks at all
  CHECK_EQ(client.flush(0, {}), Status::ok);

  CHECK(other.flush(0, foreign) == Status::ok);
  CHECK(client.flush(1, wider) == Status::ok);
  CHECK_EQ(client.flush(0, mine), Status::not_held);  // the few that are still held
  for (uint32_t c : {0, 1}) CHECK_EQ(pool->stats(c).held, uint64_t{0});
  CHECK_SOUND(*pool);
}

TEST(retired_block_is_never_handed_out_again_and_stays_charged) {
  const auto pool = make_pool({65'536}, kMiB);
  Client client(*pool);
  const Blocks all = client.refill_all(0);
  CHECK_EQ(pool->retire(*client.member, 0, all[3]), Status::ok);
  CHECK_EQ(pool->retire(*client.member, 0, all[3]), Status::not_held);
  CHECK_EQ(pool->retire(*client.member, 0, kNoIndex), Status::not_held);
  CHECK_EQ(client.flush(0, all), Status::not_held);

  for (int epoch = 0; epoch < 4; ++epoch) {
    const Blocks again = client.refill_all(0);
    CHECK_EQ(again.size(), all.size() - 1);
    CHECK(std::find(again.begin(), again.end(), all[3]) == again.end());
    CHECK_EQ(client.flush(0, again), Status::ok);
    pool->age();
    if (epoch % 2 == 1) pool->age();
    CHECK_SOUND(*pool);
  }
  CHECK_EQ(pool->stats(0).retired, uint64_t{1});
}

TEST(stolen_blocks_go_back_to_their_home_heap) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  Client producer(*pool);
  Client consumer(*pool);
  const Blocks carved = producer.refill(0);
  fill(*pool, 0, carved, 'p');
  CHECK_EQ(producer.flush(0, carved), Status::ok);

  const Blocks stolen = consumer.refill(0);
  CHECK(sorted(stolen) == sorted(carved));
  CHECK_EQ(pool->stats(0).refills[static_cast<size_t>(Step::steal)], uint64_t{1});
  for (const uint32_t b : stolen) CHECK(all_bytes_are(pool->address(b), 4096, 'p'));
  CHECK(!pool->holds(*producer.member, 0, stolen[0]));
  CHECK_EQ(producer.flush(0, stolen), Status::not_held);

  CHECK_EQ(consumer.flush(0, stolen), Status::ok);
  CHECK(consumer.member->heap->classes[0].depot.looks_empty());
  CHECK(!producer.member->heap->classes[0].depot.looks_empty());
  CHECK_SOUND(*pool);
}

TEST(flush_of_blocks_from_two_homes_feeds_both) {
  const auto pool = make_pool({1000}, 8 * kMiB);  // blocks share pages, so that a slab is one batch and not shared
  Client a(*pool);
  Client b(*pool);
  Blocks of_a = a.refill(0);
  const Blocks of_b = b.refill(0);
  CHECK_EQ(b.flush(0, of_b), Status::ok);
  Blocks both = of_a;
  a.refill(0, both);
  std::set<uint32_t> all(both.begin(), both.end());
  CHECK_EQ(all.size(), of_a.size() + of_b.size());

  Blocks alternating;
  for (size_t i = 0; i < of_a.size(); ++i) {
    alternating.push_back(both[i]);
    alternating.push_back(both[of_a.size() + i]);
  }
  CHECK_EQ(a.flush(0, alternating), Status::ok);
  CHECK(!a.member->heap->classes[0].depot.looks_empty());
  CHECK(!b.member->heap->classes[0].depot.looks_empty());
  CHECK_SOUND(*pool);
}

}  // namespace
}  // namespace slabpool::test
