// Arithmetic of codecs that the CPU and the CUDA engine share, so that both give the same bits.
#pragma once

#include <bit>
#include <cstdint>

#ifdef __CUDACC__
#define SCHEMOE_BOTH __host__ __device__ inline
#else
#define SCHEMOE_BOTH inline
#endif

#ifdef __CUDA_ARCH__
#define SCHEMOE_UNROLL _Pragma("unroll")
#else
#define SCHEMOE_UNROLL
#endif

namespace schemoe::codecs {

SCHEMOE_BOTH uint32_t bits_of(float value) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(value);
#else
  return std::bit_cast<uint32_t>(value);
#endif
}

SCHEMOE_BOTH float float_of(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#else
  return std::bit_cast<float>(bits);
#endif
}

inline constexpr uint32_t kInfinity = 0x7f800000u;
inline constexpr uint32_t kNan = 0x7fc00000u;

SCHEMOE_BOTH uint32_t magnitude_of(float value) { return bits_of(value) & 0x7fffffffu; }
SCHEMOE_BOTH bool finite(float value) { return magnitude_of(value) < kInfinity; }

/// 2^exponent, which must be that of a normal number: -126 to 127.
SCHEMOE_BOTH float power_of_two(int exponent) { return float_of(static_cast<uint32_t>(exponent + 127) << 23); }

/// x 2^exponent, rounded once, also where 2^exponent is no float.
SCHEMOE_BOTH float scaled(float x, int exponent) {
  const auto bits = static_cast<uint64_t>(exponent + 1023) << 52;
#ifdef __CUDA_ARCH__
  return static_cast<float>(static_cast<double>(x) * __longlong_as_double(static_cast<long long>(bits)));
#else
  return static_cast<float>(static_cast<double>(x) * std::bit_cast<double>(bits));
#endif
}

SCHEMOE_BOTH int64_t round_up(int64_t value, int64_t to) { return (value + to - 1) / to * to; }

}  // namespace schemoe::codecs
