// Bytes that say who wrote them: every word of a block depends on one seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace slabpool::test {

inline uint64_t payload_word(uint64_t seed, size_t i) { return seed ^ (i * 0x9e3779b97f4a7c15); }

inline void write_payload(char* block, size_t bytes, uint64_t seed) {
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    const uint64_t w = payload_word(seed, i);
    std::memcpy(block + i, &w, 8);
  }
}

inline bool has_payload(const char* block, size_t bytes, uint64_t seed) {
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    const uint64_t w = payload_word(seed, i);
    if (std::memcmp(block + i, &w, 8) != 0) return false;
  }
  return true;
}

}  // namespace slabpool::test
