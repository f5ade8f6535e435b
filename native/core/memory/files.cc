#include "core/memory/files.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "core/os/os.h"

namespace slabpool::memory {

namespace {

using std::string_view;

// Static, since a look allocates nothing.
char root[1024] = "";
char path[sizeof root + kMaxPath + 64];
char text[64 * 1024];

}  // namespace

bool set_folder(const char* folder) {
  const size_t length = std::strlen(folder);
  if (length >= sizeof root) return false;
  std::memcpy(root, folder, length + 1);
  return true;
}

bool folder_is_root() { return root[0] == '\0'; }

string_view read(std::initializer_list<string_view> parts) {
  size_t length = 0;
  const auto append = [&](string_view part) {
    if (part.size() >= sizeof path - length) return false;
    std::memcpy(path + length, part.data(), part.size());
    length += part.size();
    return true;
  };
  if (!append(root) || !std::all_of(parts.begin(), parts.end(), append)) return {};
  path[length] = '\0';
  const string_view all(text, os::read_file(path, text, sizeof text));
  // A line that was cut off would be read as another number.
  return all.size() < sizeof text ? all : all.substr(0, all.rfind('\n') + 1);
}

string_view take_until(char end, string_view& rest) {
  const size_t at = std::min(rest.find(end), rest.size());
  const string_view taken = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return taken;
}

std::optional<uint64_t> number(string_view digits) {
  while (!digits.empty() && digits.front() == ' ') digits.remove_prefix(1);
  uint64_t value;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{}) return std::nullopt;
  const string_view rest = digits.substr(static_cast<size_t>(end - digits.data()));
  return rest.empty() || rest.front() == ' ' || rest.front() == '\n' || rest.front() == '.' ? std::optional(value)
                                                                                            : std::nullopt;
}

std::optional<uint64_t> field(string_view lines, string_view key) {
  while (!lines.empty()) {
    const string_view line = take_until('\n', lines);
    if (line.starts_with(key)) return number(line.substr(key.size()));
  }
  return std::nullopt;
}

bool has_word(string_view list, string_view word) {
  while (!list.empty()) {
    if (take_until(',', list) == word) return true;
  }
  return false;
}

}  // namespace slabpool::memory
