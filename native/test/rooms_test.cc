// The rooms of core/ and binding/: each file is in one, includes name theirs, and arrows point one way.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include "test.h"

namespace slabpool::test {
namespace {

namespace fs = std::filesystem;

using Names = std::set<std::string>;
using Includes = std::map<std::string, Names>;  // of each file, by paths from native/

struct Room {
  std::string name;
  Names may_include;  // beside itself: rooms further up in the table
};

// The table. A file of core/ that is in no folder is a room of its own.
const std::vector<Room>& rooms() {
  static const std::vector<Room> table{
      {"core/bytes", {}},
      {"core/sync", {}},
      {"core/os", {"core/sync"}},
      {"core/memory", {"core/sync", "core/os"}},
      {"core/block", {"core/sync", "core/os"}},
      {"core/janitor", {"core/sync", "core/os", "core/memory"}},
      {"core/pool", {"core/sync", "core/os", "core/memory", "core/block", "core/janitor"}},
      {"core/channel", {"core/sync", "core/pool"}},
      {"core/registry", {"core/sync"}},
      {"binding", {"core/bytes", "core/os", "core/memory", "core/pool", "core/channel", "core/registry"}},
  };
  return table;
}

std::string room_of(const std::string& file) {
  const fs::path path(file);
  const bool alone = path.parent_path() == "core";
  return (alone ? path.parent_path() / path.stem() : path.parent_path()).generic_string();
}

const Room* find_room(const std::string& name) {
  const auto found = std::find_if(rooms().begin(), rooms().end(), [&](const Room& room) { return room.name == name; });
  return found == rooms().end() ? nullptr : &*found;
}

void complain(bool ok, const std::string& what) {
  if (!ok) std::printf("  %s\n", what.c_str());
  CHECK(ok);
}

// Of all files below core/ and binding/. Quoted includes are paths from native/, or those of a file beside.
Includes read_includes() {
  const fs::path native = SLABPOOL_NATIVE;
  Includes includes;
  for (const char* folder : {"core", "binding"}) {
    for (const auto& entry : fs::recursive_directory_iterator(native / folder)) {
      if (!entry.is_regular_file()) continue;
      const fs::path file = entry.path().lexically_relative(native);
      Names& of_file = includes[file.generic_string()];
      std::ifstream text(entry.path());
      for (std::string line; std::getline(text, line);) {
        constexpr std::string_view kInclude = "#include \"";
        if (!line.starts_with(kInclude)) continue;
        const std::string name = line.substr(kInclude.size(), line.rfind('"') - kInclude.size());
        const bool beside = name.find('/') == std::string::npos;
        of_file.insert(beside ? (file.parent_path() / name).generic_string() : name);
      }
    }
  }
  return includes;
}

// False: the file includes itself, by way of others.
bool ends(const Includes& includes, const std::string& file, Names& under_way, Names& done) {
  if (done.count(file) != 0) return true;
  if (!under_way.insert(file).second) return false;
  const auto found = includes.find(file);
  const bool all_end = found == includes.end() ||
                       std::all_of(found->second.begin(), found->second.end(),
                                   [&](const std::string& next) { return ends(includes, next, under_way, done); });
  under_way.erase(file);
  done.insert(file);
  return all_end;
}

TEST(rooms_in_the_table_include_only_those_above_them) {
  Names above;
  for (const Room& room : rooms()) {
    for (const std::string& name : room.may_include) complain(above.count(name) != 0, room.name + " -> " + name);
    above.insert(room.name);
  }
}

TEST(each_file_includes_only_what_its_room_may) {
  const Includes includes = read_includes();
  std::map<std::string, Names> arrows;  // that there are
  for (const auto& [file, of_file] : includes) {
    const Room* const room = find_room(room_of(file));
    complain(room != nullptr, file + " is in no room of the table");
    if (room == nullptr) continue;
    Names& from_here = arrows[room->name];
    for (const std::string& name : of_file) {
      complain(includes.count(name) != 0, file + " includes " + name + ", which is not there");
      const bool may = room_of(name) == room->name || room->may_include.count(room_of(name)) != 0;
      complain(may, file + " includes " + name);
      if (room_of(name) != room->name) from_here.insert(room_of(name));
    }
  }
  for (const Room& room : rooms()) {
    for (const std::string& name : room.may_include) {
      complain(arrows[room.name].count(name) != 0, "nothing in " + room.name + " needs " + name + " any more");
    }
  }
}

TEST(no_file_includes_itself_by_way_of_others) {
  const Includes includes = read_includes();
  Names done;
  for (const auto& [file, of_file] : includes) {
    Names under_way;
    complain(ends(includes, file, under_way, done), "the includes of " + file + " lead into a circle");
  }
}

}  // namespace
}  // namespace slabpool::test
