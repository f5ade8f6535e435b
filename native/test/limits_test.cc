// The ends of things: heaps, address space, metadata, the budget.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"

namespace slabpool::test {
namespace {

TEST(thread_257_shares_the_stacks_of_the_first) {
  const auto pool = make_pool({4096, 65'536}, 64 * kMiB);
  std::vector<Client> clients;
  for (uint32_t i = 0; i < kMaxHeaps + 2; ++i) clients.emplace_back(*pool);
  Client& first = clients[0];
  Client& sharing = clients[kMaxHeaps];
  CHECK_EQ(sharing.member->index, kMaxHeaps);
  CHECK(sharing.member->heap == first.member->heap);
  CHECK(clients[kMaxHeaps + 1].member->heap == clients[1].member->heap);

  // It carves for the heap that it shares ...
  const Blocks carved = sharing.refill(0);
  CHECK_EQ(pool->stats(0).refills[static_cast<size_t>(Step::slab)], uint64_t{1});
  for (const uint32_t b : carved) {
    CHECK(pool->holds(*sharing.member, 0, b));
    CHECK(!pool->holds(*first.member, 0, b));
  }
  CHECK_EQ(first.flush(0, carved), Status::not_held);
  CHECK_EQ(sharing.flush(0, carved), Status::ok);
  // ... so that what it flushes is in the first thread's depot,
  CHECK_EQ(first.refill(0).size(), carved.size());
  CHECK_EQ(pool->stats(0).refills[static_cast<size_t>(Step::depot)], uint64_t{1});
  CHECK_SOUND(*pool);
  CHECK_EQ(first.flush(0, carved), Status::ok);
  // and a third may steal it from there.
  CHECK_EQ(clients[2].refill(0).size(), carved.size());
  CHECK_EQ(pool->stats(0).refills[static_cast<size_t>(Step::steal)], uint64_t{1});
  CHECK_EQ(clients[2].flush(0, carved), Status::ok);
  CHECK(!first.member->heap->classes[0].depot.looks_empty());
  for (Client& client : clients) CHECK_EQ(client.flush(1, client.refill(1)), Status::ok);
  CHECK_SOUND(*pool);
}

TEST(thread_4097_is_refused_until_one_leaves) {
  const auto pool = make_pool({4096}, 64 * kMiB);
  std::vector<Client> clients;
  for (uint32_t i = 0; i < kMaxThreads; ++i) clients.emplace_back(*pool);
  bool full = false;
  CHECK(pool->attach(&full) == nullptr);
  CHECK(full);
  for (Client& client : clients) CHECK_EQ(client.flush(0, client.refill(0)), Status::ok);
  const uint16_t index = clients[1234].member->index;
  clients[1234].detach();
  Client next(*pool);
  CHECK_EQ(next.member->index, index);
  CHECK(pool->attach() == nullptr);
  CHECK_EQ(next.flush(0, next.refill(0)), Status::ok);
  CHECK_SOUND(*pool);
}

// What Apple silicon and many arm64 kernels have.
TEST(pool_serves_every_class_that_fits_the_budget_whatever_the_page_size) {
  for (const size_t page : {4 * kKiB, 16 * kKiB, 64 * kKiB}) {
    CHECK(os::set_page_size(page));
    for (const uint64_t budget : {uint64_t{page}, 300'000 / page * page, 8 * kMiB}) {
      std::vector<uint32_t> capacities;
      for (uint64_t capacity = 64; capacity < budget; capacity = capacity * 3 / 2)
        capacities.push_back(static_cast<uint32_t>(capacity));
      capacities.push_back(static_cast<uint32_t>(budget));
      const auto pool = make_pool(capacities, budget);
      Client client(*pool);
      for (uint32_t c = 0; c < capacities.size(); ++c) {
        const Blocks all = client.refill_all(c);
        CHECK(!all.empty());
        CHECK(pool->budget().used() <= budget);
        CHECK_SOUND(*pool);
        CHECK_EQ(client.flush(c, all), Status::ok);
      }
      (void)pool->trim();
      CHECK_EQ(pool->budget().used(), uint64_t{0});
    }
  }
  CHECK(os::set_page_size(os::system_page_size()));
}

TEST(last_heap_finds_a_block_wherever_it_is_cached) {
  const auto pool = make_pool({4096}, 64 * kMiB);
  std::vector<Client> clients;
  for (uint32_t i = 0; i < kMaxHeaps; ++i) clients.emplace_back(*pool);
  Client& last = clients.back();
  for (const size_t holder : {0, 1, 100, 254, 255}) {
    const Blocks blocks = clients[holder].refill(0);
    CHECK_EQ(clients[holder].flush(0, blocks), Status::ok);
    CHECK_EQ(last.refill(0).size(), blocks.size());
  }
  CHECK_EQ(pool->stats(0).refills[static_cast<size_t>(Step::steal)], uint64_t{4});
  CHECK_SOUND(*pool);
}

TEST(capacity_of_a_gibibyte_works) {
  const auto pool = make_pool({kMaxCapacity}, uint64_t{kMaxCapacity} * 2);
  Client client(*pool);
  const Blocks blocks = client.refill_all(0);
  CHECK_EQ(blocks.size(), size_t{2});
  for (const uint32_t b : blocks) {
    pool->address(b)[0] = 'x';
    pool->address(b)[kMaxCapacity - 1] = 'x';
  }
  CHECK_EQ(client.flush(0, blocks), Status::ok);
  pool->age();
  CHECK_EQ(pool->age(), uint64_t{kMaxCapacity} * 2);
  CHECK_EQ(pool->address(blocks[0])[kMaxCapacity - 1], char{0});
  CHECK_SOUND(*pool);
}

void limit_address_space(uint64_t bytes) {
  rlimit limit{};
  getrlimit(RLIMIT_AS, &limit);
  limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
  CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
}

void refill_without_address_space() {
  const auto pool = make_pool({1000, 65'536}, 64 * kMiB);
  Client client(*pool);
  const Blocks blocks = client.refill(1);
  limit_address_space(1);  // what is mapped stays, nothing can be added
  Blocks none;
  none.reserve(kMaxBatch);
  const auto [rest, count] = take_rest_of_arenas();
  for (int i = 0; i < 100; ++i) CHECK_EQ(client.refill(0, none), Status::out_of_memory);
  const uint32_t capacity = 65'536;
  CHECK(Pool::create(&capacity, 1, kMiB, 0) == nullptr);
  limit_address_space(0);
  for (size_t i = 0; i < count; ++i) rest[i]->release();

  CHECK_EQ(pool->budget().used(), blocks.size() * 65'536);
  CHECK_SOUND(*pool);
  CHECK_EQ(client.refill(0, none), Status::ok);
  CHECK_EQ(client.flush(1, blocks), Status::ok);
  CHECK_SOUND(*pool);
}

TEST(address_space_refused_is_out_of_memory_and_passes) {
  if (kSanitized) return;      // sanitizers reserve terabytes themselves
  const pid_t child = fork();  // the limit must not meet the other tests
  if (child == 0) {
    refill_without_address_space();
    std::fflush(stdout);
    _exit(failures == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK_EQ(WEXITSTATUS(status), 0);
}

TEST(stable_array_grants_up_to_its_capacity_and_no_further) {
  StableArray<uint64_t> array;
  CHECK(array.reserve(10'000));
  CHECK_EQ(array.size(), 0u);
  uint32_t expected = 0;
  for (const uint32_t count : {1u, 511u, 1u, 7000u, 2486u}) {
    CHECK_EQ(array.claim(count), expected);
    for (uint32_t i = expected; i < expected + count; ++i) {
      CHECK_EQ(array[i], uint64_t{0});
      array[i] = i;
    }
    expected += count;
    CHECK_EQ(array.size(), expected);
  }
  CHECK_EQ(array.claim(2), kNoIndex);
  CHECK_EQ(array.claim(UINT32_MAX), kNoIndex);
  CHECK_EQ(array.claim(1), 9999u);
  CHECK_EQ(array.claim(1), kNoIndex);
  CHECK_EQ(array.size(), 10'000u);
  for (uint32_t i = 0; i < 9999; ++i) CHECK_EQ(array[i], uint64_t{i});
}

TEST(stable_array_refuses_more_than_the_address_space) {
  struct Huge {
    char bytes[1 << 20];
  };
  StableArray<Huge> array;
  CHECK(!array.reserve(UINT32_MAX));
  CHECK_EQ(array.size(), 0u);
}

TEST(budget_grants_what_fits_and_no_more) {
  Budget<> budget(1000);
  CHECK_EQ(budget.claim(3, 100), 3u);
  CHECK_EQ(budget.claim(32, 100), 7u);
  CHECK_EQ(budget.used(), uint64_t{1000});
  CHECK_EQ(budget.claim(1, 1), 0u);
  budget.give_back(99);
  CHECK_EQ(budget.claim(1, 100), 0u);
  CHECK_EQ(budget.claim(99, 1), 99u);
  CHECK_EQ(Budget<>(UINT64_MAX).claim(32, kMaxCapacity), 32u);
  CHECK_EQ(Budget<>(0).claim(1, 1), 0u);
}

}  // namespace
}  // namespace slabpool::test
