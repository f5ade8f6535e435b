// Heap: what there is of the slabs that were carved for one slot: per class a depot, a shelf and the blocks in
// quarantine.
//
// Callers     Any thread takes from a heap and puts there.
// Ownership   A heap has only blocks whose home it is. It outlives the members of its slot: the next one takes the warm
//             depot over.
#pragma once

#include <cstdint>
#include <memory>
#include <new>

#include "core/pool/shelf.h"
#include "core/sync/tagged_stack.h"

namespace slabpool {

struct Heap {
  struct ClassHeap {
    TaggedStack<> depot;       // free batches, in use lately
    Shelf shelf;               // blocks that were unused for an epoch, or have no pages
    TaggedStack<> quarantine;  // batches of members that are gone
  };

  static Heap* create(uint16_t index, uint32_t class_count) {
    std::unique_ptr<Heap> heap(new (std::nothrow) Heap);
    if (!heap) return nullptr;
    heap->index = index;
    heap->classes.reset(new (std::nothrow) ClassHeap[class_count]);
    return heap->classes ? heap.release() : nullptr;
  }

  uint16_t index = 0;
  std::unique_ptr<ClassHeap[]> classes;
};

}  // namespace slabpool
