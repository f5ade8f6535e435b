#if !defined(_WIN32)

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <dlfcn.h>
#include <mach/mach.h>
#include <sys/sysctl.h>
#endif

#include <cstdint>
#include <memory>
#include <new>

#include "core/os/os.h"

namespace slabpool::os {

namespace {

#if defined(MAP_NORESERVE)
constexpr int kReserveFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
#else
constexpr int kReserveFlags = MAP_PRIVATE | MAP_ANONYMOUS;
#endif

#if defined(__linux__)
// MADV_POPULATE_WRITE, which the headers of older systems do not have: what is built there may run on a newer one.
constexpr int kPopulateWrite = 23;
#endif

}  // namespace

size_t system_page_size() { return static_cast<size_t>(sysconf(_SC_PAGESIZE)); }

void* reserve(size_t bytes, size_t alignment) {
  const size_t slack = alignment > page_size() ? alignment : 0;
  void* mapped = mmap(nullptr, bytes + slack, PROT_NONE, kReserveFlags, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  if (slack == 0) return mapped;

  // mmap aligns to pages only: reserve more than is needed and hand the ends back. Nobody has seen them.
  const uintptr_t from = reinterpret_cast<uintptr_t>(mapped);
  const uintptr_t aligned = (from + alignment - 1) & ~(uintptr_t{alignment} - 1);
  const size_t head = aligned - from;
  if (head != 0) munmap(mapped, head);
  if (slack != head) munmap(reinterpret_cast<void*>(aligned + bytes), slack - head);
  return reinterpret_cast<void*>(aligned);
}

bool commit(void* address, size_t bytes) { return mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0; }

bool decommit(void* address, size_t bytes) {
#if defined(__APPLE__)
  // macOS keeps the old contents after MADV_DONTNEED; mapping fresh zero pages over the range drops them at once.
  return mmap(address, bytes, PROT_READ | PROT_WRITE, kReserveFlags | MAP_FIXED, -1, 0) != MAP_FAILED;
#else
  return madvise(address, bytes, MADV_DONTNEED) == 0;
#endif
}

bool populate([[maybe_unused]] void* address, [[maybe_unused]] size_t bytes) {
#if defined(__linux__)
  return madvise(address, bytes, kPopulateWrite) == 0;
#else
  return false;
#endif
}

bool is_resident([[maybe_unused]] const void* page) {
#if defined(__linux__)
  unsigned char resident = 0;
  return mincore(const_cast<void*>(page), 1, &resident) == 0 && (resident & 1) != 0;
#else
  return false;
#endif
}

bool system_can_populate() {
#if defined(__linux__)
  // Emulators say yes to advice that they do not know, so what counts is whether a page is there then.
  const size_t bytes = system_page_size();
  void* const page = reserve(bytes, bytes);
  if (page == nullptr) return false;
  const bool can = commit(page, bytes) && populate(page, bytes) && is_resident(page);
  release(page, bytes);
  return can;
#else
  return false;
#endif
}

void keep_pages_small([[maybe_unused]] void* address, [[maybe_unused]] size_t bytes) {
#if defined(MADV_NOHUGEPAGE)
  (void)madvise(address, bytes, MADV_NOHUGEPAGE);  // refused by kernels that have no such pages
#endif
}

void release(void* address, size_t bytes) { munmap(address, bytes); }

size_t read_file(const char* path, char* into, size_t room) {
  // A path that was meant to be a file may be a pipe: not to wait for its writer.
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return 0;
  size_t length = 0;
  while (length < room) {
    const ssize_t count = read(file, into + length, room - length);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    length += static_cast<size_t>(count);
  }
  close(file);
  return length;
}

bool physical_memory([[maybe_unused]] uint64_t& used, [[maybe_unused]] uint64_t& total) {
#if defined(__APPLE__)
  size_t length = sizeof total;
  vm_statistics64_data_t pages;
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  static const mach_port_t host = mach_host_self();
  if (sysctlbyname("hw.memsize", &total, &length, nullptr, 0) != 0 ||
      host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count) != KERN_SUCCESS) {
    return false;
  }
  const uint64_t available = (uint64_t{pages.free_count} + pages.inactive_count) * page_size();
  used = total - (available < total ? available : total);
  return true;
#else
  return false;
#endif
}

namespace {

uint32_t read_clock(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint32_t>(now.tv_sec * 1000 + now.tv_nsec / 1000000);
}

}  // namespace

uint32_t now_ms() { return read_clock(CLOCK_MONOTONIC); }

uint32_t coarse_now_ms() {
#if defined(CLOCK_MONOTONIC_COARSE)
  return read_clock(CLOCK_MONOTONIC_COARSE);
#else
  return now_ms();
#endif
}

void stay_loaded() {
#if defined(__APPLE__)
  // Elsewhere the linker is told so (-z nodelete).
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&stay_loaded), &self) != 0) {
    (void)dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
  }
#endif
}

namespace {

struct Start {
  void (*run)(void*);
  void* argument;
};

void* run_thread(void* start) {
  const std::unique_ptr<Start> taken(static_cast<Start*>(start));
#if defined(__linux__)
  pthread_setname_np(pthread_self(), "slabpool");
#endif
  taken->run(taken->argument);
  return nullptr;
}

}  // namespace

bool start_thread(Thread& thread, void (*run)(void*), void* argument) {
  std::unique_ptr<Start> start(new (std::nothrow) Start{run, argument});
  if (!start) return false;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t made;
  const bool started = pthread_create(&made, nullptr, run_thread, start.get()) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!started) return false;
  (void)start.release();
  // A number on Linux, a pointer on macOS.
  thread = (Thread)made;
  return true;
}

void join_thread(Thread thread) { pthread_join((pthread_t)thread, nullptr); }

}  // namespace slabpool::os

#endif
