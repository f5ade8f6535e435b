// One measurement, as JSON. core refill-flush: the core's own figures. Otherwise
//   core WORKLOAD CONTENDER UNIT SIZES LIVE THREADS BLOCKS
// live-set, xmalloc or larson; slabpool or malloc; single or batch; a file of 32-bit sizes; see workload.h for the others.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "larson.h"
#include "live_set.h"
#include "malloc.h"
#include "process.h"
#include "refill_flush.h"
#include "sizes.h"
#include "slabpool.h"
#include "workload.h"
#include "xmalloc.h"

namespace {

using namespace bench;

template <class Contender>
Outcome run(const char* workload, const Task& task) {
  if (std::strcmp(workload, "live-set") == 0) return live_set<Contender>(task);
  if (std::strcmp(workload, "xmalloc") == 0) return xmalloc<Contender>(task);
  return larson<Contender>(task);
}

}  // namespace

int main(int count, char** words) {
  if (count == 2 && std::strcmp(words[1], "refill-flush") == 0) {
    refill_flush();
    return 0;
  }
  if (count != 8) fail("expected: refill-flush, or WORKLOAD CONTENDER UNIT SIZES LIVE THREADS BLOCKS");
  const bool slabpool = std::strcmp(words[2], "slabpool") == 0;
  const bool batches = std::strcmp(words[3], "batch") == 0;
  const Task task{sizes_from(words[4]), static_cast<uint32_t>(std::atoi(words[5])),
                  static_cast<uint32_t>(std::atoi(words[6])), static_cast<uint64_t>(std::atoll(words[7])),
                  batches ? kMaxBatch : 1};
  const double before = resident_mib();
  const Outcome outcome = slabpool
                              ? (batches ? run<SlabpoolBatches>(words[1], task) : run<SlabpoolSingles>(words[1], task))
                              : (batches ? run<MallocBatches>(words[1], task) : run<MallocSingles>(words[1], task));
  const auto blocks = static_cast<double>(outcome.blocks);
  std::printf("{\"ns\": %.3f, \"cpuNs\": %.3f, \"peakRssMiB\": %.2f, \"malloc\": \"", outcome.ns / blocks,
              outcome.cpu_ns / blocks, peak_resident_mib() - before);
  print_malloc();
  std::printf("\"}\n");
}
