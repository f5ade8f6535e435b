#pragma once

#include <cstdio>
#include <cstdlib>

namespace bench {

[[noreturn]] inline void fail(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  std::exit(1);
}

}  // namespace bench
