// Formats whose columns share a scale in blocks: how a scale is made, and a value becomes a code of a byte or half one.
#pragma once

#include "codecs/both.h"
#include "runtime/normals.h"

namespace schemoe::codecs {

inline constexpr uint32_t kSign = 0x80000000u;

/// Of a block: its values times `inverse` become codes, whose values times `value` come back.
struct Scale {
  float value, inverse;
  uint32_t stored;
};

/// The random words of the four columns from `column` on, a multiple of four: a pure function of seed, token and column.
SCHEMOE_INLINE normals::Random random_block(uint64_t seed, uint64_t token, int64_t column) {
  constexpr uint32_t kCodec = 0x636f6465u;  // apart from the numbers of tensors
  return normals::block_words(seed, token, static_cast<uint32_t>(column / normals::kBlock), kCodec);
}

/// The random word of a value.
SCHEMOE_BOTH uint32_t random_word(uint64_t seed, uint64_t token, int64_t column) {
  const auto words = random_block(seed, token, column);
  const auto at = static_cast<uint32_t>(column) % normals::kBlock;
  return at < 2 ? (at == 0 ? words.word[0] : words.word[1]) : (at == 2 ? words.word[2] : words.word[3]);
}

/// In [0, 1), 24 bits.
SCHEMOE_BOTH float fraction_of(uint32_t word) { return static_cast<float>(static_cast<int32_t>(word >> 8)) * 0x1p-24f; }

SCHEMOE_BOTH float rounded_down(float x) {
#ifdef __CUDA_ARCH__
  return floorf(x);
#else
  // Of numbers that an int32 can hold; unlike a call it becomes vector instructions.
  const auto whole = static_cast<float>(static_cast<int32_t>(x));
  return whole > x ? whole - 1.0f : whole;
#endif
}

/// To the nearest integer, ties to even, for |x| below 2^22.
SCHEMOE_BOTH float rounded(float x) {
  constexpr float kMagic = 0x1.8p23f;
#ifdef __CUDA_ARCH__
  return __fsub_rn(__fadd_rn(x, kMagic), kMagic);
#else
  return (x + kMagic) - kMagic;
#endif
}

/// Codes of a float with kMantissa bits of fraction, without sign and saturated at `most`.
template <int kMantissa, int kBias>
SCHEMOE_BOTH uint32_t small_float(float y, uint32_t most, bool random, uint32_t word) {
  constexpr int kDropped = 23 - kMantissa;
  constexpr uint32_t kNormal = static_cast<uint32_t>(128 - kBias) << 23;  // the smallest normal one
  const uint32_t bits = magnitude_of(y);
  // Below it codes count units.
  constexpr uint32_t kUnits = static_cast<uint32_t>(127 + kMantissa + kBias - 1) << 23;
  const float units = float_of(bits < kNormal ? bits : 0) * float_of(kUnits);
  const auto low = static_cast<uint32_t>(static_cast<int32_t>(random ? rounded_down(units + fraction_of(word)) : rounded(units)));
  const uint32_t up = random ? word >> (32 - kDropped) : (1u << (kDropped - 1)) - 1 + (bits >> kDropped & 1u);
  const uint32_t high = ((bits + up) >> kDropped) - (static_cast<uint32_t>(127 - kBias) << kMantissa);
  const uint32_t code = bits < kNormal ? low : high;
  return code < most ? code : most;
}

/// Bits of the value of such a code. Choices are between bits, since one between results of floating-point
/// arithmetic would be a branch, which keeps loops from vectors.
template <int kMantissa, int kBias>
SCHEMOE_BOTH uint32_t small_value(uint32_t code) {
  constexpr uint32_t kUnit = static_cast<uint32_t>(127 - kMantissa - kBias + 1) << 23;
  const uint32_t low = bits_of(static_cast<float>(static_cast<int32_t>(code)) * float_of(kUnit));
  const uint32_t high = (code << (23 - kMantissa)) + (static_cast<uint32_t>(127 - kBias) << 23);
  return code < (1u << kMantissa) ? low : high;
}

/// The value, or 0 in place of one that is not finite.
SCHEMOE_BOTH float finite_or_zero(float x) { return float_of(finite(x) ? bits_of(x) : 0); }

/// float32 scales: the largest magnitude becomes `kMost`.
template <int kMost>
SCHEMOE_BOTH Scale float_scale(float most, float least) {
  // The largest scale that cannot overflow when the largest code comes back.
  constexpr float kLargest = static_cast<float>(0x1.fffffep127 / kMost * (1 - 1.2e-7));
  const float amax = most < least ? least : most;
  const float value = amax / static_cast<float>(kMost);
  const float kept = value < kLargest ? value : kLargest;
  return {kept, static_cast<float>(kMost) / amax, bits_of(kept)};
}

/// Power-of-two scales (E8M0): the largest magnitude's exponent becomes `kExponent`.
template <int kExponent>
SCHEMOE_BOTH Scale power_scale(float most) {
  const int exponent = static_cast<int>(bits_of(most) >> 23) - kExponent;
  const auto stored = static_cast<uint32_t>(exponent > 0 ? exponent : 0);
  return {float_of(stored ? stored << 23 : 1u << 22), float_of((254 - stored) << 23), stored};
}

SCHEMOE_BOTH float power_value(uint32_t stored) {
  return float_of(stored == 0 ? 1u << 22 : stored == 255 ? kNan : stored << 23);
}

/// e4m3 in blocks of 128 with float32 scales: DeepEP's. Its codes have NaN but no infinity.
struct Fp8 {
  static constexpr int kBlock = 128, kBits = 8, kScaleBytes = 4;
  static SCHEMOE_BOTH Scale scale(float most, bool) { return float_scale<448>(most, 1e-4f); }
  static SCHEMOE_BOTH float stored(uint32_t bits) { return float_of(bits); }
  static SCHEMOE_BOTH uint32_t code(float x, const Scale& s, bool random, uint32_t word) {
    const uint32_t sign = bits_of(x) >> 24 & 0x80u;
    const uint32_t magnitude = small_float<3, 7>(x * s.inverse, 0x7e, random, word);
    return sign | (finite(x) ? magnitude : 0x7fu);
  }
  static SCHEMOE_BOTH float value(uint32_t code) {
    const uint32_t number = small_value<3, 7>(code & 0x7fu);
    return float_of((code & 0x80u) << 24 | ((code & 0x7fu) == 0x7fu ? kNan : number));
  }
};

/// e5m2 in blocks of 128 with float32 scales; NaN and infinities are codes.
struct E5m2 {
  static constexpr int kBlock = 128, kBits = 8, kScaleBytes = 4;
  static SCHEMOE_BOTH Scale scale(float most, bool) { return float_scale<57344>(most, 1e-4f); }
  static SCHEMOE_BOTH float stored(uint32_t bits) { return float_of(bits); }
  static SCHEMOE_BOTH uint32_t code(float x, const Scale& s, bool random, uint32_t word) {
    const uint32_t sign = bits_of(x) >> 24 & 0x80u;
    const uint32_t odd = magnitude_of(x) == kInfinity ? 0x7cu : 0x7eu;
    const uint32_t magnitude = small_float<2, 15>(x * s.inverse, 0x7b, random, word);
    return sign | (finite(x) ? magnitude : odd);
  }
  static SCHEMOE_BOTH float value(uint32_t code) {
    const uint32_t m = code & 0x7fu, number = small_value<2, 15>(m);
    return float_of((code & 0x80u) << 24 | (m < 0x7cu ? number : m == 0x7cu ? kInfinity : kNan));
  }
};

/// mxfp8: e4m3 in blocks of 32 with power-of-two scales (OCP Microscaling Formats 1.0).
struct Mxfp8 : Fp8 {
  static constexpr int kBlock = 32, kScaleBytes = 1;
  static SCHEMOE_BOTH Scale scale(float most, bool) { return power_scale<8>(most); }
  static SCHEMOE_BOTH float stored(uint32_t bits) { return power_value(bits); }
};

/// mxfp4: e2m1 in blocks of 32 with power-of-two scales; a block that is not finite has the scale NaN.
struct Mxfp4 {
  static constexpr int kBlock = 32, kBits = 4, kScaleBytes = 1;
  static SCHEMOE_BOTH Scale scale(float most, bool odd) {
    const Scale s = power_scale<2>(most);
    return odd ? Scale{float_of(kNan), 0.0f, 255} : s;
  }
  static SCHEMOE_BOTH float stored(uint32_t bits) { return power_value(bits); }
  static SCHEMOE_BOTH uint32_t code(float x, const Scale& s, bool random, uint32_t word) {
    const uint32_t number = (bits_of(x) >> 28 & 8u) | small_float<1, 1>(x * s.inverse, 7, random, word);
    return finite(x) ? number : 0;
  }
  static SCHEMOE_BOTH float value(uint32_t code) { return float_of((code & 8u) << 28 | small_value<1, 1>(code & 7u)); }
};

/// Integers from -kMost to kMost.
template <int kMost>
SCHEMOE_BOTH int32_t integer_code(float x, const Scale& s, bool random, uint32_t word) {
  const float y = finite_or_zero(x) * s.inverse;
  const float level = random ? rounded_down(y + fraction_of(word)) : rounded(y);
  const float high = level < kMost ? level : kMost;
  return static_cast<int32_t>(high > -kMost ? high : -kMost);
}

/// Below this a block's largest magnitude counts as this, so that its reciprocal is a number.
inline constexpr float kLeastMagnitude = 0x1p-100f;

/// A byte a value in blocks of 128 with float32 scales; a block that is not finite has the scale NaN.
struct Int8Block {
  static constexpr int kBlock = 128, kBits = 8, kScaleBytes = 4;
  static SCHEMOE_BOTH Scale scale(float most, bool odd) {
    const Scale s = float_scale<127>(most, kLeastMagnitude);
    return odd ? Scale{float_of(kNan), 0.0f, kNan} : s;
  }
  static SCHEMOE_BOTH float stored(uint32_t bits) { return float_of(bits); }
  static SCHEMOE_BOTH uint32_t code(float x, const Scale& s, bool random, uint32_t word) {
    return static_cast<uint32_t>(integer_code<127>(x, s, random, word)) & 0xffu;
  }
  static SCHEMOE_BOTH float value(uint32_t code) { return static_cast<float>(static_cast<int8_t>(code)); }
};

/// Half a byte a value in blocks of 32 with bfloat16 scales; a block that is not finite has the scale NaN.
struct Int4 {
  static constexpr int kBlock = 32, kBits = 4, kScaleBytes = 2;
  static SCHEMOE_BOTH Scale scale(float most, bool odd) {
    if (odd) return {float_of(kNan), 0.0f, kNan >> 16};
    const float exact = float_scale<7>(most, kLeastMagnitude).value;
    // Rounded to nearest even; the largest stays finite times 7.
    const uint32_t bits = bits_of(exact);
    const uint32_t half = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    constexpr uint32_t kLargest = 0x7e12u;  // 7 times it is a float
    const uint32_t kept = half < kLargest ? half : kLargest;
    const float value = float_of(kept << 16);
    return {value, 1.0f / value, kept};
  }
  static SCHEMOE_BOTH float stored(uint32_t bits) { return float_of(bits << 16); }
  static SCHEMOE_BOTH uint32_t code(float x, const Scale& s, bool random, uint32_t word) {
    return static_cast<uint32_t>(integer_code<7>(x, s, random, word)) & 0xfu;
  }
  static SCHEMOE_BOTH float value(uint32_t code) {
    return static_cast<float>(static_cast<int32_t>(code << 28) >> 28);
  }
};

/// Of a row on the wire: codes (the lower half of a byte first), scales from a multiple of 4 on, padded to 16 bytes.
template <class F>
struct RowLayout {
  static SCHEMOE_BOTH int64_t code_bytes(int64_t columns) { return (columns * F::kBits + 7) / 8; }
  static SCHEMOE_BOTH int64_t scales_at(int64_t columns) { return round_up(code_bytes(columns), 4); }
  static SCHEMOE_BOTH int64_t blocks(int64_t columns) { return (columns + F::kBlock - 1) / F::kBlock; }
  static SCHEMOE_BOTH int64_t bytes(int64_t columns) {
    return round_up(scales_at(columns) + blocks(columns) * F::kScaleBytes, 16);
  }
};

}  // namespace schemoe::codecs
