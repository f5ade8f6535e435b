// Blocks handed from thread to thread by bare tickets, while members are abandoned and others take their place, and
// another ages the pool without pause.
#include <mutex>
#include <thread>

#include "client.h"
#include "payload.h"

namespace slabpool::test {
namespace {

struct Ticket {
  uint32_t block;
  uint32_t generation;
  uint32_t size_class;
  uint64_t seed;  // of the payload
};

// As postMessage: each ticket to whoever asks first, with all that its sender did before.
class Post {
 public:
  void put(const Ticket& ticket) {
    const std::lock_guard lock(mutex_);
    tickets_.push_back(ticket);
  }
  bool receive(Ticket& ticket, Random& random) {
    const std::lock_guard lock(mutex_);
    if (tickets_.empty()) return false;
    std::swap(tickets_[random.below(static_cast<uint32_t>(tickets_.size()))], tickets_.back());
    ticket = tickets_.back();
    tickets_.pop_back();
    return true;
  }

 private:
  std::mutex mutex_;
  std::vector<Ticket> tickets_;
};

constexpr uint32_t kOperations = kSanitized ? 6'000 : 40'000;

struct Load {
  uint32_t threads;
  uint64_t max_bytes;
  uint32_t epoch_ms;
  uint32_t lives;  // of each thread: all but the last end with blocks held
  Departure departure;
};

class HandOver {
 public:
  explicit HandOver(const Load& load)
      : load_(load), pool_(make_pool({1000, 4096, 65'536}, load.max_bytes, load.epoch_ms)) {}

  void run() {
    std::vector<std::thread> workers;
    for (uint32_t t = 0; t < load_.threads; ++t) {
      workers.emplace_back([this, t] {
        for (uint32_t life = 0; life < load_.lives; ++life) live(t * 1000 + life, life + 1 == load_.lives);
      });
    }
    std::thread janitor([this] {
      while (!done_.load()) {
        pool_->age();
        for (uint32_t c = 0; c < pool_->class_count(); ++c) {
          const ClassStats s = pool_->stats(c);
          CHECK(s.held <= UINT32_MAX && s.in_flight <= UINT32_MAX);  // behind the times, but never below zero
          CHECK(s.quarantined <= UINT32_MAX);
        }
      }
    });
    for (std::thread& worker : workers) worker.join();
    done_ = true;
    janitor.join();
    check_end();
  }

 private:
  struct Held {
    uint32_t block;
    uint64_t seed;
  };

  void live(uint32_t seed, bool ends_well) {
    Client client(*pool_);
    Random random(seed);
    std::vector<std::vector<Held>> held(pool_->class_count());
    Ticket used{kNoIndex, 0, 0, 0};
    for (uint32_t i = 0; i < kOperations / load_.lives; ++i) {
      const uint32_t c = random.below(pool_->class_count());
      switch (random.below(4)) {
        case 0:
          take(client, c, held[c], random.next());
          break;
        case 1:
          give(client, c, held[c]);
          break;
        case 2:
          send(client, c, held[c], random);
          break;
        default: {
          Ticket ticket{};
          if (!post_.receive(ticket, random)) break;
          if (!adopt(client, ticket)) break;
          CHECK_EQ(client.adopt(used.block, used.generation), Status::stale);
          used = ticket;
          CHECK_EQ(pool_->class_of(ticket.block), ticket.size_class);
          held[ticket.size_class].push_back({ticket.block, ticket.seed});
        }
      }
      CHECK(pool_->budget().used() <= pool_->budget().max());
    }
    for (uint32_t c = 0; ends_well && c < pool_->class_count(); ++c) give(client, c, held[c]);
    client.detach(load_.departure);
  }

  // False: its sender was abandoned, and an epoch has passed.
  bool adopt(Client& client, const Ticket& ticket) {
    const Status status = client.adopt(ticket.block, ticket.generation);
    CHECK(status == Status::ok || (status == Status::stale && load_.departure == Departure::abandoned));
    return status == Status::ok;
  }

  void take(Client& client, uint32_t c, std::vector<Held>& held, uint64_t seed) {
    Blocks blocks;
    const Status status = client.refill(c, blocks);
    CHECK(status == Status::ok || status == Status::exhausted);
    for (const uint32_t b : blocks) {
      write_payload(pool_->address(b), pool_->size_class(c).capacity, seed + b);
      held.push_back({b, seed + b});
    }
  }

  void give(Client& client, uint32_t c, std::vector<Held>& held) {
    Blocks blocks;
    for (const Held& h : held) {
      CHECK(has_payload(pool_->address(h.block), pool_->size_class(c).capacity, h.seed));
      blocks.push_back(h.block);
    }
    held.clear();
    CHECK_EQ(client.flush(c, blocks), Status::ok);
  }

  void send(Client& client, uint32_t c, std::vector<Held>& held, Random& random) {
    for (uint32_t n = 1 + random.below(4); n != 0 && !held.empty(); --n) {
      const Held h = held.back();
      held.pop_back();
      CHECK(has_payload(pool_->address(h.block), pool_->size_class(c).capacity, h.seed));
      write_payload(pool_->address(h.block), pool_->size_class(c).capacity, h.seed + 1);
      post_.put({h.block, client.transfer(c, h.block), c, h.seed + 1});
    }
  }

  void check_end() {
    CHECK_SOUND(*pool_);
    Client heir(*pool_);
    Random random(0);
    for (Ticket ticket{}; post_.receive(ticket, random);) {
      if (!adopt(heir, ticket)) continue;
      CHECK(has_payload(pool_->address(ticket.block), pool_->size_class(ticket.size_class).capacity, ticket.seed));
      CHECK_EQ(heir.flush(ticket.size_class, {ticket.block}), Status::ok);
    }
    heir.detach();
    std::this_thread::sleep_for(std::chrono::milliseconds(load_.epoch_ms + 1));
    for (int epoch = 0; epoch < 2; ++epoch) pool_->age();
    CHECK_SOUND(*pool_);
    for (uint32_t c = 0; c < pool_->class_count(); ++c) {
      const ClassStats s = pool_->stats(c);
      CHECK_EQ(s.held + s.in_flight + s.quarantined + s.resident, uint64_t{0});
    }
    CHECK_EQ(pool_->budget().used(), uint64_t{0});
  }

  const Load load_;
  const std::unique_ptr<Pool> pool_;
  Post post_;
  std::atomic<bool> done_{false};
};

TEST(tickets_between_four_threads_on_a_roomy_budget) { HandOver({4, 64 * kMiB, 0, 1, Departure::clean_exit}).run(); }

TEST(tickets_between_eight_threads_that_die_on_a_tight_budget) {
  HandOver({8, 4 * kMiB, 0, 40, Departure::abandoned}).run();
}

TEST(tickets_between_four_threads_that_leave_blocks_behind_for_5_ms) {
  HandOver({4, 16 * kMiB, 5, 40, Departure::clean_exit}).run();
}

// The ticket itself carries no order here, so that ThreadSanitizer sees whether the state of a block publishes the
// bytes.
TEST(bytes_come_with_the_ticket_even_if_nothing_else_orders_them) {
  const auto pool = make_pool({4096}, 8 * kMiB);
  constexpr uint32_t kRounds = kSanitized ? 10'000 : 50'000;
  std::atomic<uint64_t> slot{0};  // {block + 1, generation}
  std::thread sender([&] {
    Client client(*pool);
    Blocks blocks;
    for (uint32_t round = 0; round < kRounds; ++round) {
      while (blocks.empty() && client.refill(0, blocks) != Status::ok) std::this_thread::yield();
      const uint32_t b = blocks.back();
      blocks.pop_back();
      write_payload(pool->address(b), 4096, round);
      const uint64_t word = uint64_t{b + 1} << 32 | client.transfer(0, b, round % 4096);
      while (slot.load(std::memory_order_relaxed) != 0) std::this_thread::yield();
      slot.store(word, std::memory_order_relaxed);
    }
    CHECK_EQ(client.flush(0, blocks), Status::ok);
  });
  Client client(*pool);
  for (uint32_t round = 0; round < kRounds; ++round) {
    uint64_t word = 0;
    while ((word = slot.exchange(0, std::memory_order_relaxed)) == 0) std::this_thread::yield();
    const auto b = static_cast<uint32_t>(word >> 32) - 1;
    // Without an order the word may still look stale for a moment.
    while (client.adopt(b, static_cast<uint32_t>(word)) != Status::ok) std::this_thread::yield();
    CHECK_EQ(pool->size_of(b), round % 4096);
    CHECK(has_payload(pool->address(b), 4096, round));
    CHECK_EQ(client.flush(0, {b}), Status::ok);
  }
  sender.join();
  CHECK_SOUND(*pool);
  CHECK_EQ(pool->stats(0).held + pool->stats(0).in_flight, uint64_t{0});
}

}  // namespace
}  // namespace slabpool::test
