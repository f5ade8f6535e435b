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

// As has_payload(), but pages may have been given back in between. Without a seed nobody has written yet.
inline bool has_payload_or_zeros(const char* block, size_t bytes, uint64_t seed, size_t page) {
  bool zeros = true;
  bool payload = true;
  for (size_t i = 0; i < bytes; ++i) {
    if (i != 0 && (reinterpret_cast<uintptr_t>(block) + i) % page == 0) zeros = payload = true;
    const uint64_t w = payload_word(seed, i / 8 * 8);
    const char written = i / 8 * 8 + 8 <= bytes ? static_cast<char>(w >> i % 8 * 8) : block[i];
    zeros = zeros && (block[i] == 0 || i / 8 * 8 + 8 > bytes);
    payload = payload && seed != 0 && block[i] == written;
    if (!zeros && !payload) return false;
  }
  return true;
}

}  // namespace slabpool::test
