// exp in a loop that the compiler makes vectors of, which a call of the C library would prevent.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

namespace schemoe {

/// One of two numbers, both of which are computed: by bits, since the compiler makes branches of `?:`, and of a loop
/// with branches no vectors.
inline float select(bool first, float a, float b) {
  const uint32_t mask = 0u - static_cast<uint32_t>(first);
  return std::bit_cast<float>((std::bit_cast<uint32_t>(a) & mask) | (std::bit_cast<uint32_t>(b) & ~mask));
}

/// exp(x) within 2 ulp for -87 <= x <= 88; below it is about 1e-38 (and not 0), above about 1e38.
inline float exponential(float x) {
  constexpr float kLog2e = 1.44269504f, kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  x = select(x < -87.0f, -87.0f, x);
  x = select(x > 88.0f, 88.0f, x);
  // Adding 1.5 * 2^23 rounds to an integer, which then lies in the low bits.
  constexpr float kRound = 12582912.0f;
  const float shifted = x * kLog2e + kRound, n = shifted - kRound;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  // Taylor's series; |r| <= ln 2 / 2, so what is left out is below 2e-9.
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRound) + 127u) << 23;
  return p * std::bit_cast<float>(exponent);
}

/// The same between -87 and 88, 0 below and infinity above, as formulas of infinite arguments need it.
inline float exponential_or_limit(float x) {
  const float below = select(x < -87.0f, 0.0f, exponential(x));
  return select(x > 88.0f, std::numeric_limits<float>::infinity(), below);
}

}  // namespace schemoe
