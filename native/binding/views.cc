#include "views.h"

#include <new>

namespace slabpool {

namespace {

constexpr uint32_t kChunk = 4096;  // views in a piece of the table

}  // namespace

struct Views::View {
  Views* views;
  Range* range;  // nullptr: detached here
  uint32_t block;
};

void Views::End::operator()(Views* views) const {
  views->chunks_.reset();
  views->unref();
}

Views::Owner Views::create() { return Owner(new (std::nothrow) Views); }

Views::View* Views::add(Pool& pool, uint32_t block) {
  View** const last = place(block);
  if (last == nullptr) return nullptr;
  auto* const view = new (std::nothrow) View{this, &pool.range_of(block), block};
  if (view == nullptr) return nullptr;
  view->range->retain();
  *last = view;
  ++references_;
  return view;
}

void Views::end(View* view) {
  Views* const views = view->views;
  if (view->range != nullptr) view->range->release();
  if (View** const last = views->find(view->block); last != nullptr && *last == view) *last = nullptr;
  delete view;
  views->unref();
}

void Views::finalize(napi_env, void*, void* view) { end(static_cast<View*>(view)); }

void Views::forget(uint32_t block) {
  if (View** const last = find(block); last != nullptr) *last = nullptr;
}

void Views::detached(uint32_t block) {
  View** const last = find(block);
  if (last == nullptr || *last == nullptr || (*last)->range == nullptr) return;
  (*last)->range->release();
  (*last)->range = nullptr;
}

void Views::unref() {
  if (--references_ == 0) delete this;
}

Views::View** Views::find(uint32_t block) {
  if (block >= kMaxBlocks || !chunks_ || !chunks_[block / kChunk]) return nullptr;
  return &chunks_[block / kChunk][block % kChunk];
}

Views::View** Views::place(uint32_t block) {
  if (!chunks_) chunks_.reset(new (std::nothrow) std::unique_ptr<View*[]>[kMaxBlocks / kChunk]);
  if (!chunks_) return nullptr;
  std::unique_ptr<View*[]>& chunk = chunks_[block / kChunk];
  if (!chunk) chunk.reset(new (std::nothrow) View* [kChunk] {});
  return find(block);
}

}  // namespace slabpool
