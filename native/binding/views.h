// Views: the ArrayBuffers that an environment has made over the blocks of one pool.
//
// What        Each refers to the range that its block lies in, until it is collected or detached here: so long nobody
//             else gets the addresses (address_space.h). An ArrayBuffer that its holder detaches goes on to do so,
//             since the memory is under another ArrayBuffer then.
// Callers     The environment's thread.
// Ownership   A Views lives as long as its owner or one of the ArrayBuffers does; the table of them only as long as its
//             owner, since ArrayBuffers are finalized in later turns of the event loop.
// Reclaimed   What a holder has moved to another ArrayBuffer is finalized with that one. So the table need not know it:
//             if it is detached here after all, the reference ends a little later, with its finalizer.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "core/pool/pool.h"

namespace slabpool {

class Views {
 public:
  struct View;
  struct End {
    void operator()(Views* views) const;
  };
  using Owner = std::unique_ptr<Views, End>;

  // nullptr: no memory.
  static Owner create();

  // For an ArrayBuffer over the block that is about to be made, with finalize() and what is returned as its hint.
  // nullptr: no memory.
  View* add(Pool& pool, uint32_t block);

  // The view's ArrayBuffer was not made after all, or is no more.
  static void end(View* view);
  static void finalize(napi_env, void*, void* view);

  // The block is whole again under an ArrayBuffer that was not made here. Which of those that were has become it,
  // nobody can tell.
  void forget(uint32_t block);

  // The ArrayBuffer that was made last over the block was detached here.
  void detached(uint32_t block);

 private:
  Views() = default;
  ~Views() = default;
  void unref();

  // The place of the ArrayBuffer that was made last over the block; nullptr: there is none yet.
  View** find(uint32_t block);
  // The same, made where there is none; nullptr: no memory.
  View** place(uint32_t block);

  uint64_t references_ = 1;  // the owner's, and one for each ArrayBuffer
  std::unique_ptr<std::unique_ptr<View*[]>[]> chunks_;
};

}  // namespace slabpool
