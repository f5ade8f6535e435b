// The sizes that a benchmark draws from: those that JavaScript's benchmarks have, from a file.
#pragma once

#include <cstdint>
#include <cstdio>
#include <vector>

#include "fail.h"

namespace bench {

inline std::vector<uint32_t> sizes_from(const char* path) {
  FILE* const file = std::fopen(path, "rb");
  if (file == nullptr) fail("cannot open the file of sizes");
  std::vector<uint32_t> sizes(1 << 17);
  if (std::fread(sizes.data(), 4, sizes.size(), file) != sizes.size()) fail("expected 131072 sizes");
  std::fclose(file);
  return sizes;
}

}  // namespace bench
