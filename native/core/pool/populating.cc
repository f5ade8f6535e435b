// The part of BlockStore that gets blocks their memory before anybody touches them.
#include <algorithm>

#include "core/memory/pressure.h"
#include "core/os/os.h"
#include "core/pool/block_store.h"

namespace slabpool {

namespace {

// While the system populates a range, threads that map or unmap something wait: for a quarter of a millisecond then.
constexpr size_t kMostAtOnce = 1 << 20;

// Ranges of bytes, which are populated by the page; what touches is one range.
class Populating {
 public:
  explicit Populating(size_t page) : page_(page) {}
  Populating(const Populating&) = delete;
  Populating& operator=(const Populating&) = delete;
  ~Populating() { populate(); }

  void add(const char* begin, const char* end) {
    const uintptr_t from = reinterpret_cast<uintptr_t>(begin) & ~(page_ - 1);
    const uintptr_t to = (reinterpret_cast<uintptr_t>(end) + page_ - 1) & ~(page_ - 1);
    if (from > to_ || to < from_) {
      populate();
      from_ = from;
      to_ = to;
    }
    from_ = std::min(from_, from);
    to_ = std::max(to_, to);
  }

 private:
  void populate() {
    for (; from_ < to_; from_ += std::min(kMostAtOnce, to_ - from_)) {
      const size_t bytes = std::min(kMostAtOnce, to_ - from_);
      if (!memory::spare(bytes) || !os::populate(reinterpret_cast<void*>(from_), bytes)) break;
    }
    from_ = to_ = 0;
  }

  const uintptr_t page_;
  uintptr_t from_ = 0;
  uintptr_t to_ = 0;
};

}  // namespace

void BlockStore::populate(uint32_t c, const uint32_t* blocks, uint32_t count, Amount amount) {
  if (count == 0 || !os::can_populate()) return;
  const SizeClass& k = classes_[c];
  const bool all = amount == Amount::all;
  const Reach::Parts parts = all ? Reach::all_of(k) : reach_[c].parts(k, address(blocks[0]));
  if (!all) count = reach_[c].blocks(count);
  Populating populating(k.page);
  for (uint32_t i = 0; i < count; ++i) {
    const char* const at = address(blocks[i]);
    for (const auto& [from, to] : parts) {
      if (from != to) populating.add(at + from, at + to);
    }
  }
}

}  // namespace slabpool
