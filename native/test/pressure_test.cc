// What is read of memory, from made-up files below a folder.
#include "core/memory/pressure.h"

#include <sys/stat.h>

#include "files.h"

namespace slabpool::test {
namespace {

constexpr uint64_t kMiB = 1 << 20;

void check_pressure(MemorySource source, PressureLevel level, uint64_t used, uint64_t limit, int line) {
  const Pressure seen = memory::look();
  const auto same = [&](const char* what, auto got, auto expected) {
    check(got == expected, __FILE__, line, what, static_cast<uint64_t>(got), static_cast<uint64_t>(expected));
  };
  same("source", seen.source, source);
  same("level", seen.level, level);
  same("used", seen.used_bytes, used);
  same("limit", seen.limit_bytes, limit);
}
#define CHECK_PRESSURE(source, level, used, limit) check_pressure(source, level, used, limit, __LINE__)

std::string mib(uint64_t n) { return std::to_string(n * kMiB) + "\n"; }

// A line of mountinfo(5).
std::string mount(const std::string& root, const std::string& point, const std::string& type,
                  const std::string& options) {
  return "35 31 0:32 " + root + " " + point + " rw,relatime shared:7 - " + type + " " + type + " rw" + options + "\n";
}

void v2(Files& files, const std::string& group, const std::string& max, uint64_t used, uint64_t inactive) {
  files.write(group + "/memory.max", max);
  files.write(group + "/memory.current", mib(used));
  files.write(group + "/memory.stat", "anon 1\nfile 2\ninactive_file " + mib(inactive) + "active_file 3\n");
}

void v1(Files& files, const std::string& group, uint64_t limit, uint64_t hierarchical, uint64_t used,
        uint64_t inactive) {
  files.write(group + "/memory.limit_in_bytes", std::to_string(limit) + "\n");
  files.write(group + "/memory.usage_in_bytes", mib(used));
  files.write(group + "/memory.stat", "cache 1\ninactive_file 4096\nhierarchical_memory_limit " +
                                          std::to_string(hierarchical) + "\ntotal_inactive_file " + mib(inactive));
}

constexpr uint64_t kUnlimited = 9223372036854771712u;

TEST(no_source_at_all_means_no_pressure) {
  Files files;
  CHECK_PRESSURE(MemorySource::none, PressureLevel::none, 0, 0);
}

TEST(system_is_read_where_there_is_no_cgroup) {
  Files files;
  files.meminfo(1000, 400);
  CHECK_PRESSURE(MemorySource::system, PressureLevel::none, 600 * 1024, 1000 * 1024);
}

TEST(levels_begin_at_70_and_90_per_cent) {
  Files files;
  for (const auto& [available, level] : {std::pair{301, PressureLevel::none},
                                         {300, PressureLevel::high},
                                         {101, PressureLevel::high},
                                         {100, PressureLevel::critical},
                                         {0, PressureLevel::critical}}) {
    files.meminfo(1000, static_cast<uint64_t>(available));
    CHECK_EQ(memory::look().level, level);
    CHECK_EQ(memory::last().level, level);
  }
}

TEST(cgroup_v2_counts_what_the_kernel_would_not_drop) {
  Files files;
  files.meminfo(1 << 20, 1 << 19);
  files.write("/proc/self/cgroup", "0::/app\n");
  files.write("/proc/self/mountinfo", mount("/", "/proc", "proc", "") + mount("/", "/sys/fs/cgroup", "cgroup2", ""));
  v2(files, "/sys/fs/cgroup/app", mib(100), 95, 30);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::none, 65 * kMiB, 100 * kMiB);
  v2(files, "/sys/fs/cgroup/app", mib(100), 95, 3);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::critical, 92 * kMiB, 100 * kMiB);
  v2(files, "/sys/fs/cgroup/app", mib(100), 95, 200);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::none, 0, 100 * kMiB);
}

TEST(smallest_limit_on_the_way_up_counts) {
  Files files;
  files.meminfo(1 << 20, 1 << 19);
  files.write("/proc/self/cgroup", "0::/a/b/c\n");
  files.write("/proc/self/mountinfo", mount("/", "/cg", "cgroup2", ""));
  v2(files, "/cg/a/b/c", "max\n", 10, 0);
  v2(files, "/cg/a/b", mib(300), 20, 0);
  v2(files, "/cg/a", mib(200), 150, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::high, 150 * kMiB, 200 * kMiB);
  // Of two that are the same, the one with more members.
  v2(files, "/cg/a/b/c", mib(200), 10, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::high, 150 * kMiB, 200 * kMiB);
  v2(files, "/cg/a/b/c", mib(100), 10, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::none, 10 * kMiB, 100 * kMiB);
}

TEST(container_with_a_namespace_finds_its_cgroup_at_the_mount) {
  Files files;
  files.write("/proc/self/cgroup", "0::/\n");
  files.write("/proc/self/mountinfo", mount("/", "/sys/fs/cgroup", "cgroup2", ""));
  v2(files, "/sys/fs/cgroup", mib(100), 80, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::high, 80 * kMiB, 100 * kMiB);
  files.write("/proc/self/cgroup", "0::/../elsewhere\n");
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::high, 80 * kMiB, 100 * kMiB);
}

TEST(container_without_a_namespace_has_its_cgroup_mounted) {
  Files files;
  files.write("/proc/self/cgroup", "12:pids:/docker/1f\n4:cpu,memory:/docker/1f/child\n0::/docker/1f\n");
  files.write("/proc/self/mountinfo", mount("/docker/1f", "/sys/fs/cgroup/pids", "cgroup", ",pids") +
                                          mount("/docker/1f", "/sys/fs/cgroup/cpu,memory", "cgroup", ",cpu,memory"));
  v1(files, "/sys/fs/cgroup/cpu,memory/child", kUnlimited, kUnlimited, 1, 0);
  v1(files, "/sys/fs/cgroup/cpu,memory", 100 * kMiB, 100 * kMiB, 95, 1);
  CHECK_PRESSURE(MemorySource::cgroup_v1, PressureLevel::critical, 94 * kMiB, 100 * kMiB);
  // Another container's name begins with that of the mounted one.
  files.write("/proc/self/cgroup", "4:cpu,memory:/docker/1f2\n");
  CHECK_PRESSURE(MemorySource::cgroup_v1, PressureLevel::critical, 94 * kMiB, 100 * kMiB);
}

TEST(hybrid_hierarchy_has_its_memory_controller_in_version_1) {
  Files files;
  files.meminfo(1 << 20, 1 << 19);
  files.write("/proc/self/cgroup", "4:memory:/app\n1:cpu:/\n0::/app\n");
  files.write("/proc/self/mountinfo", mount("/", "/sys/fs/cgroup/cpu", "cgroup", ",cpu") +
                                          mount("/", "/sys/fs/cgroup/memory", "cgroup", ",memory") +
                                          mount("/", "/sys/fs/cgroup/unified", "cgroup2", ""));
  files.write("/sys/fs/cgroup/unified/app/cgroup.procs", "1\n");
  v1(files, "/sys/fs/cgroup/memory", kUnlimited, kUnlimited, 900, 0);
  v1(files, "/sys/fs/cgroup/memory/app", 100 * kMiB, 100 * kMiB, 75, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v1, PressureLevel::high, 75 * kMiB, 100 * kMiB);
  // A limit above that cannot be seen from here.
  v1(files, "/sys/fs/cgroup/memory/app", 100 * kMiB, 80 * kMiB, 75, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v1, PressureLevel::critical, 75 * kMiB, 80 * kMiB);
}

TEST(usual_mount_points_are_tried_where_nothing_says_which) {
  Files files;
  files.write("/proc/self/cgroup", "4:memory:/app\n");
  v1(files, "/sys/fs/cgroup/memory/app", 100 * kMiB, 100 * kMiB, 75, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v1, PressureLevel::high, 75 * kMiB, 100 * kMiB);
  v2(files, "/sys/fs/cgroup", mib(50), 10, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::none, 10 * kMiB, 50 * kMiB);
}

TEST(no_limit_or_one_above_the_machine_means_the_system) {
  Files files;
  files.write("/proc/self/cgroup", "4:memory:/\n0::/\n");
  files.meminfo(1000, 250);
  for (const char* max : {"max\n", "9223372036854771712\n", "1024001\n", "0\n"}) {
    v2(files, "/sys/fs/cgroup", max, 2000, 0);
    v1(files, "/sys/fs/cgroup/memory", kUnlimited, kUnlimited, 2000, 0);
    CHECK_PRESSURE(MemorySource::system, PressureLevel::high, 750 * 1024, 1000 * 1024);
  }
}

TEST(mount_point_with_a_blank_in_its_name_is_found) {
  Files files;
  files.write("/proc/self/cgroup", "0::/\n");
  files.write("/proc/self/mountinfo", mount("/", "/c\\040g\\", "cgroup2", ""));
  v2(files, "/c g\\", mib(100), 80, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::high, 80 * kMiB, 100 * kMiB);
}

std::string psi(const char* some, const char* full) {
  return std::string("some avg10=") + some + " avg60=99.00 avg300=99.00 total=9\nfull avg10=" + full +
         " avg60=99.00 avg300=99.00 total=9\n";
}

TEST(stalls_raise_the_level_but_never_lower_it) {
  Files files;
  files.meminfo(1000, 900);
  for (const auto& [text, level] : {std::pair{psi("9.99", "9.99"), PressureLevel::none},
                                    {psi("10.00", "0.00"), PressureLevel::high},
                                    {psi("10.00", "10.00"), PressureLevel::critical},
                                    {psi("100.00", "x"), PressureLevel::high},
                                    {std::string("some avg10\nfull avg10="), PressureLevel::none}}) {
    files.write("/proc/pressure/memory", text);
    CHECK_EQ(memory::look().level, level);
  }
  files.meminfo(1000, 50);
  CHECK_EQ(memory::look().level, PressureLevel::critical);
}

TEST(cgroup_with_stalls_of_its_own_does_not_answer_for_the_system) {
  Files files;
  files.write("/proc/self/cgroup", "0::/\n");
  v2(files, "/sys/fs/cgroup", mib(100), 1, 0);
  files.write("/proc/pressure/memory", psi("50.00", "50.00"));
  CHECK_EQ(memory::look().level, PressureLevel::critical);
  files.write("/sys/fs/cgroup/memory.pressure", psi("12.00", "0.00"));
  CHECK_EQ(memory::look().level, PressureLevel::high);
  files.write("/sys/fs/cgroup/memory.pressure", psi("1.00", "0.00"));
  CHECK_EQ(memory::look().level, PressureLevel::none);
}

TEST(garbage_counts_as_not_there) {
  Files files;
  Random random(7);
  const char* paths[] = {"/proc/self/cgroup",
                         "/proc/self/mountinfo",
                         "/proc/meminfo",
                         "/proc/pressure/memory",
                         "/sys/fs/cgroup/memory.max",
                         "/sys/fs/cgroup/memory.current",
                         "/sys/fs/cgroup/memory.stat",
                         "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                         "/sys/fs/cgroup/memory/memory.usage_in_bytes"};
  const std::string pieces[] = {"",
                                "\n",
                                " ",
                                "-",
                                " - cgroup2 x rw\n",
                                "99999999999999999999999",
                                "-1\n",
                                "0x10",
                                "0::",
                                "0::/\n",
                                "4:memory:/x\n",
                                ":::::\n",
                                "/../..",
                                "\\",
                                "\\0",
                                "\\999",
                                std::string(1, '\0'),
                                "MemTotal:",
                                "MemTotal: 10 kB\nMemAvailable: 99 kB\n",
                                "inactive_file",
                                "some avg10=",
                                "\xff\xfe",
                                std::string(5000, '/'),
                                std::string(5000, 'x')};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (uint32_t n = random.below(8); n > 0; --n) text += pieces[random.below(std::size(pieces))];
    files.write(paths[random.below(std::size(paths))], text);
    const Pressure seen = memory::look();
    CHECK(seen.source == MemorySource::none || seen.limit_bytes > 0);
  }
}

TEST(huge_file_is_read_as_far_as_whole_lines_fit) {
  Files files;
  const std::string line = mount("/", "/elsewhere", "tmpfs", "");
  std::string lines;
  while (lines.size() < (1 << 20)) lines += line;
  files.write("/proc/self/mountinfo", lines + mount("/", "/late", "cgroup2", ""));
  files.write("/proc/self/cgroup", "0::/\n");
  v2(files, "/late", mib(100), 80, 0);
  v2(files, "/sys/fs/cgroup", mib(50), 10, 0);
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::none, 10 * kMiB, 50 * kMiB);
  // A number that is cut off at the end of what is read would be another one.
  std::string stat = "inactive_file ";
  stat.insert(0, (64 << 10) - stat.size() - 1, '\n');
  files.write("/sys/fs/cgroup/memory.stat", stat + mib(5));
  CHECK_PRESSURE(MemorySource::cgroup_v2, PressureLevel::none, 10 * kMiB, 50 * kMiB);
  // One line and no end.
  files.write("/sys/fs/cgroup/memory.max", std::string(1 << 20, '1'));
  CHECK_PRESSURE(MemorySource::none, PressureLevel::none, 0, 0);
}

TEST(pipe_in_a_files_place_is_not_waited_for) {
  Files files;
  files.meminfo(1000, 900);
  files.write("/proc/self/x", "");
  CHECK_EQ(mkfifo((files.folder() + "/proc/self/cgroup").c_str(), 0600), 0);
  CHECK_PRESSURE(MemorySource::system, PressureLevel::none, 100 * 1024, 1000 * 1024);
}

TEST(recent_verdict_is_not_asked_for_again) {
  Files files;
  files.meminfo(1000, 900);
  const uint64_t before = memory::looks();
  CHECK_EQ(memory::recent().used_bytes, uint64_t{100 * 1024});
  files.meminfo(1000, 50);
  CHECK_EQ(memory::recent().level, PressureLevel::none);
  CHECK_EQ(memory::looks(), before + 1);
  CHECK_EQ(memory::look().level, PressureLevel::critical);
  CHECK_EQ(memory::recent().level, PressureLevel::critical);
}

TEST(folder_with_too_long_a_name_is_refused) {
  CHECK(!memory::set_root(std::string(2000, 'x').c_str()));
  CHECK(memory::set_root(""));
}

TEST(real_machine_has_figures) {
  const Pressure seen = memory::look();
  CHECK(seen.source != MemorySource::none);
  CHECK(seen.used_bytes > 0);
  CHECK(seen.limit_bytes >= seen.used_bytes);
}

}  // namespace
}  // namespace slabpool::test
