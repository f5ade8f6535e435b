// The queue of those who wait for budget, with one thread at a time: who is served, in which order, and who is not.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "full_pool.h"

namespace slabpool::test {
namespace {

TEST(requests_are_served_first_come_first_served_across_classes_and_threads) {
  Full f;
  const uint64_t numbers[] = {f.first.wait(0), f.second.wait(1), f.first.wait(0)};
  CHECK(numbers[0] < numbers[1] && numbers[1] < numbers[2]);
  CHECK_EQ(f.waiting(), uint64_t{3});
  Blocks got;
  f.release();
  CHECK(f.first.collect(got) == Numbers{numbers[0]});
  f.release();
  CHECK(f.first.collect().empty() && f.second.collect().empty());  // one block of two
  f.release();
  CHECK(f.first.collect().empty());
  CHECK(f.second.collect(got) == Numbers{numbers[1]});
  f.release();
  CHECK(f.first.collect(got) == Numbers{numbers[2]});
  CHECK_EQ(f.waiting(), uint64_t{0});
  CHECK_EQ(f.pool->stats().waits, uint64_t{3});
  CHECK_EQ(f.pool->class_of(got[1]), 1u);
  CHECK_SOUND(*f.pool);
}

TEST(large_request_at_the_head_is_not_starved_by_small_ones) {
  Full f;
  const uint64_t large = f.first.wait(2);
  const Numbers small{f.second.wait(0), f.second.wait(0)};
  f.release(3);
  CHECK(f.first.collect().empty() && f.second.collect().empty());
  f.release();
  Blocks got;
  CHECK(f.first.collect(got) == Numbers{large});
  CHECK(f.second.collect().empty());
  CHECK_SOUND(*f.pool);
  CHECK_EQ(f.first.flush(2, got), Status::ok);
  CHECK(f.second.collect() == small);
  CHECK_SOUND(*f.pool);
}

TEST(no_refill_is_ahead_of_those_who_wait) {
  Full f;
  const uint64_t large = f.first.wait(1);
  f.release();
  CHECK_EQ(f.pool->budget().used(), uint64_t{3 * kBlock});
  Blocks none;
  for (Client* client : {&f.first, &f.second, &f.holder}) CHECK_EQ(client->refill(0, none), Status::exhausted);
  CHECK(f.pool->cancel(large));
  CHECK_EQ(f.second.refill(0, none), Status::ok);
  CHECK_SOUND(*f.pool);
}

TEST(cancelled_head_lets_the_next_be_served) {
  Full f;
  const uint64_t large = f.first.wait(2);
  const uint64_t small = f.second.wait(0);
  const uint64_t last = f.first.wait(0);
  f.release();
  CHECK(f.pool->cancel(last));
  CHECK(f.second.collect().empty());
  CHECK(f.pool->cancel(large));
  CHECK(!f.pool->cancel(large));
  CHECK(f.second.collect() == Numbers{small});
  CHECK(!f.pool->cancel(small));       // served
  CHECK(!f.pool->cancel(last + 100));  // never was
  CHECK(f.first.collect().empty());
  CHECK_SOUND(*f.pool);
}

TEST(grant_is_in_flight_until_it_is_collected) {
  Full f;
  const uint64_t number = f.first.wait(0);
  f.release();
  CHECK_EQ(f.pool->stats(0).in_flight, uint64_t{1});
  CHECK_EQ(f.pool->stats(0).held, uint64_t{3});
  CHECK_EQ(f.pool->stats(0).acquires, uint64_t{1});
  CHECK_SOUND(*f.pool);
  CHECK(!f.pool->cancel(number));
  CHECK(f.second.collect().empty());
  CHECK(f.first.collect() == Numbers{number});
  CHECK(f.first.collect().empty());
  CHECK_EQ(f.pool->stats(0).in_flight, uint64_t{0});
  CHECK_EQ(f.pool->stats(0).held, uint64_t{4});
  CHECK_SOUND(*f.pool);
}

TEST(thread_that_leaves_gives_up_its_requests_and_what_it_was_granted) {
  for (const Departure departure : {Departure::clean_exit, Departure::abandoned}) {
    Full f;
    (void)f.first.wait(0);
    (void)f.first.wait(2);  // which would never be served
    const Numbers of_second{f.second.wait(0), f.second.wait(0)};
    f.release();
    CHECK(f.second.collect().empty());
    const uint16_t index = f.first.member->index;
    f.first.detach(departure);
    CHECK(f.second.collect() == Numbers{of_second[0]});
    CHECK_EQ(f.waiting(), uint64_t{1});
    Client next(*f.pool);
    CHECK_EQ(next.member->index, index);
    f.release();
    CHECK(next.collect().empty());
    CHECK(f.second.collect() == Numbers{of_second[1]});
    CHECK_EQ(f.pool->stats(0).in_flight, uint64_t{0});
    CHECK_SOUND(*f.pool);
  }
}

TEST(request_whose_grant_was_stolen_waits_again_in_its_old_place) {
  Full f;
  const Numbers numbers{f.first.wait(0), f.second.wait(0)};
  f.release();
  const Grant grant = *f.first.member->notifications.grants.first();
  Client thief(*f.pool);
  CHECK_EQ(thief.adopt(grant.block, grant.generation), Status::ok);
  CHECK(f.first.collect().empty());
  CHECK_EQ(f.waiting(), uint64_t{2});
  CHECK_SOUND(*f.pool);
  CHECK_EQ(thief.flush(0, {grant.block}), Status::ok);
  CHECK(f.second.collect().empty());
  CHECK(f.first.collect() == Numbers{numbers[0]});
  f.release();
  CHECK(f.second.collect() == Numbers{numbers[1]});
  CHECK_EQ(f.pool->stats().waits, uint64_t{2});
  CHECK_SOUND(*f.pool);
}

// A small one that comes back to the head, with room for it although there is none for the large one behind it.
TEST(request_that_comes_back_to_the_head_is_served_with_what_is_free) {
  Full f;
  const uint64_t small = f.first.wait(0);
  f.release();
  (void)f.second.wait(2);
  f.release();
  const Grant grant = *f.first.member->notifications.grants.first();
  Client thief(*f.pool);
  CHECK_EQ(thief.adopt(grant.block, grant.generation), Status::ok);
  CHECK(f.first.collect() == Numbers{small});
  CHECK_EQ(f.waiting(), uint64_t{1});
  CHECK_SOUND(*f.pool);
}

TEST(where_all_places_are_taken_there_is_one_for_the_queue) {
  const auto pool = make_pool({4096}, 64 * kMiB);
  std::vector<Client> clients;
  for (uint32_t i = 0; i < kMaxThreads; ++i) clients.emplace_back(*pool);
  CHECK(pool->attach() == nullptr);
  const uint64_t number = clients[0].wait(0);
  CHECK(clients[0].collect() == Numbers{number});
  CHECK(pool->attach() == nullptr);
  clients[1234].detach();
  Client next(*pool);
  CHECK(pool->attach() == nullptr);
  CHECK_SOUND(*pool);
}

TEST(queue_is_bounded_and_has_room_again_for_who_gave_up_or_was_served) {
  Full f;
  const uint64_t first = f.first.wait(0);
  const uint64_t second = f.second.wait(1);
  uint64_t number = 0;
  CHECK_EQ(f.pool->wait(*f.first.member, 2, 2, number), Status::queue_full);
  CHECK_EQ(number, uint64_t{0});
  CHECK_EQ(f.pool->stats().waits, uint64_t{2});
  CHECK(f.pool->cancel(second));
  CHECK_EQ(f.pool->wait(*f.first.member, 2, 2, number), Status::ok);
  CHECK(number > second);
  f.release();
  CHECK(f.first.collect() == Numbers{first});
  CHECK_EQ(f.pool->wait(*f.second.member, 0, 2, number), Status::ok);
  CHECK_EQ(f.pool->wait(*f.second.member, 0, 2, number), Status::queue_full);
  CHECK_SOUND(*f.pool);
}

// Numbers that share a bucket, in several lists.
TEST(each_of_many_that_give_up_in_any_order_is_found) {
  Full f;
  constexpr uint32_t kRequests = 5000;
  Numbers numbers;
  for (uint32_t i = 0; i < kRequests; ++i) numbers.push_back(f.first.wait(i % 3));
  uint32_t at = 0;
  for (uint32_t i = 0; i < kRequests; ++i) {
    at = (at + 1499) % kRequests;  // a prime that does not divide it: each once
    CHECK(f.pool->cancel(numbers[at]));
    CHECK(!f.pool->cancel(numbers[at]));
    CHECK_EQ(f.waiting(), uint64_t{kRequests - 1 - i});
  }
  f.release();
  CHECK(f.first.collect().empty());
  CHECK_SOUND(*f.pool);
}

void wait_without_address_space() {
  Full f;
  CHECK(f.pool->cancel(f.first.wait(2)));  // what waiting itself needs is there from now on
  const Numbers numbers{f.first.wait(1), f.second.wait(0)};
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = 1;  // what is mapped stays, nothing can be added
  CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
  (void)take_rest_of_arenas();
  f.release(2);
  Grant grant{};
  CHECK(f.pool->collect(*f.first.member, grant));
  CHECK(grant.number == numbers[0] && grant.block == kNoIndex);
  CHECK(!f.pool->collect(*f.first.member, grant));
  CHECK(f.second.collect() == Numbers{numbers[1]});  // of a slab that there is
  CHECK_SOUND(*f.pool);
}

TEST(request_that_the_system_has_no_memory_for_is_answered_and_the_next_is_served) {
  if (kSanitized) return;      // sanitizers reserve terabytes themselves
  const pid_t child = fork();  // the limit must not meet the other tests
  if (child == 0) {
    wait_without_address_space();
    std::fflush(stdout);
    _exit(failures == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace slabpool::test
