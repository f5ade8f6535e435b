// BatchBuilder: chains blocks into batches. Part of Pool's implementation.
#pragma once

#include "core/pool/pool.h"

namespace slabpool {

// Chains blocks that the caller owns into batches and pushes each full one: at that moment its blocks are given away.
class Pool::BatchBuilder {
 public:
  BatchBuilder(Pool& pool, TaggedStack<>& to, uint32_t batch) : pool_(pool), to_(to), batch_(batch) {}
  BatchBuilder(const BatchBuilder&) = delete;
  BatchBuilder& operator=(const BatchBuilder&) = delete;
  ~BatchBuilder() {
    if (count_ != 0) push();
  }

  void add(uint32_t block) {
    pool_.blocks_[block].next = head_;
    head_ = block;
    if (++count_ == batch_) push();
  }

 private:
  void push() {
    to_.push(pool_, head_);
    head_ = kNoIndex;
    count_ = 0;
  }

  Pool& pool_;
  TaggedStack<>& to_;
  const uint32_t batch_;
  uint32_t head_ = kNoIndex;
  uint32_t count_ = 0;
};

}  // namespace slabpool
