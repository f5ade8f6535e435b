// EventCount, Ring and Channel, with one thread at a time.
#include "core/channel.h"

#include "client.h"

namespace slabpool::test {
namespace {

TEST(event_count_names_each_armed_sleeper_once) {
  EventCount<> events;
  CHECK_EQ(events.notify(), kNobody);
  for (const uint32_t sleeper : {63u, 0u, 17u}) events.arm(sleeper);
  events.arm(17);  // once more is no more
  CHECK_EQ(events.notify(), 0u);
  CHECK_EQ(events.notify(), 17u);
  CHECK_EQ(events.notify(), 63u);
  CHECK_EQ(events.notify(), kNobody);
}

TEST(disarm_tells_whether_a_wake_up_is_under_way) {
  EventCount<> events;
  CHECK(!events.disarm(5));
  events.arm(5);
  events.arm(6);
  CHECK(events.disarm(5));
  CHECK(!events.disarm(5));
  CHECK_EQ(events.notify(), 6u);
  CHECK(!events.disarm(6));
  events.arm(6);  // anew
  CHECK_EQ(events.notify(), 6u);
}

TEST(ring_is_first_in_first_out_over_many_laps) {
  Ring<uint64_t>::Cell cells[4];
  Ring<uint64_t> ring;
  ring.init(cells, 4);
  uint64_t in = 0, out = 0, message = 0;
  CHECK_EQ(ring.try_pop(message), RingResult::not_now);
  for (int lap = 0; lap < 1000; ++lap) {
    while (ring.try_push(in) == RingResult::ok) ++in;
    CHECK_EQ(ring.size(), uint64_t{4});
    for (int n = 0; n < 1 + lap % 4; ++n) {
      CHECK_EQ(ring.try_pop(message), RingResult::ok);
      CHECK_EQ(message, out++);
    }
  }
  while (ring.try_pop(message) == RingResult::ok) CHECK_EQ(message, out++);
  CHECK_EQ(out, in);
  CHECK_EQ(ring.size(), uint64_t{0});
}

TEST(marked_ring_takes_nothing_gives_what_it_has_and_then_says_why) {
  Ring<uint64_t>::Cell cells[4];
  Ring<uint64_t> ring;
  ring.init(cells, 4);
  uint64_t message = 0;
  for (const uint64_t n : {1, 2}) CHECK_EQ(ring.try_push(n), RingResult::ok);
  ring.mark(RingMark::alone);
  CHECK_EQ(ring.try_push(3), RingResult::alone);
  CHECK_EQ(ring.size(), uint64_t{2});
  CHECK_EQ(ring.try_pop(message), RingResult::ok);
  ring.unmark(RingMark::alone);
  for (const uint64_t n : {4, 5, 6}) CHECK_EQ(ring.try_push(n), RingResult::ok);
  CHECK_EQ(ring.try_push(7), RingResult::not_now);
  ring.mark(RingMark::alone);
  ring.mark(RingMark::closed);
  CHECK_EQ(ring.try_push(7), RingResult::closed);  // also when it is full
  for (const uint64_t n : {2, 4, 5, 6}) {
    CHECK_EQ(ring.try_pop(message), RingResult::ok);
    CHECK_EQ(message, n);
  }
  CHECK_EQ(ring.try_pop(message), RingResult::closed);
  CHECK(ring.marked(RingMark::closed) && ring.marked(RingMark::alone));
}

struct Link {
  std::unique_ptr<Pool> pool = make_pool({4096}, 8 * kMiB);
  Client sender{*pool};
  Client receiver{*pool};
  std::unique_ptr<Channel> channel = Channel::create(*pool, 4);
  Blocks blocks = sender.refill(0);
  uint32_t to_wake = 0;

  Channel::Result send(uint32_t block, double tag = 0) {
    return channel->try_send(*sender.member, 0, block + 100, {block, 0, tag}, to_wake);
  }
  Channel::Result receive(Message& message) { return channel->try_receive(*receiver.member, message, to_wake); }
};

TEST(channel_delivers_blocks_bytes_and_tags_in_order) {
  Link link;
  Message message{};
  CHECK_EQ(link.receive(message), Channel::Result::would_block);
  for (int round = 0; round < 3; ++round) {
    for (uint32_t i = 0; i < 3; ++i) {
      fill(*link.pool, 0, {link.blocks[i]}, static_cast<char>('a' + i));
      CHECK_EQ(link.send(link.blocks[i], -0.5 * i), Channel::Result::ok);
      CHECK_EQ(link.to_wake, kNobody);
    }
    CHECK_EQ(link.channel->size(), uint64_t{3});
    CHECK_EQ(link.pool->stats(0).in_flight, uint64_t{3});
    CHECK_SOUND(*link.pool);
    for (uint32_t i = 0; i < 3; ++i) {
      CHECK_EQ(link.receive(message), Channel::Result::ok);
      CHECK_EQ(message.block, link.blocks[i]);
      CHECK(message.tag == -0.5 * i);
      CHECK_EQ(link.pool->size_of(message.block), message.block + 100);
      CHECK(link.pool->holds(*link.receiver.member, 0, message.block));
      CHECK(all_bytes_are(link.pool->address(message.block), 4096, static_cast<char>('a' + i)));
      CHECK_EQ(link.sender.adopt(message.block, link.receiver.transfer(0, message.block)), Status::ok);
    }
  }
  CHECK_SOUND(*link.pool);
}

TEST(send_to_a_full_channel_leaves_the_block_with_the_sender) {
  Link link;
  for (uint32_t i = 0; i < 4; ++i) CHECK_EQ(link.send(link.blocks[i]), Channel::Result::ok);
  for (int again = 0; again < 3; ++again) {
    CHECK_EQ(link.send(link.blocks[4]), Channel::Result::would_block);
    CHECK(link.pool->holds(*link.sender.member, 0, link.blocks[4]));
    CHECK_EQ(link.pool->stats(0).in_flight, uint64_t{4});
    CHECK_SOUND(*link.pool);
  }
  Message message{};
  CHECK_EQ(link.receive(message), Channel::Result::ok);
  CHECK_EQ(link.send(link.blocks[4]), Channel::Result::ok);
  CHECK_EQ(link.channel->size(), uint64_t{link.channel->capacity()});
  CHECK_SOUND(*link.pool);
}

TEST(send_of_what_is_not_held_is_refused) {
  Link link;
  CHECK_EQ(link.send(kNoIndex), Channel::Result::not_held);
  CHECK_EQ(link.send(link.receiver.refill(0)[0]), Channel::Result::not_held);
  CHECK_EQ(link.send(link.blocks[0]), Channel::Result::ok);
  CHECK_EQ(link.send(link.blocks[0]), Channel::Result::not_held);  // it is on its way
  CHECK_EQ(link.channel->size(), uint64_t{1});
  CHECK_SOUND(*link.pool);
}

TEST(closed_channel_can_be_emptied_and_not_filled) {
  Link link;
  CHECK_EQ(link.send(link.blocks[0]), Channel::Result::ok);
  CHECK_EQ(link.send(link.blocks[1]), Channel::Result::ok);
  link.channel->close();
  CHECK_EQ(link.send(link.blocks[2]), Channel::Result::closed);
  CHECK(link.pool->holds(*link.sender.member, 0, link.blocks[2]));
  Message message{};
  for (uint32_t i = 0; i < 2; ++i) {
    CHECK_EQ(link.receive(message), Channel::Result::ok);
    CHECK_EQ(message.block, link.blocks[i]);
  }
  CHECK_EQ(link.receive(message), Channel::Result::closed);
  CHECK_SOUND(*link.pool);
}

TEST(endpoint_that_is_left_alone_is_told_unless_the_channel_is_held_open) {
  for (const bool holds : {false, true}) {
    Link link;
    const auto alone = holds ? Channel::Result::ok : Channel::Result::alone;
    Message message{};
    const uint32_t first = link.channel->join(holds);
    CHECK_EQ(link.send(link.blocks[0]), Channel::Result::ok);  // early, not alone
    const uint32_t second = link.channel->join();
    link.channel->leave(second);
    CHECK_EQ(link.send(link.blocks[1]), alone);
    CHECK_EQ(link.pool->holds(*link.sender.member, 0, link.blocks[1]), !holds);
    CHECK_EQ(link.receive(message), Channel::Result::ok);
    if (holds) CHECK_EQ(link.receive(message), Channel::Result::ok);
    CHECK_EQ(link.receive(message), holds ? Channel::Result::would_block : Channel::Result::alone);
    // Somebody new makes it as good as new.
    const uint32_t third = link.channel->join();
    CHECK_EQ(third, second);
    CHECK_EQ(link.receive(message), Channel::Result::would_block);
    CHECK_EQ(link.send(link.blocks[2]), Channel::Result::ok);
    // Who held it is gone.
    link.channel->leave(first);
    CHECK_EQ(link.send(link.blocks[3]), Channel::Result::alone);
    CHECK_EQ(link.receive(message), Channel::Result::ok);
    CHECK_EQ(link.receive(message), Channel::Result::alone);
    link.channel->close();
    CHECK_EQ(link.receive(message), Channel::Result::closed);
    CHECK_SOUND(*link.pool);
  }
}

TEST(wake_ups_are_passed_on_while_there_is_more) {
  Link link;
  Message message{};
  link.channel->receivers().arm(7);
  CHECK_EQ(link.channel->pass_on_to_receivers(), kNobody);
  for (uint32_t i = 0; i < 4; ++i) CHECK_EQ(link.send(link.blocks[i]), Channel::Result::ok);
  CHECK_EQ(link.to_wake, kNobody);
  link.channel->receivers().arm(8);
  CHECK_EQ(link.channel->pass_on_to_receivers(), 8u);
  link.channel->senders().arm(9);
  CHECK_EQ(link.channel->pass_on_to_senders(), kNobody);
  for (uint32_t i = 0; i < 4; ++i) CHECK_EQ(link.receive(message), Channel::Result::ok);
  link.channel->senders().arm(10);
  CHECK_EQ(link.channel->pass_on_to_senders(), 10u);
}

TEST(send_and_receive_name_whom_to_wake) {
  Link link;
  const uint32_t a = link.channel->join();
  const uint32_t b = link.channel->join();
  Message message{};
  link.channel->receivers().arm(b);
  CHECK_EQ(link.send(link.blocks[0]), Channel::Result::ok);
  CHECK_EQ(link.to_wake, b);
  CHECK_EQ(link.send(link.blocks[1]), Channel::Result::ok);
  CHECK_EQ(link.to_wake, kNobody);
  link.channel->senders().arm(a);
  CHECK_EQ(link.receive(message), Channel::Result::ok);
  CHECK_EQ(link.to_wake, a);
  CHECK_EQ(link.receive(message), Channel::Result::ok);
  CHECK_EQ(link.to_wake, kNobody);
}

// Somebody adopted two messages' blocks past the channel, by tickets that were guessed.
TEST(receive_that_skips_stale_messages_loses_no_wake_up) {
  Link link;
  Client thief(*link.pool);
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t last = link.sender.transfer(0, link.blocks[i]);
    CHECK_EQ(link.sender.adopt(link.blocks[i], last), Status::ok);
    CHECK_EQ(link.send(link.blocks[i]), Channel::Result::ok);
    if (i < 2) CHECK_EQ(thief.adopt(link.blocks[i], last + 1), Status::ok);
  }
  for (const uint32_t sleeper : {10u, 20u, 30u}) link.channel->senders().arm(sleeper);
  uint32_t woken = 0;
  Message message{};
  Channel::Result result;
  do {
    result = link.receive(message);
    woken += link.to_wake != kNobody;
  } while (message.block != link.blocks[2] || result != Channel::Result::ok);
  CHECK_EQ(woken, 3u);  // as many as there are cells free
  CHECK_EQ(link.receive(message), Channel::Result::ok);
  CHECK_EQ(link.receive(message), Channel::Result::would_block);
  CHECK_SOUND(*link.pool);
}

TEST(blocks_in_a_channel_that_ends_are_not_lost) {
  Link link;
  for (uint32_t i = 0; i < 3; ++i) CHECK_EQ(link.send(link.blocks[i]), Channel::Result::ok);
  link.channel.reset();
  CHECK_EQ(link.pool->stats(0).in_flight, uint64_t{0});
  link.sender.detach();
  link.pool->age();
  link.pool->age();
  CHECK_EQ(link.pool->budget().used(), uint64_t{0});
  CHECK_SOUND(*link.pool);
}

TEST(endpoint_65_is_refused_and_numbers_are_used_again) {
  Link link;
  for (uint32_t i = 0; i < kMaxSleepers; ++i) CHECK_EQ(link.channel->join(), i);
  CHECK_EQ(link.channel->endpoints(), UINT64_MAX);
  CHECK_EQ(link.channel->join(), kNobody);
  link.channel->receivers().arm(40);
  link.channel->senders().arm(40);
  link.channel->leave(40);
  link.channel->leave(3);
  CHECK_EQ(link.channel->join(), 3u);
  CHECK_EQ(link.channel->join(), 40u);
  CHECK_EQ(link.channel->join(), kNobody);
  CHECK_EQ(link.send(link.blocks[0]), Channel::Result::ok);
  CHECK_EQ(link.to_wake, kNobody);  // it was the former endpoint that had armed
}

}  // namespace
}  // namespace slabpool::test
