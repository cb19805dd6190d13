// What the system can still give.
#pragma once

#include <cstdint>

namespace schemoe {

/// Bytes that can still be written before the system ends a process to get some, of the machine and of the control
/// groups of this process; UINT64_MAX where it does not say. `root` is before each path of the system.
uint64_t available_memory(const char* root = "") noexcept;

}  // namespace schemoe
