#include "cpu/available_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace schemoe {

namespace {

constexpr size_t kMostText = 4096;

/// The beginning of a file of the system; empty where it cannot be read. No memory is allocated.
void read_text(const char* path, char (&text)[kMostText]) noexcept {
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

/// What the control group (v2) leaves.
uint64_t left_in_group() noexcept {
  char most[kMostText], current[kMostText], parts[kMostText];
  read_text("/sys/fs/cgroup/memory.max", most);
  read_text("/sys/fs/cgroup/memory.current", current);
  // `max` where there is no limit
  if (most[0] < '0' || most[0] > '9' || current[0] == 0) return UINT64_MAX;
  // Copies of files are given up where memory is needed.
  read_text("/sys/fs/cgroup/memory.stat", parts);
  const uint64_t files = field(parts, "\ninactive_file ") + field(parts, "\nactive_file ");
  const uint64_t limit = std::strtoull(most, nullptr, 10) + files, used = std::strtoull(current, nullptr, 10);
  return limit > used ? limit - used : 0;
}

}  // namespace

uint64_t available_memory() noexcept {
  char text[kMostText];
  read_text("/proc/meminfo", text);
  const uint64_t kib = field(text, "MemAvailable:");
  if (kib == 0) return UINT64_MAX;
  return std::min(1024 * (kib + field(text, "SwapFree:")), left_in_group());
}

}  // namespace schemoe
