// Seeded random inputs for fuzz_one(), in child processes: a pool never gives its address range back, so that one
// process could not take thousands of them, and a crash names the input.
#include "fuzz.h"

#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

namespace slabpool::test {
namespace {

constexpr uint32_t kInputs = 20'000;
constexpr uint32_t kInputsPerChild = 500;

void run_input(uint64_t seed) {
  Random random(seed);
  uint8_t input[256];
  const uint32_t size = 16 + random.below(sizeof input - 16);
  for (uint32_t i = 0; i < size; ++i) input[i] = static_cast<uint8_t>(random.next());
  fuzz_one(input, size);
}

TEST(random_operations_agree_with_the_model) {
  for (uint32_t from = 0; from < kInputs; from += kInputsPerChild) {
    int progress[2];
    CHECK_EQ(pipe(progress), 0);
    const pid_t child = fork();
    if (child == 0) {
      for (uint32_t seed = from; seed < from + kInputsPerChild; ++seed) {
        if (write(progress[1], &seed, sizeof seed) != sizeof seed) _exit(1);
        run_input(seed);
      }
      std::fflush(stdout);
      _exit(failures == 0 ? 0 : 1);
    }
    close(progress[1]);
    uint32_t seed = from;
    while (read(progress[0], &seed, sizeof seed) == sizeof seed) {
    }
    close(progress[0]);
    int status = 0;
    waitpid(child, &status, 0);
    const bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ended) std::printf("  input of seed %u\n", seed);
    CHECK(ended);
  }
}

}  // namespace
}  // namespace slabpool::test
