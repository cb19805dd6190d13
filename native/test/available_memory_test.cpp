// Memory that is left, as files of a made-up system tell it.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "check.h"
#include "cpu/available_memory.h"

namespace {

namespace fs = std::filesystem;

/// A folder in place of the root of the file system.
class System {
 public:
  explicit System(const char* name) : root_(fs::temp_directory_path() / name) { fs::remove_all(root_); }
  ~System() { fs::remove_all(root_); }
  System(const System&) = delete;
  System& operator=(const System&) = delete;
  System& file(const std::string& path, const std::string& text) {
    const fs::path whole = root_ / path;
    fs::create_directories(whole.parent_path());
    std::ofstream(whole) << text;
    return *this;
  }
  uint64_t available() const { return schemoe::available_memory(root_.c_str()); }

 private:
  const fs::path root_;
};

constexpr uint64_t kGiB = uint64_t{1} << 30;
const std::string kMachine = "MemTotal:       25165824 kB\nMemFree: 1 kB\nMemAvailable:   20971520 kB\nSwapFree:  0 kB\n";

std::string gib(uint64_t count) { return std::to_string(count * kGiB) + "\n"; }

}  // namespace

int main() {
  const std::string id = std::to_string(::getpid());
  {
    System none(("schemoe-none-" + id).c_str());
    CHECK_EQUAL(none.available(), UINT64_MAX);
    none.file("proc/meminfo", kMachine);
    CHECK_EQUAL(none.available(), 20 * kGiB);
  }
  {
    // a container of its own, whose group is the root of what it sees
    System container(("schemoe-container-" + id).c_str());
    container.file("proc/meminfo", kMachine).file("proc/self/cgroup", "0::/\n");
    container.file("sys/fs/cgroup/memory.max", gib(4)).file("sys/fs/cgroup/memory.current", gib(3));
    container.file("sys/fs/cgroup/memory.stat", "anon 1\ninactive_file " + gib(1) + "active_file 0\n");
    CHECK_EQUAL(container.available(), 2 * kGiB);
  }
  {
    // a step without a limit in a job that has one, as workload managers make them
    System job(("schemoe-job-" + id).c_str());
    job.file("proc/meminfo", kMachine).file("proc/self/cgroup", "0::/system.slice/job_7/step_0\n");
    const std::string slice = "sys/fs/cgroup/system.slice/";
    job.file(slice + "job_7/step_0/memory.max", "max\n").file(slice + "job_7/step_0/memory.current", gib(1));
    job.file(slice + "job_7/memory.max", gib(8)).file(slice + "job_7/memory.current", gib(5));
    CHECK_EQUAL(job.available(), 3 * kGiB);
  }
  {
    // version 1, beside others and an empty group of version 2
    System first(("schemoe-first-" + id).c_str());
    first.file("proc/meminfo", kMachine).file("proc/self/cgroup", "9:cpu,cpuacct:/a\n4:memory:/job_7/step_0\n0::/\n");
    const std::string group = "sys/fs/cgroup/memory/job_7";
    first.file(group + "/memory.limit_in_bytes", gib(6)).file(group + "/memory.usage_in_bytes", gib(6));
    first.file(group + "/memory.stat", "cache 1\ntotal_inactive_file " + gib(1) + "total_active_file " + gib(1));
    CHECK_EQUAL(first.available(), 2 * kGiB);
    // the path of the host, in a container that sees its own group at the mount
    first.file("proc/self/cgroup", "4:memory:/docker/0123456789\n");
    CHECK_EQUAL(first.available(), 20 * kGiB);
    first.file("sys/fs/cgroup/memory/memory.limit_in_bytes", gib(7)).file("sys/fs/cgroup/memory/memory.usage_in_bytes", gib(2));
    CHECK_EQUAL(first.available(), 5 * kGiB);
    // more than the limit, where it was lowered
    first.file("sys/fs/cgroup/memory/memory.limit_in_bytes", gib(1));
    CHECK_EQUAL(first.available(), uint64_t{0});
  }
  return check::result();
}
