// The whole test framework: TEST(scenario) registers a test, CHECK and CHECK_EQ record what is wrong and go on, and
// run_tests() prints one line per test, `ok` or `FAILED`, seconds, name, which is what run.sh counts.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <type_traits>
#include <vector>

namespace slabpool::test {

// For tests that a sanitizer cannot run, and for counts: it makes each operation several times slower, and looks for
// what happens, not for how often.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

struct Test {
  const char* name;
  void (*body)();
};

inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

inline std::atomic<uint32_t> failures{0};  // of the running test; its threads may all fail

template <class A, class B>
void check(bool ok, const char* file, int line, const char* what, A left, B right) {
  constexpr uint32_t kShown = 5;  // a test that fails in a loop must not drown the others
  if (ok || failures.fetch_add(1) >= kShown) return;
  std::printf("  %s:%d: CHECK(%s): %lld, %lld\n", file, line, what, (long long)left, (long long)right);
}

// `suite` tells apart the runs of one program in several builds. A filter that is no nullptr selects by substring.
inline int run_tests(const char* suite, const char* filter) {
  int failed = 0;
  for (const Test& test : tests()) {
    if (filter != nullptr && std::strstr(test.name, filter) == nullptr) continue;
    failures = 0;
    const auto from = std::chrono::steady_clock::now();
    test.body();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - from;
    std::printf("%-6s %6.2f s  %s: %s\n", failures == 0 ? "ok" : "FAILED", took.count(), suite, test.name);
    std::fflush(stdout);
    failed += failures != 0;
  }
  return failed != 0;
}

// splitmix64 (S. Vigna): every seed gives a good sequence, so that a test is replayed by its seed alone.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(next() % bound); }

 private:
  uint64_t state_;
};

}  // namespace slabpool::test

#define TEST(name)                                                                                                 \
  static void name();                                                                                              \
  [[maybe_unused]] static const bool name##_registered = (slabpool::test::tests().push_back({#name, name}), true); \
  static void name()

#define CHECK(condition) slabpool::test::check(static_cast<bool>(condition), __FILE__, __LINE__, #condition, 0, 0)

#define CHECK_EQ(left, right)                                                                             \
  do {                                                                                                    \
    const auto left_value = (left);                                                                       \
    const auto right_value = (right);                                                                     \
    slabpool::test::check(left_value == right_value, __FILE__, __LINE__, #left " == " #right, left_value, \
                          right_value);                                                                   \
  } while (false)

// The walker's verdict is a text: show it.
#define CHECK_SOUND(pool)                                                                               \
  do {                                                                                                  \
    const char* wrong = (pool).check_invariants();                                                      \
    if (wrong != nullptr) std::printf("  check_invariants: %s\n", wrong);                               \
    slabpool::test::check(wrong == nullptr, __FILE__, __LINE__, "check_invariants() == nullptr", 0, 0); \
  } while (false)
