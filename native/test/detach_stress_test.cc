// What the quarantine of a killed thread's blocks promises, while other threads age, refill and are killed.
#include <thread>

#include "client.h"

namespace slabpool::test {
namespace {

// Safety: the operating system may still write to the blocks of a thread that was killed, so that nobody may shorten
// their quarantine.
TEST(quarantine_is_not_cut_short_by_aging_beside_a_detach) {
  const auto pool = make_pool({1 << 20}, 4096 * kMiB, 40u * 24 * 3600 * 1000);
  Client living(*pool);
  uint64_t lost = 0;
  {
    // So many batches are in quarantine in the first heap that the clock moves on while they are looked through.
    Client first(*pool);
    Blocks blocks;
    while (blocks.size() < 3000) living.refill(0, blocks);
    for (const uint32_t b : blocks) CHECK_EQ(first.adopt(b, living.transfer(0, b)), Status::ok);
    first.detach();
    lost += blocks.size();
  }
  std::atomic<bool> done{false};
  std::thread ager([&] {
    while (!done.load()) pool->age();
  });
  Client between(*pool);
  for (int life = 0; life < 300; ++life) {
    Client mortal(*pool);
    lost += mortal.refill(0).size();
    mortal.detach();
  }
  done = true;
  ager.join();
  CHECK_EQ(pool->stats(0).quarantined, lost);
  CHECK_SOUND(*pool);
}

TEST(figure_of_quarantined_blocks_never_falls_below_zero) {
  const auto pool = make_pool({4096}, 1024 * kMiB, 0);
  Client living(*pool);
  // So many blocks that a detach takes its time: what it has put into quarantine first is free before it ends.
  Blocks many;
  while (many.size() < 200'000) living.refill(0, many);
  // Of several slabs: a batch is laid down when the next slab's blocks are met.
  Blocks given;
  for (size_t i = 0; i < 32; ++i) given.push_back(many[i * 512]);
  CHECK_EQ(living.flush(0, given), Status::ok);
  std::atomic<bool> done{false};
  std::thread ager([&] {
    while (!done.load()) pool->age();
  });
  std::thread reader([&] {
    while (!done.load()) CHECK(pool->stats(0).quarantined <= UINT32_MAX);
  });
  std::vector<std::thread> mortals;
  for (int t = 0; t < 3; ++t) {
    mortals.emplace_back([&] {
      for (int life = 0; life < 50; ++life) {
        Client client(*pool);
        Blocks blocks;
        client.refill(0, blocks);
        client.detach();
      }
    });
  }
  for (std::thread& mortal : mortals) mortal.join();
  done = true;
  ager.join();
  reader.join();
  CHECK_SOUND(*pool);
}

// A refusal is final for the caller: it must not come from another refill having the blocks from quarantine in its
// hands.
TEST(refill_is_not_refused_while_another_frees_blocks_from_quarantine) {
  constexpr uint32_t kBlocks = 64;
  // A batch is one block, so that no thread takes more than its share.
  const auto pool = make_pool({256 * kKiB}, kBlocks * 256 * kKiB, 0);
  CHECK_EQ(pool->size_class(0).batch, 1u);
  constexpr uint32_t kRounds = 3000;
  constexpr uint32_t kThreads = 4;
  std::atomic<uint32_t> started{0}, ended{0}, refused{0};
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      Client client(*pool);
      for (uint32_t round = 1; round <= kRounds; ++round) {
        while (started.load() < round) std::this_thread::yield();
        Blocks blocks;
        while (blocks.size() < kBlocks / kThreads) {
          if (client.refill(0, blocks) == Status::ok) continue;
          ++refused;
          break;
        }
        CHECK_EQ(client.flush(0, blocks), Status::ok);
        ++ended;
      }
    });
  }
  for (uint32_t round = 1; round <= kRounds; ++round) {
    Client mortal(*pool);
    CHECK_EQ(mortal.refill_all(0).size(), size_t{kBlocks});
    mortal.detach();
    started = round;
    while (ended.load() < round * kThreads) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(refused.load(), 0u);
  CHECK_SOUND(*pool);
}

}  // namespace
}  // namespace slabpool::test
