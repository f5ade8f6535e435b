#include "core/memory/cgroup.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

#include "core/memory/files.h"

namespace slabpool::memory {

namespace {

using std::string_view;

// Per cent of the last ten seconds. systemd tells services from 10 % on (200 ms in 2 s) to give memory back.
constexpr uint64_t kStalled = 10;

// Static, since a look allocates nothing.
char directory[kMaxPath];

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

// Puts the process's own directory into `directory`; how much of that is the mount point. Inside a container the path
// that the process is told may begin at the cgroup that is mounted, or be "/" (cgroup namespaces).
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

// The smallest limit on the way up, of several the highest one: it counts what its other members use. A version 1
// cgroup also knows of limits that are out of sight here.
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

}  // namespace

PressureLevel level_by_stalls(string_view psi) {
  if (stalled(psi, "full avg10=")) return PressureLevel::critical;
  return stalled(psi, "some avg10=") ? PressureLevel::high : PressureLevel::none;
}

std::optional<Figures> look_at_cgroups(PressureLevel& stalls) {
  const auto figures = look_at(kV2, stalls);
  return figures ? figures : look_at(kV1, stalls);
}

}  // namespace slabpool::memory
