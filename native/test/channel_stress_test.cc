// Channels between threads that really sleep: a wake-up that is lost would leave them asleep, which a watchdog reports.
#include <condition_variable>
#include <mutex>
#include <thread>

#include "client.h"
#include "core/channel.h"
#include "payload.h"

namespace slabpool::test {
namespace {

constexpr std::chrono::seconds kWatchdog{20};

// What a thread sleeps on, as an event loop on its uv_async_t: a wake-up without a sleeper is kept, two are one.
class Alarm {
 public:
  void wake() {
    const std::lock_guard lock(mutex_);
    awake_ = true;
    condition_.notify_one();
  }
  // False: nobody came.
  bool sleep() {
    std::unique_lock lock(mutex_);
    const bool woken = condition_.wait_for(lock, kWatchdog, [this] { return awake_; });
    awake_ = false;
    return woken;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool awake_ = false;
};

// A channel with the alarms of its endpoints.
struct Line {
  std::unique_ptr<Channel> channel;
  Alarm alarms[kMaxSleepers];
  std::atomic<bool> stuck{false};  // so that one lost wake-up does not cost every thread its watchdog

  Line(Pool& pool, uint32_t capacity) : channel(Channel::create(pool, capacity)) {}

  void wake(uint32_t endpoint) {
    if (endpoint != kNobody) alarms[endpoint].wake();
  }
  void wake_all() {
    for (uint32_t e = 0; e < kMaxSleepers; ++e) {
      if ((channel->endpoints() >> e & 1) != 0) alarms[e].wake();
    }
  }
  void close() {
    channel->close();
    wake_all();
  }
};

class Endpoint {
 public:
  Endpoint(Line& line, Client& client) : line_(line), client_(client), number_(line.channel->join()) {
    CHECK(number_ != kNobody);
  }
  ~Endpoint() {
    line_.channel->leave(number_);
    line_.wake_all();
  }

  Channel::Result send(uint32_t c, uint32_t size, const Message& message) {
    const auto attempt = [&] {
      uint32_t to_wake = kNobody;
      const Channel::Result result = line_.channel->try_send(*client_.member, c, size, message, to_wake);
      line_.wake(to_wake);
      return result;
    };
    return wait(line_.channel->senders(), attempt, [&] { return line_.channel->pass_on_to_senders(); });
  }
  Channel::Result receive(Message& message) {
    const auto attempt = [&] {
      uint32_t to_wake = kNobody;
      const Channel::Result result = line_.channel->try_receive(*client_.member, message, to_wake);
      line_.wake(to_wake);
      return result;
    };
    return wait(line_.channel->receivers(), attempt, [&] { return line_.channel->pass_on_to_receivers(); });
  }

 private:
  // relacy/event_count_model.cc says why a wake-up is passed on.
  template <class Try, class PassOn>
  Channel::Result wait(EventCount<>& events, const Try& attempt, const PassOn& pass_on) {
    bool woken = false;
    Channel::Result result;
    while ((result = attempt()) == Channel::Result::would_block) {
      events.arm(number_);
      result = attempt();
      if (result != Channel::Result::would_block) {
        woken |= !events.disarm(number_);
        break;
      }
      if (line_.stuck.load() || !line_.alarms[number_].sleep()) {
        CHECK(line_.stuck.exchange(true));
        return Channel::Result::closed;
      }
      woken = true;
    }
    if (woken) line_.wake(pass_on());
    return result;
  }

  Line& line_;
  Client& client_;
  const uint32_t number_;
};

struct Roles {
  uint32_t producers, proxies, consumers, capacity;
};

constexpr uint32_t kMessages = kSanitized ? 3'000 : 20'000;  // of each producer

// Producers fill blocks, proxies check and change them and pass them on, consumers check and release them.
class Relay {
 public:
  explicit Relay(const Roles& roles) : roles_(roles), arrived_(roles.producers * kMessages) {}

  void run() {
    std::vector<std::thread> threads;
    producing_ = roles_.producers;
    relaying_ = roles_.proxies;
    for (uint32_t p = 0; p < roles_.producers; ++p) threads.emplace_back([this, p] { produce(p); });
    for (uint32_t p = 0; p < roles_.proxies; ++p) threads.emplace_back([this] { relay(); });
    for (uint32_t c = 0; c < roles_.consumers; ++c) threads.emplace_back([this, c] { consume(c); });
    std::thread janitor([this] {
      for (; !done_.load(); std::this_thread::sleep_for(std::chrono::milliseconds(1))) pool_->age();
    });
    for (std::thread& thread : threads) thread.join();
    done_ = true;
    janitor.join();
    for (const auto& count : arrived_) CHECK_EQ(count.load(), 1);
    CHECK_SOUND(*pool_);
    for (int epoch = 0; epoch < 2; ++epoch) pool_->age();
    CHECK_EQ(pool_->budget().used(), uint64_t{0});
    CHECK_EQ(pool_->stats(0).held + pool_->stats(0).in_flight, uint64_t{0});
    CHECK_SOUND(*pool_);
  }

 private:
  static constexpr size_t kBytes = 4096;

  static uint64_t seed(double tag) { return static_cast<uint64_t>(tag) << 16; }

  void produce(uint32_t producer) {
    Client client(*pool_);
    {
      Endpoint out(first_, client);
      Blocks blocks;
      for (uint32_t number = 0; number < kMessages; ++number) {
        if (blocks.empty()) blocks = client.refill(0);
        const Message m{blocks.back(), 0, static_cast<double>(producer * kMessages + number)};
        write_payload(pool_->address(m.block), kBytes, seed(m.tag));
        if (out.send(0, number, m) != Channel::Result::ok) break;
        blocks.pop_back();
      }
      CHECK_EQ(client.flush(0, blocks), Status::ok);
      if (--producing_ == 0) first_.close();
    }
    client.detach();
  }

  void relay() {
    Client client(*pool_);
    {
      Endpoint in(first_, client);
      Endpoint out(second_, client);
      for (Message m{}; in.receive(m) == Channel::Result::ok;) {
        char* const block = pool_->address(m.block);
        CHECK(has_payload(block, kBytes, seed(m.tag)));
        write_payload(block, kBytes, ~seed(m.tag));
        if (out.send(0, pool_->size_of(m.block), m) != Channel::Result::ok) break;
      }
      if (--relaying_ == 0) second_.close();
    }
    client.detach();
  }

  // The first consumer leaves again and again: its number, and a wake-up that it may have been given, pass on.
  void consume(uint32_t consumer) {
    for (bool open = true; open;) {
      Client client(*pool_);
      {
        Endpoint in(second_, client);
        Message m{};
        for (uint32_t n = 0; consumer != 0 || n < 100; ++n) {
          open = in.receive(m) == Channel::Result::ok;
          if (!open) break;
          CHECK(has_payload(pool_->address(m.block), kBytes, ~seed(m.tag)));
          const auto id = static_cast<uint32_t>(m.tag);
          CHECK_EQ(pool_->size_of(m.block), std::min<uint32_t>(id % kMessages, kBytes));
          arrived_[id]++;
          CHECK_EQ(client.flush(0, {m.block}), Status::ok);
        }
      }
      client.detach();
    }
  }

  const Roles roles_;
  const std::unique_ptr<Pool> pool_ = make_pool({kBytes}, 16 * kMiB, 0);
  Line first_{*pool_, roles_.capacity};
  Line second_{*pool_, roles_.capacity};
  std::vector<std::atomic<uint32_t>> arrived_;
  std::atomic<uint32_t> producing_{0}, relaying_{0};
  std::atomic<bool> done_{false};
};

TEST(each_block_passes_two_channels_once_between_sleeping_threads) { Relay({2, 2, 2, 8}).run(); }

TEST(each_block_passes_the_smallest_channels_once_between_many_sleepers) { Relay({4, 3, 4, 2}).run(); }

// The commonest end of a stream: the last message, then close(). Whoever is told "closed" has missed nothing.
TEST(message_sent_before_close_is_received) {
  constexpr auto kWouldBlock = Channel::Result::would_block;
  constexpr uint32_t kRounds = kSanitized ? 3'000 : 30'000;
  const auto pool = make_pool({4096}, 8 * kMiB, 0);
  Client sender(*pool);
  Client receiver(*pool);
  const uint32_t b = sender.refill(0)[0];
  std::atomic<Channel*> current{nullptr};
  std::atomic<uint32_t> received{0};
  std::thread thread([&] {
    for (uint32_t round = 0; round < kRounds; ++round) {
      Channel* channel = nullptr;
      for (uint32_t spins = 0; (channel = current.exchange(nullptr)) == nullptr;) {
        if (++spins % 64 == 0) std::this_thread::yield();
      }
      Message message{};
      uint32_t to_wake = kNobody;
      Channel::Result result;
      for (uint32_t spins = 0; (result = channel->try_receive(*receiver.member, message, to_wake)) == kWouldBlock;) {
        if (++spins % 64 == 0) std::this_thread::yield();
      }
      CHECK_EQ(result, Channel::Result::ok);
      // Received late, so that the next round has its block.
      if (result == Channel::Result::closed) result = channel->try_receive(*receiver.member, message, to_wake);
      CHECK_EQ(result, Channel::Result::ok);
      CHECK_EQ(sender.adopt(b, receiver.transfer(0, b)), Status::ok);
      received = round + 1;
    }
  });
  for (uint32_t round = 0; round < kRounds; ++round) {
    const auto channel = Channel::create(*pool, 2);
    current = channel.get();
    uint32_t to_wake = kNobody;
    CHECK_EQ(channel->try_send(*sender.member, 0, 0, {b, 0, {}}, to_wake), Channel::Result::ok);
    channel->close();
    while (received.load() != round + 1) std::this_thread::yield();
  }
  thread.join();
  CHECK_SOUND(*pool);
}

// Senders and a receiver that closes: what was accepted is received before anybody is told of the end, as all are.
TEST(close_against_send_loses_no_message_and_no_sleeper) {
  constexpr uint32_t kRounds = kSanitized ? 500 : 3'000;
  constexpr uint32_t kBeforeClosing = 10;
  const auto pool = make_pool({4096}, 8 * kMiB, 0);
  for (uint32_t round = 0; round < kRounds; ++round) {
    Line line(*pool, 2 << round % 3);
    std::atomic<uint32_t> accepted{0}, received{0};
    const auto send = [&] {
      Client client(*pool);
      {
        Endpoint out(line, client);
        for (bool open = true; open;) {
          Blocks blocks = client.refill(0);
          while (open && !blocks.empty()) {
            open = out.send(0, 0, {blocks.back(), 0, {}}) == Channel::Result::ok;
            if (open) ++accepted, blocks.pop_back();
          }
          CHECK_EQ(client.flush(0, blocks), Status::ok);
        }
      }
      client.detach(Departure::clean_exit);
    };
    const auto receive = [&] {
      Client client(*pool);
      {
        Endpoint in(line, client);
        for (Message m{}; in.receive(m) == Channel::Result::ok;) {
          CHECK_EQ(client.flush(0, {m.block}), Status::ok);
          if (++received == kBeforeClosing) line.close();
        }
      }
      client.detach(Departure::clean_exit);
    };
    std::vector<std::thread> threads;
    // The last one holds the line until all have come.
    Client client(*pool);
    Endpoint here(line, client);
    for (int s = 0; s < 2; ++s) threads.emplace_back(send);
    for (int r = 0; r < 3; ++r) threads.emplace_back(receive);
    for (std::thread& thread : threads) thread.join();
    CHECK_EQ(accepted.load(), received.load());
    CHECK_EQ(line.channel->size(), uint64_t{0});
    CHECK(!line.stuck.load());
    client.detach(Departure::clean_exit);
  }
  CHECK_SOUND(*pool);
}

// Whoever is told that all others are gone has received what they had sent.
TEST(peer_that_leaves_after_sending_leaves_nothing_behind) {
  constexpr uint32_t kRounds = kSanitized ? 500 : 3'000;
  const auto pool = make_pool({4096}, 8 * kMiB, 0);
  for (uint32_t round = 0; round < kRounds; ++round) {
    Line line(*pool, 8);
    Client client(*pool);
    Endpoint in(line, client);
    std::atomic<uint32_t> joined{0};
    std::vector<std::thread> threads;
    for (int s = 0; s < 2; ++s) {
      threads.emplace_back([&] {
        Client sender(*pool);
        {
          Endpoint out(line, sender);
          for (++joined; joined != 2;) std::this_thread::yield();
          const Blocks blocks = sender.refill(0);
          CHECK_EQ(out.send(0, 0, {blocks[0], 0, {}}), Channel::Result::ok);
        }
        sender.detach();
      });
    }
    uint32_t received = 0;
    while (joined.load() != 2) std::this_thread::yield();
    Channel::Result result;
    for (Message m{}; (result = in.receive(m)) == Channel::Result::ok; ++received) {
      CHECK_EQ(client.flush(0, {m.block}), Status::ok);
    }
    CHECK_EQ(result, Channel::Result::alone);
    CHECK_EQ(received, 2u);
    for (std::thread& thread : threads) thread.join();
    client.detach();
  }
  CHECK_SOUND(*pool);
}

}  // namespace
}  // namespace slabpool::test
