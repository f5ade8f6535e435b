// Files: a folder of made-up files that core/memory/files.cc reads instead of the system's, as long as it lives.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "core/memory/pressure.h"
#include "test.h"

namespace slabpool::test {

class Files {
 public:
  Files() {
    char name[] = "/tmp/slabpool-test-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    folder_ = name;
    CHECK(memory::set_root(name));
  }
  ~Files() {
    CHECK(memory::set_root(""));
    std::filesystem::remove_all(folder_);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  [[nodiscard]] const std::string& folder() const { return folder_; }

  // `path` from the root. Replaced at once: somebody may be reading it.
  void write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = folder_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(folder_ + "/new", std::ios::binary) << text;
    std::filesystem::rename(folder_ + "/new", file);
  }

  void meminfo(uint64_t total_kb, uint64_t available_kb) {
    write("/proc/meminfo", "MemTotal:       " + std::to_string(total_kb) +
                               " kB\nMemFree:        1 kB\nMemAvailable:   " + std::to_string(available_kb) +
                               " kB\nBuffers:        1 kB\n");
  }

 private:
  std::string folder_;
};

}  // namespace slabpool::test
