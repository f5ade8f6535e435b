// Blocks that are made ready before anybody asks: all of them within the budget, or none.
#include "client.h"

namespace slabpool::test {
namespace {

TEST(warm_blocks_are_free_and_no_figure_of_use_counts_them) {
  const auto pool = make_pool({1000, 4096, 65'536}, 8 * kMiB);
  Client client(*pool);
  for (uint32_t c = 0; c < pool->class_count(); ++c) {
    for (const uint64_t count : {1, 20, 40}) {
      const WarmResult warmed = pool->warm(*client.member, c, count);
      CHECK_EQ(warmed.status, Status::ok);
      CHECK(warmed.possible >= count);
      const ClassStats stats = pool->stats(c);
      CHECK(stats.resident >= count);
      CHECK_EQ(stats.held + stats.acquires, uint64_t{0});
      for (const uint64_t refills : stats.refills) CHECK_EQ(refills, uint64_t{0});
      CHECK_SOUND(*pool);
    }
    const uint64_t used = pool->budget().used();
    Blocks taken;
    while (taken.size() < 40) {
      uint32_t some[kMaxBatch];
      const uint32_t count = pool->take_free(*client.member, c, pool->size_class(c).batch, some);
      CHECK(count != 0);
      taken.insert(taken.end(), some, some + count);
    }
    CHECK_EQ(pool->budget().used(), used);
    CHECK_EQ(client.flush(c, taken), Status::ok);
    (void)client.refill(c);
    CHECK_EQ(pool->stats(c).refills[static_cast<size_t>(Step::depot)], uint64_t{1});
    CHECK_SOUND(*pool);
  }
}

TEST(warming_beyond_the_budget_changes_nothing) {
  const auto pool = make_pool({4096, 65'536}, 8 * kMiB);
  Client client(*pool);
  WarmResult warmed = pool->warm(*client.member, 1, 129);
  CHECK_EQ(warmed.possible, uint64_t{128});
  CHECK_EQ(pool->budget().used(), uint64_t{0});
  for (const uint64_t absurd : {uint64_t{1} << 40, UINT64_MAX}) {
    CHECK_EQ(pool->warm(*client.member, 1, absurd).possible, uint64_t{128});
  }
  const Blocks held = client.refill(0);
  warmed = pool->warm(*client.member, 1, 128);
  CHECK_EQ(warmed.possible, (8 * kMiB - held.size() * 4096) / 65'536);
  CHECK_EQ(client.flush(0, held), Status::ok);
  // Not even what is free gives its memory up for it.
  const uint64_t used = pool->budget().used();
  CHECK(pool->warm(*client.member, 1, 128).possible < 128);
  CHECK_EQ(pool->budget().used(), used);
  CHECK(pool->warm(*client.member, 1, warmed.possible).possible >= warmed.possible);
  CHECK_SOUND(*pool);
  (void)pool->trim();
  CHECK_EQ(pool->warm(*client.member, 1, 128).possible, uint64_t{128});
  CHECK_EQ(pool->budget().used(), pool->budget().max());
  CHECK_SOUND(*pool);
}

TEST(nothing_is_warmed_ahead_of_those_who_wait_or_while_the_pool_drains) {
  const auto pool = make_pool({65'536, 131'072}, 131'072);
  Client client(*pool);
  Client other(*pool);
  const Blocks held = client.refill(0);
  const uint64_t number = other.wait(1);
  CHECK_EQ(pool->warm(*client.member, 0, 2).status, Status::exhausted);
  uint32_t none[kMaxBatch];
  CHECK_EQ(pool->take_free(*client.member, 0, 1, none), 0u);
  CHECK(pool->cancel(number));
  pool->drain();
  CHECK_EQ(pool->warm(*client.member, 0, 1).status, Status::draining);
  CHECK_SOUND(*pool);
}

}  // namespace
}  // namespace slabpool::test
