// Values times the inverse of their block's scale to codes, and codes to values: the bits of `scaled_formats.h` in
// instructions that the GPU has. Only for blocks of finite values, rounded to nearest.
#pragma once

#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include "cuda/kernels/codecs_scaled.cuh"

namespace schemoe::cuda::codecs {

/// The sum with it is rounded to an integer, which is then in the lowest bits.
inline constexpr float kMagic = 0x1.8p23f;
inline constexpr uint32_t kMagicBits = 0x4b400000u;

template <class F>
inline constexpr auto kFp8Kind = std::is_same_v<F, E5m2> ? __NV_E5M2 : __NV_E4M3;

/// V codes of finite values, the first one in the lowest bits.
template <class F, int V>
__device__ inline void nearest_codes(uint32_t (&words)[2], const float (&x)[V], float inverse) {
  float y[V];
#pragma unroll
  for (int i = 0; i < V; ++i) y[i] = __fmul_rn(x[i], inverse);
  if constexpr (kConverted<F>) {
#pragma unroll
    for (int i = 0; i < V; i += 4) {
      const uint32_t low = __nv_cvt_float2_to_fp8x2(make_float2(y[i], y[i + 1]), __NV_SATFINITE, kFp8Kind<F>);
      const uint32_t high = __nv_cvt_float2_to_fp8x2(make_float2(y[i + 2], y[i + 3]), __NV_SATFINITE, kFp8Kind<F>);
      words[i / 4] = __byte_perm(low, high, 0x5410);
    }
  } else if constexpr (std::is_same_v<F, Int8Block>) {
    // None needs to be limited: the largest magnitude gives 127 and less than half a step.
#pragma unroll
    for (int i = 0; i < V; i += 4) {
      uint32_t b[4];
#pragma unroll
      for (int k = 0; k < 4; ++k) b[k] = __float_as_uint(__fadd_rn(y[i + k], kMagic));
      words[i / 4] = __byte_perm(__byte_perm(b[0], b[1], 0x0040), __byte_perm(b[2], b[3], 0x0040), 0x5410);
    }
  } else if constexpr (std::is_same_v<F, Int4>) {
    // Numbers 8 more, which are not negative, are digits of a sum; the highest bit of each is then the other way round.
    uint32_t sum = 0;
#pragma unroll
    for (int i = V - 1; i >= 0; --i) sum = sum * 16 + __float_as_uint(__fadd_rn(y[i], kMagic));
    constexpr uint32_t kOnes = V == 8 ? 0x11111111u : 0x1111u;
    words[0] = (sum + (8u - kMagicBits) * kOnes) ^ (8u * kOnes);
  } else {
    static_assert(std::is_same_v<F, Mxfp4>);
    words[0] = 0;
#pragma unroll
    for (int i = V - 1; i >= 0; --i) {
      // Codes count halves below 2, then halves of the power of two: the sum with 2^22 such powers is rounded to these.
      const uint32_t power = max(__float_as_uint(y[i]) & 0x7f800000u, 0x3f800000u);
      const uint32_t sum = __float_as_uint(__fadd_rn(fabsf(y[i]), __uint_as_float(power + (22u << 23))));
      const uint32_t code = min((sum & 0xfu) + (sum >> 22) - 2 * (127 + 22), 7u);
      words[0] = words[0] * 16 + (code | (__float_as_uint(x[i]) >> 28 & 8u));
    }
  }
}

/// The values of V codes, whatever they are.
template <class F, int V>
__device__ inline void values_of(float (&x)[V], const uint32_t (&words)[2]) {
  if constexpr (kConverted<F>) {
#pragma unroll
    for (int i = 0; i < V; i += 2) {
      const auto pair = static_cast<__nv_fp8x2_storage_t>(words[i / 4] >> (i % 4 * 8));
      const float2 both = __half22float2(__half2(__nv_cvt_fp8x2_to_halfraw2(pair, kFp8Kind<F>)));
      x[i] = both.x, x[i + 1] = both.y;
    }
  } else if constexpr (std::is_same_v<F, Int8Block>) {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      // The number and 128 in the lowest bits of 2^23.
      const uint32_t bits = __byte_perm(words[i / 4] ^ 0x80808080u, 0x4b000000u, 0x7440 + i % 4);
      x[i] = __fsub_rn(__uint_as_float(bits), 0x1p23f + 128);
    }
  } else if constexpr (std::is_same_v<F, Int4>) {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const uint32_t bits = ((words[0] ^ 0x88888888u) >> (4 * i) & 0xfu) | 0x4b000000u;
      x[i] = __fsub_rn(__uint_as_float(bits), 0x1p23f + 8);
    }
  } else {
    static_assert(std::is_same_v<F, Mxfp4>);
#pragma unroll
    for (int i = 0; i < V; ++i) {
      // A float with two bits of exponent and one of fraction, 126 powers of two lower; subnormal ones are exact too.
      const uint32_t top = words[0] << (28 - 4 * i);
      x[i] = __fmul_rn(__uint_as_float((top & 0x80000000u) | (top >> 6 & 0x01c00000u)), 0x1p126f);
    }
  }
}

}  // namespace schemoe::cuda::codecs
