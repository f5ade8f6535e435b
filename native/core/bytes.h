// Where a byte stands, for readers that go from one to the next: a call for many, instead of one for each.
#pragma once

#include <cstdint>
#include <cstring>

namespace slabpool {

// The offsets of the first `most` occurrences of `byte` between `from` and `end`, in ascending order. How many there
// are in `into` is returned.
inline uint32_t find_all(const uint8_t* bytes, uint32_t from, uint32_t end, uint8_t byte, uint32_t* into,
                         uint32_t most) {
  uint32_t found = 0;
  while (found < most && from < end) {
    const void* at = std::memchr(bytes + from, byte, end - from);
    if (at == nullptr) break;
    const uint32_t offset = static_cast<uint32_t>(static_cast<const uint8_t*>(at) - bytes);
    into[found++] = offset;
    from = offset + 1;
  }
  return found;
}

}  // namespace slabpool
