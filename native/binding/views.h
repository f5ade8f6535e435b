// Views: the ArrayBuffers that an environment has made over the blocks of one pool.
//
// Each refers to the range that its block lies in, until it is collected or detached here: so long nobody else gets the addresses
// (core/address_space.h). One that its holder detaches goes on to do so, since the memory is under another ArrayBuffer then.
//
// Callers     The environment's thread. A Views lives as long as its owner or one of the ArrayBuffers does; the table of them only as long
//             as its owner, since ArrayBuffers are finalized in later turns of the event loop.
// Reclaimed   What a holder has moved to another ArrayBuffer is finalized with that one. So the table need not know it: if it is
//             detached here after all, the reference ends a little later, with its finalizer.
#pragma once

#include <napi.h>

#include <memory>
#include <new>

#include "core/pool/pool.h"

namespace slabpool {

class Views {
 public:
  class View {
    friend class Views;
    Views* views;
    Range* range;  // nullptr: detached here
    uint32_t block;
  };

  struct End {
    void operator()(Views* views) const {
      views->chunks_.reset();
      views->unref();
    }
  };
  using Owner = std::unique_ptr<Views, End>;

  // nullptr: no memory.
  static Owner create() { return Owner(new (std::nothrow) Views); }

  // For an ArrayBuffer over the block that is about to be made, with finalize() and what is returned as its hint. nullptr: no
  // memory.
  View* add(Pool& pool, uint32_t block) {
    View** const last = place(block);
    if (last == nullptr) return nullptr;
    auto* view = new (std::nothrow) View;
    if (view == nullptr) return nullptr;
    view->views = this;
    view->range = &pool.range_of(block);
    view->block = block;
    view->range->retain();
    *last = view;
    ++references_;
    return view;
  }

  // Its ArrayBuffer was not made after all, or is no more.
  static void end(View* view) {
    Views* const views = view->views;
    if (view->range != nullptr) view->range->release();
    if (View** const last = views->find(view->block); last != nullptr && *last == view) *last = nullptr;
    delete view;
    views->unref();
  }
  static void finalize(napi_env, void*, void* view) { end(static_cast<View*>(view)); }

  // The block is whole again under an ArrayBuffer that was not made here. Which of those that were has become it, nobody can tell.
  void forget(uint32_t block) {
    if (View** const last = find(block); last != nullptr) *last = nullptr;
  }

  // The ArrayBuffer that was made last over the block was detached here.
  void detached(uint32_t block) {
    View** const last = find(block);
    if (last == nullptr || *last == nullptr || (*last)->range == nullptr) return;
    (*last)->range->release();
    (*last)->range = nullptr;
  }

 private:
  static constexpr uint32_t kChunk = 4096;

  Views() = default;
  ~Views() = default;
  void unref() {
    if (--references_ == 0) delete this;
  }

  // The place of the ArrayBuffer that was made last over the block; nullptr: there is none yet.
  View** find(uint32_t block) {
    if (block >= kMaxBlocks || !chunks_ || !chunks_[block / kChunk]) return nullptr;
    return &chunks_[block / kChunk][block % kChunk];
  }

  // The same, made where there is none; nullptr: no memory.
  View** place(uint32_t block) {
    if (!chunks_) chunks_.reset(new (std::nothrow) std::unique_ptr<View*[]>[kMaxBlocks / kChunk]);
    if (!chunks_) return nullptr;
    std::unique_ptr<View*[]>& chunk = chunks_[block / kChunk];
    if (!chunk) chunk.reset(new (std::nothrow) View* [kChunk] {});
    return find(block);
  }

  uint64_t references_ = 1;  // the owner's, and one for each ArrayBuffer
  std::unique_ptr<std::unique_ptr<View*[]>[]> chunks_;
};

}  // namespace slabpool
