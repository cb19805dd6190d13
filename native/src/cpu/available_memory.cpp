#include "cpu/available_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace schemoe {

namespace {

constexpr size_t kMostText = 4096;
using Text = char[kMostText];

/// The beginning of a file of the system; empty where it cannot be read. No memory is allocated.
void read_text(const char* path, Text& text) noexcept {
  text[0] = 0;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  const ssize_t bytes = ::read(file, text, kMostText - 1);
  text[std::max<ssize_t>(bytes, 0)] = 0;
  ::close(file);
}

/// The number behind a name; 0 where there is none.
uint64_t field(const char* text, const char* name) noexcept {
  const char* line = std::strstr(text, name);
  return line ? std::strtoull(line + std::strlen(name), nullptr, 10) : 0;
}

/// Names of the files of a control group.
struct Version {
  const char* mount;
  const char* most;
  const char* current;
  /// Copies of files, which are given up where memory is needed.
  const char* inactive;
  const char* active;
};
constexpr Version kFirst{"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                         "\ntotal_inactive_file ", "\ntotal_active_file "};
constexpr Version kSecond{"/sys/fs/cgroup", "memory.max", "memory.current", "\ninactive_file ", "\nactive_file "};

/// What one group leaves; UINT64_MAX where it has no limit.
uint64_t left_in(const char* root, const Version& version, const char* group) noexcept {
  Text path, most, current, parts;
  const auto read = [&](const char* file, Text& text) {
    const int length = std::snprintf(path, kMostText, "%s%s%s/%s", root, version.mount, group, file);
    text[0] = 0;
    if (length > 0 && static_cast<size_t>(length) < kMostText) read_text(path, text);
  };
  read(version.most, most);
  read(version.current, current);
  // `max` where there is no limit
  if (most[0] < '0' || most[0] > '9' || current[0] == 0) return UINT64_MAX;
  read("memory.stat", parts);
  const uint64_t files = field(parts, version.inactive) + field(parts, version.active);
  const uint64_t limit = std::strtoull(most, nullptr, 10), used = std::strtoull(current, nullptr, 10);
  const uint64_t needed = used > files ? used - files : 0;
  return limit > needed ? limit - needed : 0;
}

/// What a group and those that it lies in leave, each of which may have a limit: a job's, above that of its step.
/// A container may see its own group alone, at the mount, while the path is that of the host.
uint64_t left_up_from(const char* root, const Version& version, char* group) noexcept {
  uint64_t left = UINT64_MAX;
  for (;;) {
    left = std::min(left, left_in(root, version, group));
    char* const last = std::strrchr(group, '/');
    if (!last) return left;
    *last = 0;
  }
}

/// What the control groups of this process leave.
uint64_t left_in_groups(const char* root) noexcept {
  Text path, groups;
  std::snprintf(path, kMostText, "%s/proc/self/cgroup", root);
  read_text(path, groups);
  uint64_t left = UINT64_MAX;
  char* rest = nullptr;
  // each line is ID:CONTROLLERS:PATH, without controllers for version 2
  for (char* line = ::strtok_r(groups, "\n", &rest); line; line = ::strtok_r(nullptr, "\n", &rest)) {
    char* const controllers = std::strchr(line, ':');
    char* const group = controllers ? std::strchr(controllers + 1, ':') : nullptr;
    if (!group) continue;
    *group = 0;
    const bool first = std::strcmp(controllers + 1, "memory") == 0 || std::strstr(controllers, ",memory") != nullptr ||
                       std::strncmp(controllers, ":memory,", 8) == 0;
    if (!first && controllers[1] != 0) continue;
    left = std::min(left, left_up_from(root, first ? kFirst : kSecond, group + 1));
  }
  return left;
}

}  // namespace

uint64_t available_memory(const char* root) noexcept {
  Text path, text;
  std::snprintf(path, kMostText, "%s/proc/meminfo", root);
  read_text(path, text);
  const uint64_t kib = field(text, "MemAvailable:");
  if (kib == 0) return UINT64_MAX;
  return std::min(1024 * (kib + field(text, "SwapFree:")), left_in_groups(root));
}

}  // namespace schemoe
