#if defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#define _WIN32_WINNT 0x0A00
#include <windows.h>

#include <cstdint>
#include <memory>
#include <new>

#include "core/os/os.h"

namespace slabpool::os {

size_t system_page_size() {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwPageSize;
}

void* reserve(size_t bytes, size_t alignment) {
  // VirtualFree cannot hand back the ends of a reservation, so the slack stays reserved; it is address space only.
  const size_t slack = alignment > page_size() ? alignment : 0;
  void* mapped = VirtualAlloc(nullptr, bytes + slack, MEM_RESERVE, PAGE_READWRITE);
  if (mapped == nullptr || slack == 0) return mapped;
  const uintptr_t from = reinterpret_cast<uintptr_t>(mapped);
  return reinterpret_cast<void*>((from + alignment - 1) & ~(uintptr_t{alignment} - 1));
}

bool commit(void* address, size_t bytes) { return VirtualAlloc(address, bytes, MEM_COMMIT, PAGE_READWRITE) != nullptr; }

bool decommit(void* address, size_t bytes) {
  // MEM_DECOMMIT would make the range fault for whoever still holds a view, and nothing else ends the commit charge.
  // Discarded pages leave the working set at once (those of MEM_RESET only when memory is short) and stay accessible,
  // but their contents are undefined (the old ones or zeros), hence the zeros first.
  ZeroMemory(address, bytes);
  return DiscardVirtualMemory(address, bytes) == ERROR_SUCCESS;
}

bool system_can_populate() { return false; }

bool populate(void*, size_t) { return false; }

bool is_resident(const void*) { return false; }

void keep_pages_small(void*, size_t) {}  // large pages are only for those who ask

void release(void* address, size_t) {
  MEMORY_BASIC_INFORMATION info;
  VirtualQuery(address, &info, sizeof info);
  VirtualFree(info.AllocationBase, 0, MEM_RELEASE);
}

size_t read_file(const char* path, char* into, size_t room) {
  HANDLE const file = CreateFileA(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                                  OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return 0;
  DWORD length = 0;
  if (!ReadFile(file, into, static_cast<DWORD>(room), &length, nullptr)) length = 0;
  CloseHandle(file);
  return length;
}

bool physical_memory(uint64_t& used, uint64_t& total) {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  if (!GlobalMemoryStatusEx(&status)) return false;
  used = status.ullTotalPhys - status.ullAvailPhys;
  total = status.ullTotalPhys;
  return true;
}

uint32_t now_ms() { return static_cast<uint32_t>(GetTickCount64()); }

uint32_t coarse_now_ms() { return now_ms(); }

void stay_loaded() {
  HMODULE self;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN,
                     reinterpret_cast<LPCWSTR>(&stay_loaded), &self);
}

namespace {

struct Start {
  void (*run)(void*);
  void* argument;
};

DWORD WINAPI run_thread(void* start) {
  const std::unique_ptr<Start> taken(static_cast<Start*>(start));
  taken->run(taken->argument);
  return 0;
}

}  // namespace

bool start_thread(Thread& thread, void (*run)(void*), void* argument) {
  std::unique_ptr<Start> start(new (std::nothrow) Start{run, argument});
  if (!start) return false;
  HANDLE const made = CreateThread(nullptr, 0, run_thread, start.get(), 0, nullptr);
  if (made == nullptr) return false;
  (void)start.release();
  thread = reinterpret_cast<Thread>(made);
  return true;
}

void join_thread(Thread thread) {
  HANDLE const handle = reinterpret_cast<HANDLE>(thread);
  WaitForSingleObject(handle, INFINITE);
  CloseHandle(handle);
}

}  // namespace slabpool::os

#endif
