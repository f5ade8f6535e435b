// Blocks that change hands by ticket: what the sender, the adopter and whoever has a bad ticket may expect.
#include "client.h"

namespace slabpool::test {
namespace {

// At quiescence. `cached` is the only term that stats() has no figure for: the test says how many there are.
void check_identity(const Pool& pool, uint32_t c, uint64_t cached) {
  const ClassStats s = pool.stats(c);
  CHECK_EQ(s.resident, s.held + s.in_flight + cached + s.quarantined + s.retired);
  CHECK_SOUND(pool);
}

TEST(block_and_its_bytes_go_from_thread_to_thread_and_back) {
  const auto pool = make_pool({4096, 65'536}, 8 * kMiB);
  Client sender(*pool);
  Client adopter(*pool);
  for (uint32_t c : {0, 1}) {
    const Blocks blocks = sender.refill(c);
    const uint32_t b = blocks[0];
    fill(*pool, c, blocks, 's');
    const uint32_t there = sender.transfer(c, b);
    CHECK(!pool->holds(*sender.member, c, b));
    CHECK(!pool->holds(*adopter.member, c, b));
    CHECK_EQ(pool->stats(c).in_flight, uint64_t{1});
    CHECK_EQ(pool->stats(c).held, blocks.size() - 1);
    check_identity(*pool, c, 0);

    CHECK_EQ(adopter.adopt(b, there), Status::ok);
    CHECK(pool->holds(*adopter.member, c, b));
    CHECK(!pool->holds(*sender.member, c, b));
    CHECK_EQ(pool->stats(c).in_flight, uint64_t{0});
    CHECK_EQ(pool->stats(c).held, uint64_t{blocks.size()});
    CHECK(all_bytes_are(pool->address(b), pool->size_class(c).capacity, 's'));

    fill(*pool, c, {b}, 'a');
    const uint32_t back = adopter.transfer(c, b);
    CHECK(back != there);
    CHECK_EQ(sender.adopt(b, back), Status::ok);
    CHECK(all_bytes_are(pool->address(b), pool->size_class(c).capacity, 'a'));
    CHECK_EQ(sender.flush(c, blocks), Status::ok);
    check_identity(*pool, c, blocks.size());
  }
}

TEST(size_travels_with_the_block_and_is_never_above_its_capacity) {
  const auto pool = make_pool({1000, 4096}, 8 * kMiB);
  Client sender(*pool);
  Client adopter(*pool);
  for (uint32_t c : {0, 1}) {
    const Blocks blocks = sender.refill(c);
    const auto capacity = static_cast<uint32_t>(pool->size_class(c).capacity);
    for (const uint32_t size : {0U, 1U, capacity - 1, capacity, capacity + 1, UINT32_MAX}) {
      CHECK_EQ(adopter.adopt(blocks[0], sender.transfer(c, blocks[0], size)), Status::ok);
      CHECK_EQ(pool->size_of(blocks[0]), std::min(size, capacity));
      CHECK_EQ(sender.adopt(blocks[0], adopter.transfer(c, blocks[0], 7)), Status::ok);
      CHECK_EQ(pool->size_of(blocks[0]), 7U);
    }
    CHECK_EQ(sender.flush(c, blocks), Status::ok);
  }
}

TEST(sender_may_adopt_its_own_ticket) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  Client client(*pool);
  const Blocks blocks = client.refill(0);
  for (const uint32_t b : blocks) CHECK_EQ(client.adopt(b, client.transfer(0, b)), Status::ok);
  CHECK_EQ(pool->stats(0).held, uint64_t{blocks.size()});
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  check_identity(*pool, 0, blocks.size());
}

TEST(adopted_block_goes_back_to_its_home_heap) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  Client producer(*pool);
  Client consumer(*pool);
  const Blocks blocks = producer.refill(0);
  for (const uint32_t b : blocks) CHECK_EQ(consumer.adopt(b, producer.transfer(0, b)), Status::ok);
  CHECK_EQ(consumer.flush(0, blocks), Status::ok);
  CHECK(consumer.member->heap->classes[0].depot.looks_empty());
  CHECK_EQ(producer.refill(0).size(), blocks.size());
  CHECK_EQ(pool->stats(0).refills[static_cast<size_t>(Step::depot)], uint64_t{1});
  CHECK_SOUND(*pool);
}

TEST(ticket_is_good_once_whatever_became_of_the_block) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  Client sender(*pool);
  Client adopter(*pool);
  const Blocks blocks = sender.refill(0);
  const uint32_t b = blocks[0];
  const uint32_t ticket = sender.transfer(0, b);
  const auto check_stale = [&] {
    for (Client* client : {&sender, &adopter}) CHECK_EQ(client->adopt(b, ticket), Status::stale);
  };
  CHECK_EQ(adopter.adopt(b, ticket), Status::ok);
  check_stale();                                   // used
  const uint32_t second = adopter.transfer(0, b);  // in flight by another ticket
  check_stale();
  CHECK_EQ(sender.adopt(b, second), Status::ok);  // held again
  check_stale();
  CHECK_EQ(sender.flush(0, {b}), Status::ok);  // free
  check_stale();
  CHECK(adopter.refill(0) == Blocks{b});  // handed out again
  check_stale();
  CHECK(pool->holds(*adopter.member, 0, b));
  const uint32_t third = adopter.transfer(0, b);  // and under way
  check_stale();
  CHECK_EQ(sender.adopt(b, third), Status::ok);
  CHECK_EQ(pool->retire(*sender.member, 0, b), Status::ok);
  check_stale();
  CHECK_EQ(sender.adopt(b, third), Status::stale);
  check_identity(*pool, 0, 0);
}

TEST(ticket_of_a_block_that_turned_cold_is_stale) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  Client client(*pool);
  const Blocks blocks = client.refill(0);
  const uint32_t ticket = client.transfer(0, blocks[0]);
  CHECK_EQ(client.adopt(blocks[0], ticket), Status::ok);
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  pool->age();
  CHECK(pool->age() != 0);
  CHECK_EQ(client.adopt(blocks[0], ticket), Status::stale);
  CHECK_EQ(pool->budget().used(), uint64_t{0});
  check_identity(*pool, 0, 0);
}

TEST(forged_tickets_are_stale) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  Client client(*pool);
  const Blocks blocks = client.refill(0);
  const uint32_t b = blocks[0];
  CHECK_EQ(client.adopt(b, 0), Status::stale);  // held, and its generation is not even wrong
  CHECK_EQ(client.adopt(b, 1), Status::stale);
  const uint32_t ticket = client.transfer(0, b);
  for (uint32_t bit = 0; bit < kGenerationBits; ++bit) {
    CHECK_EQ(client.adopt(b, ticket ^ 1u << bit), Status::stale);
  }
  for (const uint32_t index : {b + 1, uint32_t{511}, uint32_t{512}, uint32_t{1} << 20, kMaxBlocks, kNoIndex}) {
    CHECK_EQ(client.adopt(index, ticket), Status::stale);  // held, cold, no blocks
  }
  CHECK_EQ(pool->stats(0).in_flight, uint64_t{1});
  check_identity(*pool, 0, 0);
  CHECK_EQ(client.adopt(b, ticket), Status::ok);
  check_identity(*pool, 0, 0);
}

// B9: so the number of a ticket comes again after 2^32 hand-overs of its block (2^28 beyond block 2^20), and no
// earlier.
TEST(generation_moves_once_a_hand_over) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  Client client(*pool);
  Client other(*pool);
  const uint32_t b = client.refill(0)[0];
  uint32_t before = client.transfer(0, b);
  CHECK_EQ(client.adopt(b, before), Status::ok);
  for (uint32_t i = 0; i < 1000; ++i) {
    const uint32_t generation = client.transfer(0, b);
    CHECK_EQ(generation, ++before);
    CHECK_EQ(other.adopt(b, generation), Status::ok);
    CHECK_EQ(other.flush(0, {b}), Status::ok);
    CHECK_EQ(client.refill(0)[0], b);
    CHECK_EQ(client.adopt(b, generation), Status::stale);
  }
  CHECK_SOUND(*pool);
}

TEST(generation_that_has_come_to_its_end_begins_again) {
  AtomicBlockState<> state;
  state.begin(UINT32_MAX);
  state.hand_out(1);
  CHECK_EQ(state.transfer(1), 0u);
  CHECK(!state.adopt(UINT32_MAX, 2));
  CHECK(state.adopt(0, 2));
  CHECK(state.held_by(2));
  CHECK_EQ(state.transfer(2), 1u);
}

TEST(ticket_tells_its_block_and_all_it_can_of_the_generation) {
  for (const uint32_t block : {0u, 1u, 4711u, (1u << 20) - 1}) {
    for (const uint32_t generation : {0u, 1u, 0xdeadbeefu, UINT32_MAX}) {
      const auto ticket = Ticket::of(Ticket::number(block, generation));
      CHECK(Ticket::number(block, generation) < uint64_t{1} << 53);
      CHECK(ticket && ticket->block == block && ticket->generation == generation && ticket->bits == 32);
    }
  }
  for (const uint32_t block : {1u << 20, 0xabcdefu, kMaxBlocks - 1}) {
    for (const uint32_t generation : {0u, 1u, 0xdeadbeefu, UINT32_MAX}) {
      const auto ticket = Ticket::of(Ticket::number(block, generation));
      CHECK(Ticket::number(block, generation) < uint64_t{1} << 53);
      CHECK(ticket && ticket->block == block && ticket->generation == (generation & 0xfffffff) && ticket->bits == 28);
    }
  }
}

TEST(number_that_no_block_has_is_no_ticket) {
  CHECK(!Ticket::of(Ticket::kFar));  // block 0, which has a longer generation
  CHECK(!Ticket::of(Ticket::kFar | ((1u << 20) - 1)));
  CHECK(!Ticket::of(uint64_t{1} << 53));
  CHECK(!Ticket::of(UINT64_MAX));
}

// B9: of two pools that are alike in all, a ticket is good for the other by chance only, one in 2^32.
TEST(tickets_of_other_pools_are_stale) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  const auto twin = make_pool({4096}, 8 * kMiB);
  Client client(*pool);
  Client stranger(*twin);
  const Blocks blocks = client.refill(0);
  const Blocks others = stranger.refill(0);
  CHECK(blocks == others);
  uint32_t block = 0;
  for (const uint32_t b : blocks) {
    const uint64_t ticket = Ticket::number(b, client.transfer(0, b));
    const uint64_t other = Ticket::number(b, stranger.transfer(0, b));
    CHECK(ticket != other);
    CHECK_EQ(pool->adopt_ticket(*client.member, other, block), Status::stale);
    CHECK_EQ(twin->adopt_ticket(*stranger.member, ticket, block), Status::stale);
    CHECK_EQ(pool->adopt_ticket(*client.member, ticket, block), Status::ok);
    CHECK_EQ(block, b);
    CHECK_EQ(pool->adopt_ticket(*client.member, ticket, block), Status::stale);
  }
  CHECK_SOUND(*pool);
  CHECK_SOUND(*twin);
}

// B9: abandoned tickets are recalled by all 32 bits. The ticket's low 21 have come again here, on a block that is on
// its way to somebody else.
TEST(abandoned_ticket_whose_low_bits_came_again_is_not_recalled) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  Client sender(*pool);
  Client adopter(*pool);
  const uint32_t b = sender.refill(0)[0];
  const uint32_t abandoned = sender.transfer(0, b);
  sender.detach();
  CHECK_EQ(adopter.adopt(b, abandoned), Status::ok);
  uint32_t generation = abandoned;
  for (uint32_t i = 0; i < 1u << 21; ++i) {
    generation = adopter.transfer(0, b);
    if (i + 1 < 1u << 21) CHECK_EQ(adopter.adopt(b, generation), Status::ok);
  }
  (void)pool->age();  // abandoned tickets are recalled now
  CHECK_EQ(pool->stats(0).in_flight, uint64_t{1});
  CHECK_EQ(adopter.adopt(b, generation), Status::ok);
  CHECK_SOUND(*pool);
}

TEST(transfer_of_what_is_not_held_is_refused_and_changes_nothing) {
  const auto pool = make_pool({4096, 8192}, 8 * kMiB);
  Client client(*pool);
  Client other(*pool);
  const Blocks mine = client.refill(0);
  const Blocks foreign = other.refill(0);
  uint32_t generation = 77;
  const auto check_refused = [&](uint32_t c, uint32_t b) {
    CHECK_EQ(pool->transfer(*client.member, c, b, Carrier::ticket, generation), Status::not_held);
    CHECK_EQ(generation, 77u);
    CHECK_EQ(pool->stats(0).in_flight + pool->stats(1).in_flight, uint64_t{0});
    CHECK_SOUND(*pool);
  };
  check_refused(0, foreign[0]);
  check_refused(1, mine[0]);  // of another class
  check_refused(0, kNoIndex);
  check_refused(0, 1u << 20);
  CHECK_EQ(client.flush(0, {mine[0]}), Status::ok);
  check_refused(0, mine[0]);
  const uint32_t ticket = client.transfer(0, mine[1]);
  CHECK_EQ(pool->transfer(*client.member, 0, mine[1], Carrier::ticket, generation), Status::not_held);  // twice
  CHECK_EQ(pool->retire(*client.member, 0, mine[1]), Status::not_held);
  CHECK_EQ(client.flush(0, {mine[1], mine[2]}), Status::not_held);
  CHECK_EQ(client.adopt(mine[1], ticket), Status::ok);
  CHECK_SOUND(*pool);
}

TEST(blocks_in_flight_count_against_the_budget) {
  const auto pool = make_pool({65'536}, kMiB);
  Client client(*pool);
  const Blocks all = client.refill_all(0);
  std::vector<uint32_t> tickets;
  for (const uint32_t b : all) tickets.push_back(client.transfer(0, b));
  CHECK_EQ(pool->stats(0).in_flight, uint64_t{all.size()});
  CHECK_EQ(pool->stats(0).held, uint64_t{0});
  Blocks none;
  CHECK_EQ(client.refill(0, none), Status::exhausted);
  pool->age();
  CHECK_EQ(pool->age(), uint64_t{0});
  check_identity(*pool, 0, 0);
  for (size_t i = 0; i < all.size(); ++i) CHECK_EQ(client.adopt(all[i], tickets[i]), Status::ok);
  CHECK_EQ(client.flush(0, all), Status::ok);
  check_identity(*pool, 0, all.size());
}

}  // namespace
}  // namespace slabpool::test
