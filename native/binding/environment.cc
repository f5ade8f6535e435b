#include "environment.h"

namespace slabpool {

Environment::~Environment() {
  for (Membership& pool : left_open) pool.leave(departure);
}

void do_nothing(napi_env, void*, void*) {}

}  // namespace slabpool
