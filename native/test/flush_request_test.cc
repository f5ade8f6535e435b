// Wakers and flush requests, with one thread at a time: who is woken, how often, and for what.
#include "wakeable.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kBlock = 65'536;

// All of the budget is with `holder`.
struct Threads {
  std::unique_ptr<Pool> pool = make_pool({kBlock, 4 * kBlock}, 4 * kBlock);
  Wakeable holder{*pool};
  Blocks held = holder.refill_all(0);
  Wakeable first{*pool};
  Wakeable second{*pool};

  void release() {
    CHECK_EQ(holder.flush(0, {held.back()}), Status::ok);
    held.pop_back();
  }
};

TEST(all_others_are_asked_once_when_waiting_begins) {
  Threads t;
  Client deaf(*t.pool);
  (void)t.first.wait(1);
  CHECK_EQ(t.first.woken(), 0u);
  CHECK_EQ(t.first.flush_request(), FlushRequest::none);
  for (Wakeable* other : {&t.holder, &t.second}) {
    CHECK_EQ(other->woken(), 1u);
    CHECK_EQ(other->obey(), FlushRequest::flush);
  }
  CHECK_EQ(deaf.member->notifications.flush_request.load(), FlushRequest::none);

  (void)t.second.wait(0);  // they know
  t.release();             // serves nobody
  for (Wakeable* one : {&t.holder, &t.first, &t.second}) CHECK_EQ(one->woken(), 0u);
  CHECK_SOUND(*t.pool);
}

TEST(waiting_that_begins_anew_asks_anew) {
  Threads t;
  CHECK(t.pool->cancel(t.first.wait(0)));
  CHECK_EQ(t.second.woken(), 1u);
  CHECK(t.pool->cancel(t.first.wait(0)));
  CHECK_EQ(t.second.woken(), 0u);  // it has not obeyed yet, and will find out
  CHECK_EQ(t.second.obey(), FlushRequest::flush);
  (void)t.first.wait(0);
  CHECK_EQ(t.second.woken(), 1u);
  CHECK_EQ(t.second.obey(), FlushRequest::flush);
  CHECK_SOUND(*t.pool);
}

TEST(thread_that_comes_while_others_wait_is_asked) {
  Threads t;
  (void)t.first.wait(0);
  Wakeable late(*t.pool);
  CHECK_EQ(late.woken(), 1u);
  CHECK_EQ(late.obey(), FlushRequest::flush);
  t.release();
  Wakeable later(*t.pool);
  CHECK_EQ(later.woken(), 0u);
  CHECK_SOUND(*t.pool);
}

TEST(others_are_asked_when_a_stolen_grant_lets_waiting_begin_anew) {
  Threads t;
  (void)t.first.wait(0);
  t.release();
  CHECK_EQ(t.second.obey(), FlushRequest::flush);
  CHECK_EQ(t.second.woken(), 1u);
  const Grant grant = *t.first.member->notifications.grants.first();
  CHECK_EQ(t.second.adopt(grant.block, grant.generation), Status::ok);
  CHECK(t.first.collect().empty());
  CHECK_EQ(t.second.woken(), 1u);
  CHECK_EQ(t.second.obey(), FlushRequest::flush);
  CHECK_SOUND(*t.pool);
}

TEST(request_to_trim_includes_the_one_to_flush) {
  Threads t;
  t.pool->request_flush(FlushRequest::flush, t.first.member);
  t.pool->request_flush(FlushRequest::trim, t.first.member);
  CHECK_EQ(t.second.woken(), 2u);
  t.pool->request_flush(FlushRequest::flush, t.first.member);
  t.pool->request_flush(FlushRequest::trim, t.first.member);
  CHECK_EQ(t.second.woken(), 0u);
  CHECK_EQ(t.second.obey(), FlushRequest::trim);
  CHECK_EQ(t.first.woken(), 0u);
  t.pool->request_flush(FlushRequest::trim, nullptr);
  for (Wakeable* one : {&t.holder, &t.first, &t.second}) CHECK_EQ(one->flush_request(), FlushRequest::trim);
  CHECK_SOUND(*t.pool);
}

TEST(each_grant_wakes_who_asked_and_nobody_else) {
  Threads t;
  (void)t.first.wait(0);
  (void)t.second.wait(0);
  for (Wakeable* one : {&t.holder, &t.first, &t.second}) (void)one->woken();
  t.release();
  CHECK_EQ(t.first.woken(), 1u);
  CHECK_EQ(t.second.woken(), 0u);
  t.release();
  CHECK_EQ(t.first.woken(), 0u);
  CHECK_EQ(t.second.woken(), 1u);
  CHECK_EQ(t.holder.woken(), 0u);
  CHECK_SOUND(*t.pool);
}

TEST(thread_that_puts_its_waker_away_gives_up_its_requests_and_what_it_was_granted) {
  Threads t;
  (void)t.first.wait(0);
  (void)t.first.wait(1);
  const uint64_t number = t.second.wait(0);
  t.release();
  (void)t.first.woken();
  t.pool->set_waker(*t.first.member, {});
  CHECK(t.second.collect() == std::vector<uint64_t>{number});
  CHECK(t.first.collect().empty());
  t.pool->request_flush(FlushRequest::trim, nullptr);
  CHECK_EQ(t.first.woken(), 0u);
  CHECK_EQ(t.pool->stats().waiting, uint64_t{0});
  CHECK_SOUND(*t.pool);
}

TEST(thread_that_has_left_is_never_woken_and_leaves_no_request_to_the_next) {
  Threads t;
  (void)t.first.wait(0);
  (void)t.second.wait(0);
  CHECK_EQ(t.second.flush_request(), FlushRequest::flush);
  const uint16_t index = t.second.member->index;
  t.second.detach();
  (void)t.second.woken();
  Client next(*t.pool);
  CHECK_EQ(next.member->index, index);
  CHECK_EQ(next.member->notifications.flush_request.load(), FlushRequest::none);
  t.pool->request_flush(FlushRequest::trim, nullptr);
  while (!t.held.empty()) t.release();
  CHECK_EQ(t.second.woken(), 0u);
  CHECK(next.collect().empty());
  CHECK_SOUND(*t.pool);
}

}  // namespace
}  // namespace slabpool::test
