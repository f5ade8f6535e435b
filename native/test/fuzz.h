#pragma once

#include <cstddef>
#include <cstdint>

// Runs the operations that `data` spells on a fresh pool, next to a model of who holds what, and aborts where they
// disagree. Any bytes are valid; the entry point is what a fuzzer such as AFL++ calls.
int fuzz_one(const uint8_t* data, size_t size);
