// Members that leave: what they held is in quarantine, what they sent goes on, and the next thread takes their place.
#include <algorithm>
#include <chrono>
#include <thread>

#include "client.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kNever = 40u * 24 * 3600 * 1000;  // an epoch that no test outlives

Blocks sorted(Blocks blocks) {
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

bool is_among(const Blocks& blocks, const Blocks& all) {
  return std::any_of(blocks.begin(), blocks.end(),
                     [&](uint32_t b) { return std::find(all.begin(), all.end(), b) != all.end(); });
}

void wait_ms(uint32_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

TEST(blocks_of_an_abandoned_member_are_in_quarantine_and_keep_their_bytes) {
  const auto pool = make_pool({1000, 65'536}, 2 * kMiB, kNever);
  Client living(*pool);
  Client gone(*pool);
  const Blocks held[] = {gone.refill(0), gone.refill(1)};
  for (uint32_t c : {0, 1}) fill(*pool, c, held[c], 'd');
  const uint64_t charged = pool->budget().used();
  gone.detach();
  for (uint32_t c : {0, 1}) {
    CHECK_EQ(pool->stats(c).held, uint64_t{0});
    CHECK_EQ(pool->stats(c).quarantined, uint64_t{held[c].size()});
  }
  CHECK_EQ(pool->budget().used(), charged);
  CHECK_SOUND(*pool);

  for (int epoch = 0; epoch < 4; ++epoch) pool->age();
  CHECK(!is_among(living.refill_all(1), held[1]));
  CHECK_EQ(living.flush(0, held[0]), Status::not_held);
  for (uint32_t c : {0, 1}) {
    for (const uint32_t b : held[c]) CHECK(all_bytes_are(pool->address(b), pool->size_class(c).capacity, 'd'));
    CHECK_EQ(pool->stats(c).quarantined, uint64_t{held[c].size()});
  }
  CHECK_SOUND(*pool);
}

TEST(without_an_epoch_abandoned_blocks_come_back_at_once) {
  const auto pool = make_pool({4096}, 8 * kMiB, 0);
  Client living(*pool);
  Client gone(*pool);
  const Blocks held = gone.refill(0);
  gone.detach();
  CHECK(sorted(living.refill(0)) == sorted(held));
  CHECK_EQ(pool->stats(0).quarantined, uint64_t{0});
  CHECK_EQ(pool->stats(0).slabs, uint64_t{1});
  CHECK_SOUND(*pool);
}

TEST(quarantine_ends_with_the_epoch_and_not_before) {
  const auto pool = make_pool({65'536}, kMiB, 150);
  Client living(*pool);
  Client gone(*pool);
  const Blocks held = gone.refill_all(0);
  const auto from = std::chrono::steady_clock::now();
  gone.detach();
  Blocks none;
  const Status early = living.refill(0, none);
  if (std::chrono::steady_clock::now() - from < std::chrono::milliseconds(100)) CHECK_EQ(early, Status::exhausted);
  CHECK_SOUND(*pool);
  wait_ms(200);
  CHECK(sorted(living.refill_all(0)) == sorted(held));
  CHECK_EQ(pool->stats(0).slabs, uint64_t{1});  // before another slab was carved
  CHECK_SOUND(*pool);
}

TEST(aging_frees_what_was_in_quarantine_and_gives_its_pages_back) {
  const auto pool = make_pool({1000, 4096}, 8 * kMiB, 20);
  Client gone(*pool);
  for (uint32_t c : {0, 1}) fill(*pool, c, gone.refill(c), 'd');
  const uint64_t charged = pool->budget().used();
  gone.detach();
  wait_ms(40);
  CHECK_EQ(pool->age(), uint64_t{0});  // awake, and idle for the first epoch
  for (uint32_t c : {0, 1}) CHECK_EQ(pool->stats(c).quarantined, uint64_t{0});
  CHECK_SOUND(*pool);
  CHECK_EQ(pool->age(), charged);
  CHECK_EQ(pool->budget().used(), uint64_t{0});
  CHECK_SOUND(*pool);
}

TEST(each_abandoned_member_has_a_quarantine_of_its_own) {
  const auto pool = make_pool({65'536}, 8 * kMiB, 200);
  Client first(*pool);
  Client second(*pool);
  const Blocks of_first = first.refill(0);
  const Blocks of_second = second.refill(0);
  first.detach();
  wait_ms(250);
  const auto from = std::chrono::steady_clock::now();
  second.detach();
  Client living(*pool);
  Blocks got = living.refill_all(0);
  CHECK(is_among(of_first, got));
  if (std::chrono::steady_clock::now() - from < std::chrono::milliseconds(150)) CHECK(!is_among(of_second, got));
  CHECK_SOUND(*pool);
}

TEST(detach_puts_foreign_blocks_into_quarantine_at_their_home) {
  const auto pool = make_pool({4096}, 8 * kMiB, 0);
  Client producer(*pool);
  Client consumer(*pool);
  const Blocks carved = producer.refill(0);
  for (const uint32_t b : carved) CHECK_EQ(consumer.adopt(b, producer.transfer(0, b)), Status::ok);
  consumer.detach();
  CHECK_SOUND(*pool);  // which looks at homes
  CHECK(!producer.member->heap->classes[0].quarantine.looks_empty());
  CHECK(sorted(producer.refill(0)) == sorted(carved));
  CHECK_SOUND(*pool);
}

TEST(blocks_in_flight_outlive_their_sender) {
  const auto pool = make_pool({4096}, 8 * kMiB, kNever);
  Client sender(*pool);
  Client adopter(*pool);
  const Blocks blocks = sender.refill(0);
  fill(*pool, 0, blocks, 's');
  const uint32_t ticket = sender.transfer(0, blocks[0]);
  sender.detach();
  CHECK_EQ(pool->stats(0).in_flight, uint64_t{1});
  CHECK_EQ(pool->stats(0).quarantined, blocks.size() - 1);
  CHECK_SOUND(*pool);
  Client next(*pool);  // with the sender's index: the block is not its own
  CHECK(!pool->holds(*next.member, 0, blocks[0]));
  CHECK_EQ(next.flush(0, blocks), Status::not_held);
  CHECK_EQ(adopter.adopt(blocks[0], ticket), Status::ok);
  CHECK(all_bytes_are(pool->address(blocks[0]), 4096, 's'));
  CHECK_EQ(next.adopt(blocks[0], ticket), Status::stale);
  CHECK_EQ(adopter.flush(0, {blocks[0]}), Status::ok);
  CHECK_SOUND(*pool);
}

TEST(tickets_of_an_abandoned_member_are_good_for_an_epoch) {
  const auto pool = make_pool({4096}, 8 * kMiB, 0);
  Client sender(*pool);
  Client adopter(*pool);
  const Blocks blocks = sender.refill(0);
  const uint32_t adopted = sender.transfer(0, blocks[0]);
  const uint32_t sent_on = sender.transfer(0, blocks[1]);
  const uint32_t forgotten = sender.transfer(0, blocks[2]);
  CHECK_EQ(adopter.adopt(blocks[1], sent_on), Status::ok);
  const uint32_t again = adopter.transfer(0, blocks[1]);
  sender.detach(Departure::abandoned);
  CHECK_EQ(adopter.adopt(blocks[0], adopted), Status::ok);  // before anybody looked at the clock
  CHECK_SOUND(*pool);
  pool->age();
  CHECK_EQ(pool->stats(0).in_flight, uint64_t{1});
  CHECK_EQ(adopter.adopt(blocks[2], forgotten), Status::stale);
  CHECK_EQ(adopter.adopt(blocks[1], again), Status::ok);  // its sender is alive
  CHECK_EQ(adopter.flush(0, {blocks[0], blocks[1]}), Status::ok);
  CHECK_SOUND(*pool);
  for (int epoch = 0; epoch < 2; ++epoch) pool->age();
  CHECK_EQ(pool->budget().used(), uint64_t{0});
}

TEST(refill_recalls_abandoned_tickets_before_it_is_refused) {
  const auto pool = make_pool({4096}, 64 * kKiB, 0);
  Client sender(*pool);
  Client living(*pool);
  for (const uint32_t b : sender.refill_all(0)) (void)sender.transfer(0, b);
  sender.detach(Departure::abandoned);
  CHECK_EQ(living.refill_all(0).size(), size_t{16});
  CHECK_SOUND(*pool);
}

TEST(tickets_of_a_thread_that_made_a_clean_exit_are_good_for_ever) {
  const auto pool = make_pool({4096}, 8 * kMiB, 0);
  Client sender(*pool);
  Client adopter(*pool);
  const uint32_t b = sender.refill(0)[0];
  const uint32_t ticket = sender.transfer(0, b);
  sender.detach(Departure::clean_exit);
  for (int epoch = 0; epoch < 3; ++epoch) pool->age();
  CHECK_EQ(adopter.adopt(b, ticket), Status::ok);
  CHECK_SOUND(*pool);
}

TEST(ticket_of_a_thread_that_made_a_clean_exit_survives_the_next_one_with_its_index) {
  const auto pool = make_pool({4096}, 8 * kMiB, 0);
  Client adopter(*pool);
  Client sender(*pool);
  const uint16_t index = sender.member->index;
  const uint32_t b = sender.refill(0)[0];
  const uint32_t ticket = sender.transfer(0, b);
  sender.detach(Departure::clean_exit);
  Client next(*pool);
  CHECK_EQ(next.member->index, index);
  next.detach(Departure::abandoned);
  pool->age();
  CHECK_EQ(adopter.adopt(b, ticket), Status::ok);
  CHECK_SOUND(*pool);
}

TEST(pool_ends_with_abandoned_tickets) {
  const auto pool = make_pool({4096}, 8 * kMiB, kNever);
  Client sender(*pool);
  for (const uint32_t b : sender.refill(0)) (void)sender.transfer(0, b);
  sender.detach(Departure::abandoned);
  pool->age();  // too early
  CHECK_SOUND(*pool);
}

TEST(ticket_to_a_thread_that_died_with_the_block_is_stale) {
  const auto pool = make_pool({4096}, 8 * kMiB, kNever);
  Client sender(*pool);
  Client adopter(*pool);
  const uint32_t b = sender.refill(0)[0];
  const uint32_t ticket = sender.transfer(0, b);
  CHECK_EQ(adopter.adopt(b, ticket), Status::ok);
  adopter.detach();
  CHECK_EQ(sender.adopt(b, ticket), Status::stale);
  CHECK_SOUND(*pool);
}

TEST(next_thread_takes_over_index_warm_depot_and_counters) {
  const auto pool = make_pool({4096}, 8 * kMiB, kNever);
  Client first(*pool);
  Client living(*pool);
  const Blocks warm = first.refill(0);
  const uint16_t index = first.member->index;
  const Heap* heap = first.member->heap;
  fill(*pool, 0, warm, 'w');
  CHECK_EQ(first.flush(0, warm), Status::ok);
  const Blocks lost = first.refill(0);
  CHECK_EQ(first.flush(0, {lost[0], lost[1]}), Status::ok);
  const ClassStats before = pool->stats(0);
  first.detach();

  Client next(*pool);
  CHECK_EQ(next.member->index, index);
  CHECK(next.member->heap == heap);
  CHECK(sorted(next.refill(0)) == sorted({lost[0], lost[1]}));
  CHECK(all_bytes_are(pool->address(lost[0]), 4096, 'w'));
  const ClassStats after = pool->stats(0);
  CHECK_EQ(after.refills[static_cast<size_t>(Step::depot)], before.refills[static_cast<size_t>(Step::depot)] + 1);
  CHECK_EQ(after.held, before.held - lost.size() + 4);
  CHECK_EQ(after.quarantined, lost.size() - 2);
  CHECK_EQ(next.flush(0, {lost[2]}), Status::not_held);  // the abandoned member's, though the index is the same
  CHECK_SOUND(*pool);
}

TEST(thousand_threads_that_die_with_blocks_do_not_grow_the_pool) {
  const auto pool = make_pool({1000, 4096, 65'536}, 8 * kMiB, 0);
  Client living(*pool);
  uint64_t resident[3] = {}, carved[3] = {};
  for (int cycle = 0; cycle < 1000; ++cycle) {
    Client mortal(*pool);
    CHECK_EQ(mortal.member->index, 1);
    for (uint32_t c = 0; c < 3; ++c) {
      Blocks blocks = mortal.refill(c);
      mortal.refill(c, blocks);
      // Some released, some sent and adopted, some still held.
      CHECK_EQ(mortal.flush(c, {blocks.back()}), Status::ok);
      CHECK_EQ(living.adopt(blocks[0], mortal.transfer(c, blocks[0])), Status::ok);
    }
    mortal.detach();
    for (uint32_t c = 0; c < 3; ++c) {
      const ClassStats s = pool->stats(c);
      if (cycle < 10) {
        resident[c] = s.resident;
        carved[c] = s.carved;
      }
    }
    // What the living thread has adopted goes back, or it would grow by it.
    Blocks back[3];
    for (uint32_t b = 0; b < 1u << 12; ++b) {
      for (uint32_t c = 0; c < 3; ++c) {
        if (pool->holds(*living.member, c, b)) back[c].push_back(b);
      }
    }
    for (uint32_t c = 0; c < 3; ++c) CHECK_EQ(living.flush(c, back[c]), Status::ok);
  }
  for (uint32_t c = 0; c < 3; ++c) {
    CHECK_EQ(pool->stats(c).resident, resident[c]);
    CHECK_EQ(pool->stats(c).carved, carved[c]);
    CHECK_EQ(pool->stats(c).held, uint64_t{0});
  }
  CHECK_SOUND(*pool);
}

// Looking at the quarantine is in this thread's own hand: it is not to wait for itself, or look again because of that.
TEST(refill_is_refused_at_once_while_abandoned_blocks_are_in_quarantine) {
  const auto pool = make_pool({4096, 65'536}, 256 * kKiB, kNever);
  Client mortal(*pool);
  (void)mortal.refill_all(1);
  mortal.detach();
  Client client(*pool);
  Blocks none;
  for (const uint32_t c : {0u, 1u}) CHECK_EQ(client.refill(c, none), Status::exhausted);
  CHECK_EQ(pool->stats(1).quarantined, uint64_t{4});
  CHECK_SOUND(*pool);
}

TEST(detach_of_a_thread_that_holds_nothing_leaves_no_trace) {
  const auto pool = make_pool({4096}, 8 * kMiB, kNever);
  Client client(*pool);
  const Blocks blocks = client.refill(0);
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  client.detach();
  CHECK_EQ(pool->stats(0).quarantined, uint64_t{0});
  CHECK_EQ(pool->age(), uint64_t{0});
  CHECK_EQ(pool->age(), pool->size_class(0).stride * blocks.size());
  CHECK_SOUND(*pool);
}

TEST(walker_notices_a_block_held_by_a_member_that_is_gone) {
  const auto pool = make_pool({4096}, 8 * kMiB, kNever);
  Client living(*pool);
  Client sender(*pool);
  const uint32_t b = sender.refill(0)[0];
  const uint32_t ticket = sender.transfer(0, b);
  Member* gone = sender.member;
  sender.detach();
  CHECK_EQ(pool->adopt(*gone, b, ticket), Status::ok);  // which nobody may do
  const char* found = pool->check_invariants();
  CHECK(found != nullptr && std::strcmp(found, "a block is held by a member that is gone") == 0);
}

}  // namespace
}  // namespace slabpool::test
