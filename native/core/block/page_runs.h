// PageRuns: pieces of one slab whose pages are to go back to the OS, by one system call for each run of pages, however
// many blocks.
#pragma once

#include <algorithm>

#include "core/block/slab.h"
#include "core/os/os.h"

namespace slabpool {

inline constexpr size_t kRunBytes = 8 << 20;  // given back by one system call, at most: some milliseconds

// Runs are offsets in bytes.
class PageRuns {
 public:
  void add(size_t from, size_t to) {
    if (count_ != 0 && runs_[count_ - 1].to == from) {
      runs_[count_ - 1].to = to;
    } else {
      runs_[count_++] = {from, to};
    }
  }
  [[nodiscard]] uint64_t pages(size_t page) const {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count_; ++i) bytes += runs_[i].to - runs_[i].from;
    return bytes / page;
  }
  // False: the OS keeps pages, or the thread is to stop.
  [[nodiscard]] bool decommit(char* base, uint32_t& calls, const StdSync::atomic<bool>* stop) const {
    for (uint32_t i = 0; i < count_; ++i) {
      for (size_t from = runs_[i].from; from < runs_[i].to; from += kRunBytes) {
        // Relaxed: nothing is read because of it.
        if (stop != nullptr && stop->load(std::memory_order_relaxed)) return false;
        ++calls;
        if (!os::decommit(base + from, std::min(kRunBytes, runs_[i].to - from))) return false;
      }
    }
    return true;
  }

 private:
  struct Run {
    size_t from, to;
  };
  Run runs_[kMaxSlabBlocks];
  uint32_t count_ = 0;
};

// The pages that would have no memory any more if `more` turned cold as well as `cold`.
inline void find_runs(const SizeClass& k, const BlockSet& cold, const BlockSet& more, PageRuns& runs) {
  if (!k.shares_pages()) {
    for (uint32_t b = more.next(0); b < k.slab_blocks; b = more.next(b + 1)) runs.add(b * k.stride, (b + 1) * k.stride);
    return;
  }
  BlockSet then = cold;
  then.add(more);
  for (size_t page = 0; page <= k.last_page_of(k.slab_blocks - 1); ++page) {
    if (Slab::page_is_cold(k, then, page) && !Slab::page_is_cold(k, cold, page)) {
      runs.add(page * k.page, (page + 1) * k.page);
    }
  }
}

}  // namespace slabpool
