// Many threads on one pool while another ages it without pause. Operation counts and seeds are fixed: the operations
// are the same in every run, their interleaving is not.
#include <thread>

#include "client.h"
#include "payload.h"

namespace slabpool::test {
namespace {

// What the last owner of a block wrote to it. Plain fields, kept outside the pool: the next owner reads them with
// nothing but the pool in between, so that ThreadSanitizer sees any order that a hand-over fails to establish.
struct Trace {
  uint64_t seed = 0;  // 0: never written
  uint32_t size_class = 0;
};

struct Load {
  uint32_t threads;
  uint32_t operations;  // of each thread
  uint64_t max_bytes;
};

class Stress {
 public:
  explicit Stress(const Load& load)
      : load_(load), pool_(make_pool({1000, 4096, 20'000, 65'536}, load.max_bytes)), traces_(1 << 20) {}

  void run() {
    std::vector<std::thread> workers;
    for (uint32_t t = 0; t < load_.threads; ++t) workers.emplace_back([this, t] { work(t); });
    std::thread janitor([this] {
      while (!done_.load()) pool_->age();
    });
    for (std::thread& worker : workers) worker.join();
    done_ = true;
    janitor.join();
    check_end();
  }

 private:
  void work(uint32_t thread) {
    Client client(*pool_);
    Random random(thread);
    std::vector<Blocks> held(pool_->class_count());
    uint32_t retirements = 2;
    for (uint32_t i = 0; i < load_.operations; ++i) {
      const uint32_t c = random.below(pool_->class_count());
      const uint32_t choice = random.below(1000);
      if (choice < 500) {
        take(client, c, held[c], random.next() | 1);
      } else if (choice < 994) {
        give(client, c, held[c], random);
      } else if (choice < 996) {
        const WarmResult warmed = pool_->warm(*client.member, c, random.below(64));
        CHECK(warmed.status == Status::ok || warmed.status == Status::exhausted);
      } else if (choice < 998) {
        uint32_t free[kMaxBatch];
        const uint32_t count = pool_->take_free(*client.member, c, 1 + random.below(pool_->size_class(c).batch), free);
        keep(c, held[c], free, count, random.next() | 1);
      } else if (choice == 998) {
        pool_->age();  // beside the janitor
      } else if (retirements != 0 && !held[c].empty()) {
        --retirements;
        CHECK_EQ(pool_->retire(*client.member, c, held[c].back()), Status::ok);
        held[c].pop_back();
      }
      CHECK(pool_->budget().used() <= pool_->budget().max());
      CHECK(pool_->stats(c).held <= UINT32_MAX);  // behind the times, but never below zero
    }
    for (uint32_t c = 0; c < pool_->class_count(); ++c) {
      for (const uint32_t b : held[c]) check_kept(c, b);
      CHECK_EQ(client.flush(c, held[c]), Status::ok);
    }
  }

  void take(Client& client, uint32_t c, Blocks& held, uint64_t seed) {
    const size_t before = held.size();
    const Status status = client.refill(c, held);
    CHECK(status == Status::ok || status == Status::exhausted);
    write(c, held, before, seed);
  }

  void keep(uint32_t c, Blocks& held, const uint32_t* blocks, uint32_t count, uint64_t seed) {
    const size_t before = held.size();
    held.insert(held.end(), blocks, blocks + count);
    write(c, held, before, seed);
  }

  // What came since `from`: as somebody left it, and this thread's from now on.
  void write(uint32_t c, const Blocks& held, size_t from, uint64_t seed) {
    const size_t capacity = pool_->size_class(c).capacity;
    for (size_t i = from; i < held.size(); ++i) {
      char* const block = pool_->address(held[i]);
      Trace& trace = traces_[held[i]];
      CHECK(trace.seed == 0 || trace.size_class == c);
      // As the last owner left it, or where pages were cold in between zeros; never another block's bytes.
      CHECK(has_payload_or_zeros(block, capacity, trace.seed, os::page_size()));
      trace = {seed + 2 * i, c};
      write_payload(block, capacity, trace.seed);
    }
  }

  // A random part of what is held, so that batches of mixed slabs, homes and lengths come about.
  void give(Client& client, uint32_t c, Blocks& held, Random& random) {
    Blocks given;
    for (size_t i = 0; i < held.size();) {
      if (random.below(4) == 0) {
        ++i;
        continue;
      }
      check_kept(c, held[i]);
      given.push_back(held[i]);
      held[i] = held.back();
      held.pop_back();
    }
    CHECK_EQ(client.flush(c, given), Status::ok);
  }

  void check_kept(uint32_t c, uint32_t block) {
    CHECK(has_payload(pool_->address(block), pool_->size_class(c).capacity, traces_[block].seed));
  }

  void check_end() {
    CHECK_SOUND(*pool_);
    pool_->age();
    pool_->age();
    CHECK_SOUND(*pool_);
    uint64_t steals = 0;
    for (uint32_t c = 0; c < pool_->class_count(); ++c) {
      const SizeClass& k = pool_->size_class(c);
      const ClassStats stats = pool_->stats(c);
      CHECK_EQ(stats.held, uint64_t{0});
      // Only retired blocks keep pages: those that they touch.
      CHECK_EQ(stats.resident, stats.retired);
      CHECK(stats.resident_bytes <= stats.retired * (k.least_bytes() + os::page_size()));
      // The bound that Pool::create() reserves metadata for.
      CHECK(stats.slabs <= load_.max_bytes / k.slab_bytes + 2 * load_.threads);
      steals += stats.refills[static_cast<size_t>(Step::steal)];
    }
    CHECK(steals != 0);
  }

  const Load load_;
  const std::unique_ptr<Pool> pool_;
  std::vector<Trace> traces_;
  std::atomic<bool> done_{false};
};

constexpr uint32_t kOperations = kSanitized ? 15'000 : 60'000;

TEST(four_threads_and_a_janitor_on_a_roomy_budget) { Stress({4, kOperations, 64 * kMiB}).run(); }

TEST(eight_threads_and_a_janitor_on_a_tight_budget) { Stress({8, kOperations, 4 * kMiB}).run(); }

TEST(four_threads_on_sixteen_blocks_never_hold_one_twice) {
  const auto pool = make_pool({4096}, 64 * kKiB);
  std::vector<std::atomic<bool>> owned(1 << 20);
  const auto work = [&](uint32_t seed) {
    Client client(*pool);
    Random random(seed);
    for (uint32_t i = 0; i < kOperations; ++i) {
      Blocks blocks;
      for (uint32_t n = random.below(8); n != 0; --n) client.refill(0, blocks);
      for (const uint32_t b : blocks) CHECK(!owned[b].exchange(true, std::memory_order_relaxed));
      if (random.below(8) == 0) std::this_thread::yield();  // with two cores: others get to see them taken
      for (const uint32_t b : blocks) owned[b].store(false, std::memory_order_relaxed);
      CHECK_EQ(client.flush(0, blocks), Status::ok);
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) threads.emplace_back(work, t);
  for (std::thread& thread : threads) thread.join();
  CHECK_SOUND(*pool);
  CHECK(pool->stats(0).refills[static_cast<size_t>(Step::steal)] != 0);
}

// A refusal is final for the caller (an error is thrown), so that it must not come from a block being between two
// stacks: the only client never asks for more than the budget, and all that it returned is its own again.
TEST(refill_is_not_refused_while_a_janitor_has_idle_blocks_in_hand) {
  for (const uint32_t capacity : {1000, 4096, 65'536}) {
    const auto pool = make_pool({capacity}, 8 * kMiB);
    const SizeClass& k = pool->size_class(0);
    const uint64_t most = pool->budget().max() / k.stride;
    std::atomic<bool> done{false};
    std::thread janitor([&] {  // with pauses, as in life: waiting for one trim to end must be enough
      for (; !done.load(); std::this_thread::sleep_for(std::chrono::milliseconds(1))) pool->age();
    });
    Client client(*pool);
    uint32_t refused = 0;
    for (int round = 0; round < 1000; ++round) {
      Blocks blocks;
      while (blocks.size() < most && client.refill(0, blocks) == Status::ok) {
      }
      refused += blocks.size() < most;
      CHECK_EQ(client.flush(0, blocks), Status::ok);
    }
    done = true;
    janitor.join();
    CHECK_EQ(refused, 0u);
    CHECK_SOUND(*pool);
  }
}

}  // namespace
}  // namespace slabpool::test
