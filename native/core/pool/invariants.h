// The walker that every test of a pool ends with.
#pragma once

#include "core/pool/members.h"

namespace slabpool {

// Walks everything, at quiescence: each block is in exactly one place, its state says which, and the identities of the
// figures hold. nullptr, or the first thing that is wrong.
[[nodiscard]] const char* check_invariants(const BlockStore& store, const Members& members);

}  // namespace slabpool
