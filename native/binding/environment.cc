#include "environment.h"

namespace slabpool {

Environment::~Environment() {
  for (Membership& pool : left_open) pool.leave(departure);
}

void do_nothing(napi_env, void*, void*) {}

napi_value HotCall::number(int32_t value) const {
  napi_value number = nullptr;
  napi_create_int32(env, value, &number);
  return number;
}

}  // namespace slabpool
