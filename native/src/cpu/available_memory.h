// What the system can still give.
#pragma once

#include <cstdint>

namespace schemoe {

/// Bytes that can still be written before the system ends a process to get some; UINT64_MAX where it does not say.
uint64_t available_memory() noexcept;

}  // namespace schemoe
