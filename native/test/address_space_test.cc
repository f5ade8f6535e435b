// Where pools lie: what they leave behind, and who gets their addresses next.
#include "core/os/address_space.h"

#include <cstdio>
#include <set>

#include "client.h"

namespace slabpool::test {
namespace {

size_t mappings() {
  std::FILE* const file = std::fopen("/proc/self/maps", "r");
  size_t lines = 0;
  for (int c; (c = std::fgetc(file)) != EOF;) lines += c == '\n';
  std::fclose(file);
  return lines;
}

const std::vector<uint32_t> kTiers = {1000, 1280, 4096, 5120, 20'000, 65'536, 300'000, 3'000'000};

void use_all_tiers(Pool& pool) {
  Client client(pool);
  for (uint32_t c = 0; c < pool.class_count(); ++c) {
    const Blocks blocks = client.refill(c);
    for (const uint32_t b : blocks) CHECK(all_bytes_are(pool.address(b), pool.size_class(c).capacity, 0));
    fill(pool, c, blocks, 'x');
    CHECK_EQ(client.flush(c, blocks), Status::ok);
  }
}

TEST(what_closed_pools_leave_behind_does_not_grow_with_their_number) {
  use_all_tiers(*make_pool(kTiers, 64 * kMiB));
  const size_t mapped = mappings();
  const AddressSpace::Figures before = AddressSpace::figures();
  for (int pools = 0; pools < (kSanitized ? 50 : 1000); ++pools) use_all_tiers(*make_pool(kTiers, 64 * kMiB));
  CHECK_EQ(AddressSpace::figures().arenas, before.arenas);
  CHECK_EQ(AddressSpace::figures().used_bytes, before.used_bytes);
  if (!kSanitized) CHECK_EQ(mappings(), mapped);
}

TEST(slabs_of_one_arena_are_one_mapping) {
  if (kSanitized) return;
  const auto first = make_pool(kTiers, 64 * kMiB);
  use_all_tiers(*first);
  const size_t mapped = mappings();
  const uint64_t arenas = AddressSpace::figures().arenas;
  std::vector<std::unique_ptr<Pool>> pools;
  for (int i = 0; i < 20; ++i) {
    pools.push_back(make_pool({4096, 65'536}, 64 * kMiB));
    use_all_tiers(*pools.back());
  }
  const uint64_t more = AddressSpace::figures().arenas - arenas;
  // Each pool's tables of blocks and slabs have two mappings each, however many slabs there are.
  CHECK(mappings() <= mapped + 4 * pools.size() + 2 * more + 2);
}

TEST(range_that_an_array_buffer_is_over_is_nobody_elses_and_keeps_what_is_in_use) {
  Range* range;
  char* held;
  char* free;
  {
    const auto pool = make_pool({4096}, 64 * kMiB);
    Client client(*pool);
    Blocks blocks = client.refill(0);
    fill(*pool, 0, blocks, 'x');
    held = pool->address(blocks[0]);
    free = pool->address(blocks[1]);
    range = &pool->range_of(blocks[0]);
    range->retain();
    blocks.erase(blocks.begin());
    CHECK_EQ(client.flush(0, blocks), Status::ok);
  }
  CHECK(all_bytes_are(held, 4096, 'x'));
  CHECK(all_bytes_are(free, 4096, 0));
  std::vector<std::unique_ptr<Pool>> pools;
  for (int i = 0; i < 3; ++i) {
    pools.push_back(make_pool({4096}, 4 * kMiB));
    Client client(*pools.back());
    for (const uint32_t b : client.refill_all(0)) {
      char* const address = pools.back()->address(b);
      CHECK(address + 4096 <= range->address() || address >= range->address() + range->bytes());
    }
  }
  const uint64_t used = AddressSpace::figures().used_bytes;
  range->release();
  CHECK(AddressSpace::figures().used_bytes < used);
  CHECK_EQ(resident_pages(held, 4096), size_t{0});
}

TEST(addresses_of_blocks_in_quarantine_wait_before_others_get_them) {
  std::set<char*> earlier;
  {
    const auto pool = make_pool({4096}, 64 * kMiB, 40u * 24 * 3600 * 1000);
    Client client(*pool);
    for (const uint32_t b : client.refill(0)) earlier.insert(pool->address(b));
    client.detach();
  }
  const auto pool = make_pool({4096}, 64 * kMiB);
  Client client(*pool);
  for (const uint32_t b : client.refill_all(0)) CHECK(!earlier.contains(pool->address(b)));
}

TEST(largest_and_oddest_ranges_are_disjoint_and_come_back) {
  const uint64_t used = AddressSpace::figures().used_bytes;
  std::vector<Range*> ranges;
  for (const size_t bytes :
       {size_t{4096}, size_t{64} << 10, size_t{2} << 20, size_t{1} << 30, size_t{3} << 30, size_t{4096}}) {
    Range* const range = AddressSpace::allocate(bytes, bytes < 2 << 20 ? 4096 : 2 << 20);
    CHECK(range != nullptr);
    range->address()[0] = range->address()[bytes - 1] = 'r';
    for (const Range* other : ranges) {
      CHECK(range->address() + bytes <= other->address() || other->address() + other->bytes() <= range->address());
    }
    ranges.push_back(range);
  }
  for (Range* range : ranges) range->release();
  CHECK_EQ(AddressSpace::figures().used_bytes, used);
}

}  // namespace
}  // namespace slabpool::test
