// Environment: what the addon keeps for one main thread or worker.
//
// Batches and messages cross in `exchange` and `meta`, one of each per environment, so that a call carries one integer
// each way.
#pragma once

#include <napi.h>

#include <vector>

#include "membership.h"

namespace slabpool {

struct Environment {
  uint32_t exchange[kMaxBatch] = {};
  double meta[2] = {};
  // Pools that were garbage-collected without close(): views of their blocks may still be about, so that only what the
  // core holds went back to the OS. The rest goes with the environment.
  std::vector<Membership> abandoned;
};

// Given as finalizers where there is nothing to do, since not every runtime takes none.
inline void do_nothing(napi_env, void*, void*) {}

}  // namespace slabpool
