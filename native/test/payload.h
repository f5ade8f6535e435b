// Bytes that say who wrote them: every word of a block depends on one seed.
#pragma once

#include <algorithm>
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

// Whether the words from `from` to `to`, both multiples of 8, are as written.
inline bool has_payload(const char* block, size_t from, size_t to, uint64_t seed) {
  for (size_t i = from; i + 8 <= to; i += 8) {
    const uint64_t w = payload_word(seed, i);
    if (std::memcmp(block + i, &w, 8) != 0) return false;
  }
  return true;
}

inline bool has_payload(const char* block, size_t bytes, uint64_t seed) { return has_payload(block, 0, bytes, seed); }

inline bool has_zeros(const char* block, size_t from, size_t to) {
  for (size_t i = from; i + 8 <= to; i += 8) {
    uint64_t w;
    std::memcpy(&w, block + i, 8);
    if (w != 0) return false;
  }
  return true;
}

// As has_payload(), but pages may have been given back in between. Without a seed nobody has written yet. The block
// starts at a multiple of 8.
inline bool has_payload_or_zeros(const char* block, size_t bytes, uint64_t seed, size_t page) {
  size_t to;
  for (size_t from = 0; from < bytes; from = to) {
    to = std::min(bytes, from + page - (reinterpret_cast<uintptr_t>(block) + from) % page);
    if (!(seed != 0 && has_payload(block, from, to, seed)) && !has_zeros(block, from, to)) return false;
  }
  return true;
}

}  // namespace slabpool::test
