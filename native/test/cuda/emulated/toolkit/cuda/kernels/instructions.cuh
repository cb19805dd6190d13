// In place of the header of that name in src.
#pragma once

#include <cuda_runtime.h>

#include <chrono>

namespace schemoe::cuda {

inline float min_or_nan(float a, float b) { return a != a || b != b ? NAN : b < a ? b : a; }
inline float max_or_nan(float a, float b) { return a != a || b != b ? NAN : a < b ? b : a; }
inline float add_saturated(float a, float b) {
  const float sum = a + b;
  return sum > 0.0f ? (sum < 1.0f ? sum : 1.0f) : 0.0f;
}
inline float power_of_two(float x) { return x < -126 ? 0 : std::exp2(x); }
inline float reciprocal(float x) { return 1 / x; }
inline float reciprocal_root(float x) { return 1 / std::sqrt(x); }
EMULATED void store_one_of(uint32_t& to, uint32_t value) {
  emulated::use(&to, sizeof to, emulated::Access::atomic, __builtin_return_address(0));
  to = value;
}
inline uint64_t global_time() {
  return static_cast<uint64_t>(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

}  // namespace schemoe::cuda
