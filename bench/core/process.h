// What the system says of this process: its time, its memory, its malloc.
#pragma once

#include <dlfcn.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "fail.h"

namespace bench {

inline double nanoseconds(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

// A figure of /proc, in MiB. `what`: the start of its line.
inline double memory_mib(const char* file, const char* what) {
  FILE* const lines = std::fopen(file, "r");
  double kib = -1;
  for (char line[256]; lines != nullptr && std::fgets(line, sizeof line, lines) != nullptr;) {
    if (std::strncmp(line, what, std::strlen(what)) == 0) kib = std::atof(line + std::strlen(what));
  }
  if (lines != nullptr) std::fclose(lines);
  if (kib < 0) fail("expected figures of memory in /proc, as Linux has them");
  return kib / 1024;
}
inline double resident_mib() { return memory_mib("/proc/self/smaps_rollup", "Rss:"); }
inline double peak_resident_mib() { return memory_mib("/proc/self/status", "VmHWM:"); }

// Whether the library that this process has its malloc from has this symbol as well: its address.
inline void* of_malloc(const char* symbol) {
  Dl_info allocator;
  Dl_info found;
  void* const address = dlsym(RTLD_DEFAULT, symbol);
  const bool same = address != nullptr && dladdr(dlsym(RTLD_DEFAULT, "malloc"), &allocator) != 0 &&
                    dladdr(address, &found) != 0 && allocator.dli_fbase == found.dli_fbase;
  return same ? address : nullptr;
}

// Which malloc that is, with its version.
inline void print_malloc() {
  if (void* const mallctl = of_malloc("mallctl")) {
    const char* version = "";
    size_t length = sizeof version;
    reinterpret_cast<int (*)(const char*, void*, size_t*, void*, size_t)>(mallctl)("version", &version, &length,
                                                                                   nullptr, 0);
    std::printf("jemalloc %.*s", static_cast<int>(std::strcspn(version, "-")), version);
  } else if (void* const tc_version = of_malloc("tc_version")) {
    int major;
    int minor;
    reinterpret_cast<const char* (*)(int*, int*, const char**)>(tc_version)(&major, &minor, nullptr);
    std::printf("tcmalloc %d.%d", major, minor);
  } else if (void* const mi_version = of_malloc("mi_version")) {
    const int version = reinterpret_cast<int (*)()>(mi_version)();
    std::printf("mimalloc %d.%d.%d", version / 100, version / 10 % 10, version % 10);
  } else if (void* const libc_version = of_malloc("gnu_get_libc_version")) {
    std::printf("glibc %s", reinterpret_cast<const char* (*)()>(libc_version)());
  }
}

}  // namespace bench
