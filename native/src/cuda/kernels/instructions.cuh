// What CUDA C++ has no function for. The tests' emulation of kernels on the CPU has this header in its own way.
#pragma once

#include <cstdint>

namespace schemoe::cuda {

// The least and the largest of two, or NaN where one is; which of two zeros does not matter.
__device__ inline float min_or_nan(float a, float b) {
  float least;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(least) : "f"(a), "f"(b));
  return least;
}
__device__ inline float max_or_nan(float a, float b) {
  float most;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(most) : "f"(a), "f"(b));
  return most;
}

/// The sum limited to 0..1; of NaN it is 0.
__device__ inline float add_saturated(float a, float b) {
  float sum;
  asm("add.rn.sat.f32 %0, %1, %2;" : "=f"(sum) : "f"(a), "f"(b));
  return sum;
}

/// 2^x within 2 units in the last place; what is below 2^-126 is 0.
__device__ inline float power_of_two(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// 1 / x within a unit in the last place, of x from 2^-126 to 2^126.
__device__ inline float reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// 1 / sqrt(x) within two units in the last place, of x from 2^-126.
__device__ inline float reciprocal_root(float x) {
  float y;
  asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// A store to where other lanes store too: one of them is to win, whichever.
__device__ inline void store_one_of(uint32_t& to, uint32_t value) { to = value; }

/// Nanoseconds of the clock that all GPUs of a machine have in common.
__device__ inline uint64_t global_time() {
  uint64_t time;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(time));
  return time;
}

}  // namespace schemoe::cuda
