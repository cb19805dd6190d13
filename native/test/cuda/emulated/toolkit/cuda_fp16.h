// float16 as kernels use it: the conversions of the CPU engine, which special_values_test.cpp tests.
#pragma once

#include <cuda_runtime.h>

#include "cpu/kernels/half.h"

struct __half_raw {
  uint16_t x;
};
struct __half2_raw {
  uint16_t x, y;
};
struct __half {
  uint16_t bits;
};
struct __half2 {
  __half x, y;
  explicit __half2(__half2_raw raw) : x{raw.x}, y{raw.y} {}
};

inline __half __float2half_rn(float value) { return {schemoe::half_from_float(value)}; }
inline float __half2float(__half value) { return schemoe::float_from_half(value.bits); }
inline float2 __half22float2(__half2 pair) { return {__half2float(pair.x), __half2float(pair.y)}; }
inline uint16_t __half_as_ushort(__half value) { return value.bits; }
inline __half __ushort_as_half(uint16_t bits) { return {bits}; }
