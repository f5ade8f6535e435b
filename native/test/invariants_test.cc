// A walker that sees nothing is worse than none: each test breaks a sound pool through its public parts and expects
// check_invariants() to name the damage.
#include "client.h"
#include "insides.h"

namespace slabpool::test {
namespace {

void check_noticed(const Pool& pool, const char* expected) {
  const char* found = pool.check_invariants();
  CHECK(found != nullptr && std::strcmp(found, expected) == 0);
  if (found == nullptr || std::strcmp(found, expected) != 0) {
    std::printf("  expected \"%s\", found \"%s\"\n", expected, found ? found : "nothing");
  }
}

// Two heaps, two classes; the first heap has two full batches of class 0 in its depot.
struct Scene {
  std::unique_ptr<Pool> pool = make_pool({1024, 4096}, 8 * kMiB);
  Client client{*pool};
  Client other{*pool};
  BlockStore& store = PoolInsides::store(*pool);
  Heap::ClassHeap& home = client.member->heap->classes[0];

  Scene() {
    const Blocks blocks[] = {client.refill(0), client.refill(0)};
    for (const Blocks& batch : blocks) CHECK_EQ(client.flush(0, batch), Status::ok);
    CHECK_SOUND(*pool);
  }
};

TEST(walker_notices_a_lost_batch) {
  Scene s;
  CHECK(s.home.depot.pop(s.store) != kNoIndex);
  check_noticed(*s.pool, "a free or quarantined block is nowhere");
}

TEST(walker_notices_a_batch_in_two_stacks) {
  Scene s;
  const uint32_t top = s.home.depot.pop(s.store);
  s.home.depot.push(s.store, top);
  s.home.quarantine.push(s.store, top);
  check_noticed(*s.pool, "a block is in two places");
}

TEST(walker_notices_a_ring_of_batches) {
  Scene s;
  const uint32_t top = s.home.depot.peek();
  s.store.next_batch(top).store(top, std::memory_order_relaxed);
  check_noticed(*s.pool, "a block is in two places");
}

TEST(walker_notices_a_link_out_of_range) {
  Scene s;
  s.store.next_batch(s.home.depot.peek()).store(1u << 20, std::memory_order_relaxed);
  check_noticed(*s.pool, "a link leads outside the blocks");
}

TEST(walker_notices_a_batch_away_from_home) {
  Scene s;
  s.other.member->heap->classes[0].depot.push(s.store, s.home.depot.pop(s.store));
  check_noticed(*s.pool, "a block is away from its home heap");
}

TEST(walker_notices_a_batch_in_another_class) {
  Scene s;
  s.client.member->heap->classes[1].depot.push(s.store, s.home.depot.pop(s.store));
  check_noticed(*s.pool, "a block is in another class's stack");
}

TEST(walker_notices_free_blocks_in_quarantine) {
  Scene s;
  s.home.quarantine.push(s.store, s.home.depot.pop(s.store));
  check_noticed(*s.pool, "a block's state is not that of the stack it is in");
}

TEST(walker_notices_a_held_block_that_is_also_cached) {
  Scene s;
  const Blocks held = s.client.refill(0);
  s.home.depot.push(s.store, held[0]);
  check_noticed(*s.pool, "a block's state is not that of the stack it is in");
}

TEST(walker_notices_a_miscount) {
  Scene s;
  s.client.member->classes[0].taken.add(1);
  check_noticed(*s.pool, "the count of held blocks is wrong");
}

}  // namespace
}  // namespace slabpool::test
