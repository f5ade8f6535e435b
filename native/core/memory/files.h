// The files that say how short memory is: reading them, and what is in them, without allocating anything.
//
// Callers     Whoever has begun a look (pressure.cc): one thread at a time, since the buffers are static.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace slabpool::memory {

inline constexpr size_t kMaxPath = 4096;

// All files are read below this folder from now on, an empty path being the root. False when it is too long.
[[nodiscard]] bool set_folder(const char* folder);
// Whether that is the root.
[[nodiscard]] bool folder_is_root();

// The text of a file, as far as it fits, whose path is put together from `parts`; valid until the next read.
[[nodiscard]] std::string_view read(std::initializer_list<std::string_view> parts);

// Parsing. What is no line as expected counts as not there.

// Takes what comes before `end`, and `end`, away from the beginning of `rest`.
std::string_view take_until(char end, std::string_view& rest);
[[nodiscard]] std::optional<uint64_t> number(std::string_view digits);
// The number in the line that begins with `key`, which includes what separates the two.
[[nodiscard]] std::optional<uint64_t> field(std::string_view lines, std::string_view key);
// Whether a list with commas has the word.
[[nodiscard]] bool has_word(std::string_view list, std::string_view word);

}  // namespace slabpool::memory
