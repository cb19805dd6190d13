// The scale of an int8 row and the levels of its values.
#pragma once

#include <cmath>

#include "cuda/kernels/codecs.cuh"
#include "cuda/kernels/instructions.cuh"

namespace schemoe::cuda::codecs {

/// Quantization of a row: level q decodes to min + q step.
struct Scale {
  float min, step;
};

/// Division by the step of a row: of a flat row, a usual one and any other. All threads of a block take the same.
struct FlatQuotient {
  static __device__ float of(float x) { return x; }
  __device__ float operator()(float) const { return -INFINITY; }  // level 0
};

/// Correctly rounded with the rounded reciprocal and one remainder (Markstein, "Computation of
/// elementary functions on the IBM RISC System/6000", 1990), where neither can overflow or underflow.
struct UsualQuotient {
  float step, inverse;
  static __device__ bool fits(float step) { return step > 0x1p-60f && step < 0x1p60f; }
  static __device__ float of(float x) { return x; }
  __device__ float operator()(float x) const {
    const float near = __fmul_rn(x, inverse);
    return __fmaf_rn(__fmaf_rn(-near, step, x), inverse, near);
  }
};

/// From this step on a row's range is counted in quarters, since it may overflow.
inline constexpr float kWideStep = 0x1p100f;
/// Steps below it have fewer bits.
inline constexpr float kLeastStep = 0x1p-126f;

/// Of a row that is not finite all levels are 0: its step is NaN.
struct AnyQuotient {
  float step, factor;
  static __device__ AnyQuotient by(float step) {
    const float factor = step >= kWideStep ? 0.25f : 1.0f;
    return {__fmul_rn(step, factor), factor};
  }
  __device__ float of(float x) const { return __fmul_rn(x, factor); }
  __device__ float operator()(float x) const { return __fdiv_rn(x, step); }
};

/// The value of a level in a row with such a step.
__device__ inline float wide_value(float min, float level, float step) {
  constexpr float kMost = 0x1.fffffep127f * 0.25f;
  const float quarter = __fadd_rn(__fmul_rn(min, 0.25f), __fmul_rn(level, __fmul_rn(step, 0.25f)));
  return __fmul_rn(quarter > kMost ? kMost : quarter, 4.0f);
}

template <class Body>
__device__ inline void with_quotient(float step, Body&& body) {
  if (UsualQuotient::fits(step)) return body(UsualQuotient{step, __fdiv_rn(1.0f, step)});
  if (step == 0.0f) return body(FlatQuotient{});
  body(AnyQuotient::by(step));
}

__device__ inline void lower(float& least, float value) { least = min_or_nan(least, value); }
__device__ inline void higher(float& most, float value) { most = max_or_nan(most, value); }

/// Of the least and the largest value of a row; NaN where one is no finite number.
__device__ inline Scale scale_of(float low, float high) {
  constexpr uint32_t kInfinity = 0x7f800000u, kMagnitude = 0x7fffffffu;
  if ((__float_as_uint(low) & kMagnitude) >= kInfinity || (__float_as_uint(high) & kMagnitude) >= kInfinity) {
    return {__uint_as_float(0x7fc00000u), __uint_as_float(0x7fc00000u)};
  }
  // Which of two zeros is found depends on the order of comparing; adding zero makes it +0.
  low = __fadd_rn(low, 0.0f);
  high = __fadd_rn(high, 0.0f);
  const float step = __fdiv_rn(__fsub_rn(high, low), 255.0f);
  // Below the normal numbers a step that is rounded down, and be it to 0, would leave the largest value out of reach.
  if (step < kLeastStep && __fmul_rn(step, 255.0f) < __fsub_rn(high, low)) {
    return {low, __uint_as_float(__float_as_uint(step) + 1)};
  }
  if (step < kWideStep) return {low, step};
  const float quarter = __fsub_rn(__fmul_rn(high, 0.25f), __fmul_rn(low, 0.25f));
  return {low, __fmul_rn(__fdiv_rn(quarter, 255.0f), 4.0f)};
}

/// From all values of a block; every thread gets it.
template <int kThreads>
__device__ inline Scale scale_of(float low, float high, int64_t columns) {
  __shared__ float lows[kThreads / 32], highs[kThreads / 32];
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    lower(low, __shfl_xor_sync(kAllLanes, low, step));
    higher(high, __shfl_xor_sync(kAllLanes, high, step));
  }
  __syncthreads();  // the values of the row before may still be read
  if (threadIdx.x % 32 == 0) lows[threadIdx.x / 32] = low, highs[threadIdx.x / 32] = high;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kThreads / 32; ++i) lower(low, lows[i]), higher(high, highs[i]);
  return columns == 0 ? Scale{0.0f, 0.0f} : scale_of(low, high);
}

/// The level of a value in the lowest byte; the others are of no use. Added to 2^23, a value rounded
/// down is its whole part in the last bits of the sum, which is faster than a conversion.
template <class Quotient>
__device__ inline uint32_t quantize(float x, float min, const Quotient& quotient) {
  const float level = __fadd_rn(quotient(__fsub_rn(quotient.of(x), quotient.of(min))), 0.5f);
  return __float_as_uint(__fadd_rd(fminf(fmaxf(level, 0.0f), 255.0f), 0x1p23f));
}

/// The lowest bytes of four words.
__device__ inline uint32_t lowest_bytes(const uint32_t* words) {
  return __byte_perm(__byte_perm(words[0], words[1], 0x0040), __byte_perm(words[2], words[3], 0x0040), 0x5410);
}

/// Levels of a usual row, equal to those of `quantize`. Everything is scaled by 2^-8, which changes no bit of a
/// mantissa, so that the saturating addition clamps to 0..1 and makes NaN 0.
struct Levels {
  float min, step, inverse;
  static __device__ Levels of(const Scale& scale) {
    return {scale.min, scale.step * 0x1p8f, __fdiv_rn(1.0f, scale.step) * 0x1p-8f};
  }
  __device__ uint32_t operator()(float value) const {
    const float x = __fsub_rn(value, min), near = __fmul_rn(x, inverse);
    const float quotient = __fmaf_rn(__fmaf_rn(-near, step, x), inverse, near);
    return __float_as_uint(__fadd_rd(add_saturated(quotient, 0x1p-9f), 0x1p15f));
  }
};

/// Stores the lowest bytes.
__device__ inline void store_levels(std::byte* to, const uint32_t (&levels)[4]) {
  *reinterpret_cast<uint32_t*>(to) = lowest_bytes(levels);
}
__device__ inline void store_levels(std::byte* to, const uint32_t (&levels)[8]) {
  *reinterpret_cast<uint2*>(to) = make_uint2(lowest_bytes(levels), lowest_bytes(levels + 4));
}

}  // namespace schemoe::cuda::codecs
