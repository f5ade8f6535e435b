// The only door to the operating system: memory, files, a clock, and a thread (for waits see steady_condition.h).
// Implementations: os_posix.cc, os_windows.cc.
//
// A range goes through: reserve (address space only) -> commit (readable and writable, zero-filled, a page is allocated
// on its first touch, or by populate) -> decommit (pages go back to the OS, the range stays readable and writable and
// reads zeros).
#pragma once

#include <cstddef>
#include <cstdint>

namespace slabpool::os {

// Bytes in a page; a power of two.
[[nodiscard]] size_t page_size();
// Of the system, whatever set_page_size() says.
[[nodiscard]] size_t system_page_size();

// Whether the system has a call for populate().
[[nodiscard]] bool system_can_populate();

// For tests, before the first pool: pages count as larger than they are. False: not a power of two, at most 64 KiB, and
// at least what the system has.
[[nodiscard]] bool set_page_size(size_t bytes);

// `bytes` of address space that starts at a multiple of `alignment` (a power of two, at least a page), or nullptr.
[[nodiscard]] void* reserve(size_t bytes, size_t alignment);

// False when the OS refuses. Committing a committed range again is harmless, also from two threads at once.
[[nodiscard]] bool commit(void* address, size_t bytes);

// The pages of a committed range are allocated at once, for a fraction of what the faults of their first touches cost;
// those that are there already stay as they are. Page-aligned. False: the OS has no call for it, or refuses (it is out
// of memory, or of what a limit allows); pages are then allocated on their first touch.
bool populate(void* address, size_t bytes);
// Whether the OS has such a call (Linux 5.14), and it is in use.
[[nodiscard]] bool can_populate();
// For tests and benchmarks: whether it is in use, in the whole process.
void set_populating(bool on);
// Whether the page at this address is allocated; false where only its first touch would tell.
[[nodiscard]] bool is_resident(const void* page);

// Page-aligned `address` and `bytes`. False when the OS keeps the pages (locked memory).
[[nodiscard]] bool decommit(void* address, size_t bytes);

// Where the OS would back the range with pages larger than page_size() by itself, it is not to: it would allocate more
// than is touched. Page-aligned.
void keep_pages_small(void* address, size_t bytes);

// Ends a reservation. For allocator metadata only: memory that JavaScript has seen is never released.
void release(void* address, size_t bytes);

// The beginning of a file, up to `room` bytes; how many. 0 where there is none, or it cannot be read.
[[nodiscard]] size_t read_file(const char* path, char* into, size_t room);

// Bytes of the machine that are in use, without what can be had at once, and that it has. False where files say it
// (Linux).
[[nodiscard]] bool physical_memory(uint64_t& used, uint64_t& total);

// A clock for intervals, in milliseconds; wraps after 49 days. It never jumps.
[[nodiscard]] uint32_t now_ms();
// As now_ms(), some milliseconds behind, for a fraction of its price.
[[nodiscard]] uint32_t coarse_now_ms();

// The code stays loaded to the end of the process, whoever closes the library: threads and memory outlive those who
// loaded it.
void stay_loaded();

using Thread = uintptr_t;

// False when the OS refuses. The thread gets no signals.
[[nodiscard]] bool start_thread(Thread& thread, void (*run)(void*), void* argument);
void join_thread(Thread thread);

}  // namespace slabpool::os
