// Runs a Relacy test suite as a TEST: a sound one must hold in every execution, a mutant must be caught in one.
#pragma once

#include "../test.h"
#include "sync.h"

namespace slabpool::test {

// All random choices are seeded by the number of the execution: a failure repeats itself.
struct Search : rl::test_params {
  // Discards without allocating: Relacy replaces operator new, and what a stream keeps would outlive the search.
  std::ostream nowhere{nullptr};

  explicit Search(rl::iteration_t executions) {
    iteration_count = executions;
    output_stream = progress_stream = &nowhere;
  }
};

template <class Suite>
void check_holds(Search& search) {
  rl::simulate<Suite>(search);
  CHECK_EQ(search.test_result, rl::test_result_success);
  std::printf("         %s: %s in %llu executions\n", format(search.search_type),
              rl::test_result_str(search.test_result), (unsigned long long)search.stop_iteration);
  if (search.test_result == rl::test_result_success) return;
  search.output_stream = &std::cout;  // once more, for the history
  rl::simulate<Suite>(search);
}

// Random search over a fixed number of executions.
template <class Suite>
void check_holds_at_random(rl::iteration_t executions) {
  Search search(executions);
  check_holds<Suite>(search);
}

// All executions with at most so many preemptions. (Relacy's full search does not end on a CAS loop.)
template <class Suite>
void check_holds_with_preemptions(unsigned most) {
  Search search(0);
  search.search_type = rl::sched_bound;
  search.context_bound = most;
  check_holds<Suite>(search);
}

template <class Suite>
void check_caught(Search& search) {
  rl::simulate<Suite>(search);
  CHECK(search.test_result != rl::test_result_success);
  std::printf("         %s after %llu executions\n", rl::test_result_str(search.test_result),
              (unsigned long long)search.stop_iteration + 1);
}

template <class Suite>
void check_caught(rl::iteration_t executions) {
  Search search(executions);
  check_caught<Suite>(search);
}

// Where the random search, which is seeded and not very random, does not come by.
template <class Suite>
void check_caught_with_preemptions(unsigned most) {
  Search search(0);
  search.search_type = rl::sched_bound;
  search.context_bound = most;
  check_caught<Suite>(search);
}

}  // namespace slabpool::test
