#include "core/memory/pressure.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <thread>

#include "core/os/os.h"
#include "core/sync/sync.h"

namespace slabpool::memory {

namespace {

using std::string_view;

// Of the limit.
constexpr double kHigh = 0.7;
constexpr double kCritical = 0.9;
// Per cent of the last ten seconds. systemd tells services from 10 % on (200 ms in 2 s) to give memory back.
constexpr uint64_t kStalled = 10;
// Cgroup v1 says "no limit" with the largest number of whole pages, near 2^63.
constexpr uint64_t kNoLimit = uint64_t{1} << 62;

// The state of a look, of whoever has set `looking`. Static, since a look allocates nothing.
StdSync::atomic<bool> looking{false};
constexpr size_t kMaxPath = 4096;
char root[1024] = "";
char path[sizeof root + kMaxPath + 64];
char directory[kMaxPath];
char text[64 * 1024];

// A lock that readers need not take (a seqlock): odd while the verdict is written. Each store releases and each load acquires:
// a reader of any part of a later verdict then sees the odd number, or a later one, when it looks at it again.
struct Published {
  StdSync::atomic<uint64_t> sequence{0}, used{0}, limit{0}, at{0};
  StdSync::atomic<MemorySource> source{MemorySource::none};
  StdSync::atomic<PressureLevel> level{PressureLevel::none};
} published;

// Parsing. What is no line as expected counts as not there.

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

// Of the line that begins with `key`, which includes what separates the two.
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

// The text of a file, as far as it fits, whose path is put together from `parts`; valid until the next read.
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

struct Figures {
  MemorySource source;
  uint64_t used, limit;
};

// One kind of cgroup, by the names of what is read.
struct Hierarchy {
  MemorySource source;
  string_view file_system, controller, used, limit, inactive_file;
  // Where it is mounted if nobody says so.
  string_view usual;
};

constexpr Hierarchy kV2{MemorySource::cgroup_v2, "cgroup2",       "", "/memory.current", "/memory.max",
                        "inactive_file ",        "/sys/fs/cgroup"};
constexpr Hierarchy kV1{MemorySource::cgroup_v1,
                        "cgroup",
                        "memory",
                        "/memory.usage_in_bytes",
                        "/memory.limit_in_bytes",
                        "total_inactive_file ",
                        "/sys/fs/cgroup/memory"};

// proc(5) writes blanks and the like as a backslash and three octal digits.
size_t unescape(string_view escaped, char* into, size_t room) {
  size_t length = 0;
  while (!escaped.empty() && length < room) {
    uint32_t code = 0;
    if (escaped.size() >= 4 && escaped[0] == '\\' &&
        std::from_chars(escaped.data() + 1, escaped.data() + 4, code, 8).ptr == escaped.data() + 4) {
      into[length++] = static_cast<char>(code);
      escaped.remove_prefix(4);
    } else {
      into[length++] = escaped.front();
      escaped.remove_prefix(1);
    }
  }
  return length;
}

// Puts the process's own directory into `directory`; how much of that is the mount point. Inside a container the path that the
// process is told may begin at the cgroup that is mounted, or be "/" (cgroup namespaces).
string_view find_directory(const Hierarchy& h, size_t& mount_point) {
  char own[kMaxPath];
  size_t own_length = 0;
  for (string_view lines = read({"/proc/self/cgroup"}); !lines.empty();) {
    string_view line = take_until('\n', lines);
    const string_view id = take_until(':', line);
    const string_view controllers = take_until(':', line);
    const bool ours = h.controller.empty() ? id == "0" && controllers.empty() : has_word(controllers, h.controller);
    // Above the namespace's own root nothing is to be seen.
    if (!ours || line.size() > sizeof own || line.starts_with("/..")) continue;
    std::memcpy(own, line.data(), line.size());
    own_length = line.size();
  }

  string_view below(own, own_length);
  mount_point = h.usual.copy(directory, sizeof directory);
  for (string_view lines = read({"/proc/self/mountinfo"}); !lines.empty();) {
    string_view line = take_until('\n', lines);
    for (int skipped = 0; skipped < 3; ++skipped) take_until(' ', line);
    const string_view mounted = take_until(' ', line);
    const string_view point = take_until(' ', line);
    while (!line.empty() && take_until(' ', line) != "-") {
    }
    if (take_until(' ', line) != h.file_system) continue;
    take_until(' ', line);
    if (!h.controller.empty() && !has_word(line, h.controller)) continue;
    mount_point = unescape(point, directory, sizeof directory);
    if (mounted != "/" && below.starts_with(mounted)) below.remove_prefix(mounted.size());
    break;
  }
  if (mount_point == 1) mount_point = 0;  // "/" itself
  if (below.size() > sizeof directory - mount_point || !below.starts_with('/')) below = {};
  while (below.ends_with('/')) below.remove_suffix(1);
  below.copy(directory + mount_point, below.size());
  return {directory, mount_point + below.size()};
}

bool stalled(string_view psi, string_view kind) { return field(psi, kind).value_or(0) >= kStalled; }

PressureLevel level_by_stalls(string_view psi) {
  if (stalled(psi, "full avg10=")) return PressureLevel::critical;
  return stalled(psi, "some avg10=") ? PressureLevel::high : PressureLevel::none;
}

// The smallest limit on the way up, of several the highest one: it counts what its other members use. A version 1 cgroup also
// knows of limits that are out of sight here.
std::optional<Figures> look_at(const Hierarchy& h, PressureLevel& stalls) {
  size_t mount_point;
  std::optional<Figures> smallest;
  for (string_view group = find_directory(h, mount_point);; group = group.substr(0, group.rfind('/'))) {
    uint64_t limit = number(read({group, h.limit})).value_or(kNoLimit);
    const string_view stat = read({group, "/memory.stat"});
    const uint64_t inactive = field(stat, h.inactive_file).value_or(0);
    if (h.source == MemorySource::cgroup_v1) {
      limit = std::min(limit, field(stat, "hierarchical_memory_limit ").value_or(kNoLimit));
    }
    if (limit > 0 && limit < kNoLimit && (!smallest || limit <= smallest->limit)) {
      if (const auto used = number(read({group, h.used}))) {
        smallest = Figures{h.source, *used - std::min(*used, inactive), limit};
        // A cgroup of version 1 has none.
        const string_view psi = read({group, "/memory.pressure"});
        stalls = level_by_stalls(psi.empty() ? read({"/proc/pressure/memory"}) : psi);
      }
    }
    if (group.size() <= mount_point) return smallest;
  }
}

std::optional<Figures> look_at_system() {
  constexpr uint64_t kKiB = 1024;
  const string_view meminfo = read({"/proc/meminfo"});
  const auto total = field(meminfo, "MemTotal:");
  const auto available = field(meminfo, "MemAvailable:");
  if (total && available && *total > 0 && *total < kNoLimit / kKiB) {
    return Figures{MemorySource::system, (*total - std::min(*total, *available)) * kKiB, *total * kKiB};
  }
  uint64_t used, limit;
  if (root[0] != '\0' || !os::physical_memory(used, limit) || limit == 0) return std::nullopt;
  return Figures{MemorySource::system, used, limit};
}

PressureLevel level_by_share(const Figures& figures) {
  const double share = static_cast<double>(figures.used) / static_cast<double>(figures.limit);
  return share >= kCritical ? PressureLevel::critical : share >= kHigh ? PressureLevel::high : PressureLevel::none;
}

Pressure verdict() {
  PressureLevel stalls = PressureLevel::none;
  auto figures = look_at(kV2, stalls);
  if (!figures) figures = look_at(kV1, stalls);
  const auto system = look_at_system();
  if (system && (!figures || figures->limit > system->limit)) {
    figures = system;
    stalls = level_by_stalls(read({"/proc/pressure/memory"}));
  }
  if (!figures) return {};
  return {figures->source, std::max(level_by_share(*figures), stalls), figures->used, figures->limit};
}

void publish(const Pressure& p) {
  // Relaxed: only who has `looking` set writes it.
  const uint64_t sequence = published.sequence.load(std::memory_order_relaxed);
  published.sequence.store(sequence + 1, std::memory_order_relaxed);
  published.used.store(p.used_bytes, std::memory_order_release);
  published.limit.store(p.limit_bytes, std::memory_order_release);
  published.source.store(p.source, std::memory_order_release);
  published.level.store(p.level, std::memory_order_release);
  published.at.store(os::now_ms(), std::memory_order_release);
  published.sequence.store(sequence + 2, std::memory_order_release);
}

Pressure last(uint32_t& at) {
  for (;;) {
    const uint64_t before = published.sequence.load(std::memory_order_acquire);
    const Pressure p{published.source.load(std::memory_order_acquire), published.level.load(std::memory_order_acquire),
                     published.used.load(std::memory_order_acquire), published.limit.load(std::memory_order_acquire)};
    at = static_cast<uint32_t>(published.at.load(std::memory_order_acquire));
    // Relaxed: the loads above acquired it.
    if (before % 2 == 0 && published.sequence.load(std::memory_order_relaxed) == before) return p;
  }
}

}  // namespace

Pressure look() {
  // Acquire and release: the buffers pass from one thread to the next.
  if (looking.exchange(true, std::memory_order_acquire)) return last();
  const Pressure seen = verdict();
  publish(seen);
  looking.store(false, std::memory_order_release);
  return seen;
}

Pressure last() {
  uint32_t at;
  return last(at);
}

Pressure recent() {
  uint32_t at;
  const Pressure p = last(at);
  return p.source != MemorySource::none && os::now_ms() - at < 2 * kLookEveryMs ? p : look();
}

uint64_t looks() { return published.sequence.load(std::memory_order_relaxed) / 2; }

bool set_root(const char* folder) {
  const size_t length = std::strlen(folder);
  if (length >= sizeof root) return false;
  while (looking.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
  std::memcpy(root, folder, length + 1);
  publish({});
  looking.store(false, std::memory_order_release);
  return true;
}

}  // namespace slabpool::memory
