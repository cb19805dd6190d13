// Whether what calls use has no bytes in common.
#pragma once

#include <cstdint>

namespace schemoe::cuda {

/// Whether so many bytes from each address have none in common.
inline bool are_apart(const void* a, int64_t bytes_a, const void* b, int64_t bytes_b) {
  const auto x = reinterpret_cast<uintptr_t>(a), y = reinterpret_cast<uintptr_t>(b);
  return x + static_cast<uintptr_t>(bytes_a) <= y || y + static_cast<uintptr_t>(bytes_b) <= x;
}

}  // namespace schemoe::cuda
