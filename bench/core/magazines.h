// Magazines: what lib/lease/magazine.ts is to a thread of JavaScript, for one of C++.
//
// What        A stack of free blocks for each tier, two batches long: a full one flushes its cold half. In a thread that
//             only releases, one batch, and a full one flushes all.
// Callers     One thread.
#pragma once

#include <algorithm>
#include <memory>

#include "contender.h"
#include "core/pool/pool.h"
#include "fail.h"

namespace bench {

struct FreeBlock {
  char* bytes;
  uint32_t block;
};

class Magazines {
 public:
  explicit Magazines(slabpool::Pool& pool) : pool_(pool), member_(*pool.attach()), magazines_(new Magazine[kTiers]) {
    for (uint32_t c = 0; c < kTiers; ++c) {
      magazines_[c].batch = pool.size_class(c).batch;
      magazines_[c].size = 2 * magazines_[c].batch;
    }
  }
  ~Magazines() {
    for (uint32_t c = 0; c < kTiers; ++c) {
      for (Magazine& m = magazines_[c]; m.count != 0;) flush(c, m, std::min(m.count, kMaxBatch));
    }
    pool_.detach(member_, slabpool::Departure::clean_exit);
  }
  Magazines(const Magazines&) = delete;
  Magazines& operator=(const Magazines&) = delete;

  [[nodiscard]] slabpool::Member& member() { return member_; }

  FreeBlock pop(uint32_t c) {
    Magazine& m = magazines_[c];
    if (m.count == 0) refill(c, m);
    ++m.acquires;
    return m.blocks[--m.count];
  }

  void push(uint32_t c, FreeBlock block) {
    Magazine& m = magazines_[c];
    if (m.count == m.size) make_room(c, m);
    m.blocks[m.count++] = block;
  }

 private:
  struct Magazine {
    uint32_t count = 0;
    uint32_t size;
    uint32_t batch;
    uint64_t acquires = 0;
    uint64_t acquires_when_full = 0;
    FreeBlock blocks[2 * kMaxBatch];  // the last one was released last and is the warmest
  };

  [[gnu::noinline]] void refill(uint32_t c, Magazine& m) {
    m.size = 2 * m.batch;
    uint32_t blocks[kMaxBatch];
    m.count = pool_.refill(member_, c, blocks).count;
    if (m.count == 0) fail("the pool is exhausted");
    // The core names the warmest first.
    for (uint32_t i = 0; i < m.count; ++i) m.blocks[m.count - 1 - i] = {pool_.address(blocks[i]), blocks[i]};
  }

  [[gnu::noinline]] void make_room(uint32_t c, Magazine& m) {
    const bool only_releases = m.acquires == m.acquires_when_full;
    m.acquires_when_full = m.acquires;
    if (only_releases) m.size = m.batch;
    do flush(c, m, m.batch);
    while (only_releases && m.count != 0);
  }

  void flush(uint32_t c, Magazine& m, uint32_t count) {
    uint32_t blocks[kMaxBatch];
    for (uint32_t i = 0; i < count; ++i) blocks[i] = m.blocks[i].block;
    if (pool_.flush(member_, c, blocks, count) != slabpool::Status::ok) fail("the core knows nothing of these blocks");
    m.count -= count;
    std::copy_n(m.blocks + count, m.count, m.blocks);
  }

  slabpool::Pool& pool_;
  slabpool::Member& member_;
  std::unique_ptr<Magazine[]> magazines_;
};

}  // namespace bench
