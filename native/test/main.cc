// argv: the name of this build ("plain", "asan", "tsan"), and optionally a part of the names of the tests to run.
#include "test.h"

int main(int argc, char** argv) {
  return slabpool::test::run_tests(argc > 1 ? argv[1] : "plain", argc > 2 ? argv[2] : nullptr);
}
