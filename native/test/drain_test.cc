// Draining: nothing is given out any more, and everyone is told when the last block is back.
#include "wakeable.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kBlock = 65'536;

struct Drained {
  std::unique_ptr<Pool> pool = make_pool({kBlock, 4 * kBlock}, 8 * kBlock);
  Wakeable first{*pool};
  Wakeable second{*pool};

  // As threads do that have nothing in magazines.
  void all_obey() {
    for (Wakeable* one : {&first, &second}) CHECK_EQ(one->obey(), FlushRequest::drain);
  }
  void check_told() {
    CHECK(pool->drained());
    for (Wakeable* one : {&first, &second}) CHECK_EQ(one->obey(), FlushRequest::drain);
    CHECK_SOUND(*pool);
  }
};

TEST(empty_pool_is_drained_when_all_threads_know) {
  Drained d;
  d.pool->drain();
  CHECK(d.pool->draining());
  CHECK_EQ(d.first.woken(), 1u);
  CHECK_EQ(d.first.obey(), FlushRequest::drain);
  CHECK(!d.pool->drained());
  CHECK_EQ(d.second.obey(), FlushRequest::drain);
  CHECK_EQ(d.first.woken(), 1u);
  CHECK_EQ(d.second.woken(), 2u);
  d.check_told();
}

TEST(draining_pool_gives_out_nothing) {
  Drained d;
  Blocks held = d.first.refill(0);
  CHECK_EQ(d.first.flush(0, d.second.refill(0)), Status::not_held);
  d.pool->drain();
  Blocks none;
  uint64_t number;
  for (Wakeable* one : {&d.first, &d.second}) {
    for (uint32_t c = 0; c < 2; ++c) {
      CHECK_EQ(one->refill(c, none), Status::draining);
      CHECK_EQ(d.pool->wait(*one->member, c, 100, number), Status::draining);
    }
  }
  CHECK_SOUND(*d.pool);
}

TEST(pool_is_drained_by_whatever_ends_the_last_block) {
  const auto drained_by = [](auto&& end) {
    Drained d;
    Blocks held = d.first.refill(0);
    const uint32_t last = held.back();
    held.pop_back();
    d.pool->drain();
    CHECK_EQ(d.first.flush(0, held), Status::ok);
    d.all_obey();
    CHECK(!d.pool->drained());
    (void)d.first.woken();
    end(d, last);
    if (d.first.member == nullptr) {
      CHECK(d.pool->drained());
      CHECK_EQ(d.second.obey(), FlushRequest::drain);
      CHECK_SOUND(*d.pool);
      return;
    }
    CHECK_EQ(d.first.woken(), 1u);
    d.check_told();
  };
  drained_by([](Drained& d, uint32_t last) { CHECK_EQ(d.first.flush(0, {last}), Status::ok); });
  drained_by([](Drained& d, uint32_t last) { CHECK_EQ(d.pool->retire(*d.first.member, 0, last), Status::ok); });
  drained_by([](Drained& d, uint32_t) { d.first.detach(); });
  drained_by([](Drained& d, uint32_t last) {
    uint32_t generation;
    CHECK_EQ(d.pool->transfer(*d.first.member, 0, last, Carrier::ticket, generation), Status::ok);
    CHECK(!d.pool->drained());
    CHECK_EQ(d.second.adopt(last, generation), Status::ok);
    CHECK(!d.pool->drained());
    CHECK_EQ(d.second.flush(0, {last}), Status::ok);
  });
  drained_by([](Drained& d, uint32_t last) {
    uint32_t generation;
    CHECK_EQ(d.pool->transfer(*d.first.member, 0, last, Carrier::channel, generation), Status::ok);
    d.pool->recall(last, generation);
  });
}

TEST(thread_without_a_waker_is_not_waited_for_and_its_blocks_are) {
  Drained d;
  Client deaf(*d.pool);
  const Blocks held = deaf.refill(0);
  d.pool->drain();
  d.all_obey();
  CHECK(!d.pool->drained());
  CHECK_EQ(deaf.flush(0, held), Status::ok);
  d.check_told();
}

TEST(thread_that_comes_while_the_pool_drains_is_told) {
  Drained d;
  d.pool->drain();
  d.all_obey();
  CHECK(d.pool->drained());
  Wakeable late(*d.pool);
  CHECK_EQ(late.obey(), FlushRequest::drain);
  Blocks none;
  CHECK_EQ(late.refill(0, none), Status::draining);
}

TEST(requests_that_wait_when_draining_begins_are_not_served) {
  Drained d;
  Blocks all = d.first.refill_all(0);
  const uint64_t number = d.second.wait(0);
  d.pool->drain();
  CHECK_EQ(d.first.flush(0, all), Status::ok);
  CHECK(d.second.collect().empty());
  CHECK(d.pool->cancel(number));
  d.all_obey();
  d.check_told();
}

}  // namespace
}  // namespace slabpool::test
