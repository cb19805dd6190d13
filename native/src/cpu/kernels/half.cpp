#include "cpu/kernels/half.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#define SCHEMOE_F16C 1
#endif

namespace schemoe {

uint16_t half_from_float(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u | (magnitude >> 13 & 0x3ffu);
  // 65520 and above round to infinity.
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;
  if (magnitude < 0x38800000u) {
    // Below 2^-14: the unit of a subnormal half, 2^-24, is also the last bit of 0.5f, so that the
    // addition rounds at the right place.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
  }
  // Exponent bias 127 to 15, and half of the last bit kept, or a bit less where that bit is even.
  const uint32_t rounded = magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1u);
  return static_cast<uint16_t>(sign | rounded >> 13);
}

float float_from_half(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16;
  const uint32_t magnitude = bits & 0x7fffu;
  if (magnitude >= 0x7c00u) {
    const uint32_t quiet = magnitude > 0x7c00u ? 0x400000u : 0u;
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | (magnitude & 0x3ffu) << 13);
  }
  if (magnitude < 0x400u) {
    const float value = static_cast<float>(magnitude) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
}

uint16_t bfloat16_from_float(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return static_cast<uint16_t>((nan ? bits | 0x400000u : rounded) >> 16);
}

float float_from_bfloat16(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

#ifdef SCHEMOE_F16C
namespace {

__attribute__((target("avx,f16c"))) int64_t encode_f16c(std::byte* to, const float* from, int64_t count) {
  int64_t j = 0;
  for (; j + 8 <= count; j += 8) {
    const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(from + j), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 2 * j), halves);
  }
  return j;
}

__attribute__((target("avx,f16c"))) int64_t decode_f16c(float* to, const std::byte* from, int64_t count) {
  int64_t j = 0;
  for (; j + 8 <= count; j += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 2 * j));
    _mm256_storeu_ps(to + j, _mm256_cvtph_ps(halves));
  }
  return j;
}

bool has_f16c() {
  static const bool has = __builtin_cpu_supports("f16c") && __builtin_cpu_supports("avx");
  return has;
}

}  // namespace
#endif

void halves_from_floats(std::byte* to, const float* from, int64_t count) {
  int64_t j = 0;
#ifdef SCHEMOE_F16C
  if (has_f16c()) j = encode_f16c(to, from, count);
#endif
  for (; j < count; ++j) {
    const uint16_t bits = half_from_float(from[j]);
    std::memcpy(to + 2 * j, &bits, 2);
  }
}

void floats_from_halves(float* to, const std::byte* from, int64_t count) {
  int64_t j = 0;
#ifdef SCHEMOE_F16C
  if (has_f16c()) j = decode_f16c(to, from, count);
#endif
  for (; j < count; ++j) {
    uint16_t bits;
    std::memcpy(&bits, from + 2 * j, 2);
    to[j] = float_from_half(bits);
  }
}

void bfloat16s_from_floats(std::byte* to, const float* from, int64_t count) {
  for (int64_t j = 0; j < count; ++j) {
    const uint16_t bits = bfloat16_from_float(from[j]);
    std::memcpy(to + 2 * j, &bits, 2);
  }
}

void floats_from_bfloat16s(float* to, const std::byte* from, int64_t count) {
  for (int64_t j = 0; j < count; ++j) {
    uint16_t bits;
    std::memcpy(&bits, from + 2 * j, 2);
    to[j] = float_from_bfloat16(bits);
  }
}

}  // namespace schemoe
