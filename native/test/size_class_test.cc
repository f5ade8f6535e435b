// The geometry of every tier there can be.
#include "core/block/size_class.h"

#include "test.h"

namespace slabpool::test {
namespace {

const char* wrong_with(const SizeClass& k, size_t capacity, uint64_t max_bytes, size_t page) {
  const size_t block = (capacity + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
  // A short batch may have twice as many bytes.
  const auto most_bytes = [&](uint64_t blocks) {
    return std::min<uint64_t>(blocks <= kShortBatch ? 2 * kBatchBytes : kBatchBytes, max_bytes / kBudgetBatches);
  };

  if (k.capacity != capacity) return "capacity changed";
  if (k.stride < capacity || k.stride % kBlockAlignment != 0) return "stride";
  if (!std::has_single_bit(k.batch) || k.batch > kMaxBatch) return "batch is no power of two in 1..32";
  if (k.batch > 1 && k.batch * block > most_bytes(k.batch)) return "batch is larger than its share of the budget";
  if (k.batch < kMaxBatch && 2 * k.batch * block <= most_bytes(2 * k.batch)) return "batch could be twice as large";

  if (k.slab_bytes == 0 || k.slab_bytes % page != 0) return "slab is not whole pages";
  if (k.slab_blocks == 0 || k.slab_blocks > kMaxSlabBlocks) return "number of blocks";
  if (k.slab_blocks * k.stride > k.slab_bytes) return "blocks do not fit in the slab";
  if (k.slab_blocks < k.batch && k.shares_pages()) return "slab is smaller than a batch";
  if (!std::has_single_bit(k.slab_alignment) || k.slab_alignment % page != 0) return "slab alignment";
  if (k.stride - block >= page) return "more than a page is wasted on each block";

  if (k.shares_pages()) {
    // Otherwise the budget would charge bytes that are in no block.
    if (k.slab_blocks * k.stride != k.slab_bytes) return "slab has bytes in no block";
    if (block * kBudgetBatches > max_bytes) return "a block may need a page that the budget has no room for";
  }
  for (const uint32_t at : {0u, 1u, k.slab_blocks / 2, k.slab_blocks - 1}) {
    if (at >= k.slab_blocks) continue;
    const size_t first = k.first_page_of(at), last = k.last_page_of(at);
    if (first * page > at * k.stride || (last + 1) * page < (at + 1) * k.stride) return "pages of a block";
    if (k.first_block_on(first) > at || k.last_block_on(last) < at) return "blocks of a page";
    if ((last + 1 - first) * page > k.least_bytes() + page) return "a block touches too many pages";
  }
  return nullptr;
}

void check_class(size_t capacity, uint64_t max_bytes, size_t page) {
  const char* wrong = wrong_with(SizeClass::of(capacity, max_bytes, page), capacity, max_bytes, page);
  if (wrong != nullptr)
    std::printf("  capacity %zu, max_bytes %llu, page %zu: %s\n", capacity, (unsigned long long)max_bytes, page, wrong);
  CHECK(wrong == nullptr);
}

TEST(every_capacity_has_a_sound_geometry) {
  constexpr size_t kMiB = 1 << 20;
  for (const size_t page : {4096, 16384, 65536}) {
    for (const uint64_t max_bytes : {uint64_t{1}, uint64_t{4096}, uint64_t{100'000}, uint64_t{3'000'001},
                                     uint64_t{256} << 20, uint64_t{1} << 40}) {
      for (size_t capacity = 1; capacity <= kMiB; ++capacity) check_class(capacity, max_bytes, page);
      for (size_t near = 2 * kMiB; near <= kMaxCapacity; near *= 2) {
        for (const size_t capacity : {near / 2 + 1, near / 4 * 3, near - page, near - 1, near}) {
          check_class(capacity, max_bytes, page);
        }
      }
    }
  }
}

}  // namespace
}  // namespace slabpool::test
