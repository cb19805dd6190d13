// Blocks of 4 and of 4 x 4 floats at a fixed number of bits, as zfp codes them: one exponent, a lifted
// transform, bit planes with group tests (Lindstrom, "Fixed-rate compressed floating-point arrays", TVCG
// 2014). Written anew from the published description; bits are compared with libzfp's in the tests.
#pragma once

#include "codecs/both.h"

namespace schemoe::codecs::zfp {

/// Exponents of a block: biased by this, and at least that of the smallest normal number.
inline constexpr int kBias = 127;
inline constexpr int kHeader = 9;
inline constexpr uint32_t kNegabinary = 0xaaaaaaaau;

/// Coefficients in the order in which they are coded.
template <int D>
SCHEMOE_BOTH constexpr int ordered(int i) {
  constexpr int k2[16] = {0, 1, 4, 5, 2, 8, 6, 9, 3, 12, 10, 7, 13, 11, 14, 15};
  return D == 1 ? i : k2[i];
}

/// At most W * 64 bits, least significant first.
template <int W>
struct BitWriter {
  uint64_t words[W] = {};
  uint64_t held = 0;
  uint32_t fill = 0, word = 0;
  /// At most 32 bits; those above `count` are not set.
  SCHEMOE_BOTH void put(uint32_t value, uint32_t count) {
    held |= uint64_t{value} << fill;
    fill += count;
    if (fill < 64) return;
    keep();
    fill -= 64;
    held = fill ? uint64_t{value} >> (count - fill) : 0;
  }
  /// Without an index that depends on data, so that the words can stay in registers.
  SCHEMOE_BOTH void keep() {
    SCHEMOE_UNROLL
    for (uint32_t w = 0; w < W; ++w) {
      if (w == word) words[w] = held;
    }
    ++word;
  }
};

template <int W>
struct BitReader {
  uint64_t words[W];
  uint32_t at = 0;
  SCHEMOE_BOTH explicit BitReader(const uint64_t (&from)[W]) {
    SCHEMOE_UNROLL
    for (int w = 0; w < W; ++w) words[w] = from[w];
  }
  /// The next 32 bits; zeros behind the end.
  SCHEMOE_BOTH uint32_t peek() const {
    const uint32_t word = at >> 6, shift = at & 63;
    uint64_t low = 0, high = 0;
    SCHEMOE_UNROLL
    for (uint32_t w = 0; w < W; ++w) {
      if (w == word) low = words[w];
      if (w == word + 1) high = words[w];
    }
    return static_cast<uint32_t>(shift ? low >> shift | high << (64 - shift) : low);
  }
};

SCHEMOE_BOTH uint32_t low_bits(uint32_t value, uint32_t count) {
  return count >= 32 ? value : value & ((1u << count) - 1);
}

SCHEMOE_BOTH int trailing_zeros(uint32_t value) {
#ifdef __CUDA_ARCH__
  return __ffs(static_cast<int>(value)) - 1;
#else
  return std::countr_zero(value);
#endif
}

/// One step of the transform on four values, in integers that wrap.
SCHEMOE_BOTH void lift(int32_t& x, int32_t& y, int32_t& z, int32_t& w) {
  const auto add = [](int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b)); };
  const auto less = [](int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b)); };
  x = add(x, w), x >>= 1, w = less(w, x);
  z = add(z, y), z >>= 1, y = less(y, z);
  x = add(x, z), x >>= 1, z = less(z, x);
  w = add(w, y), w >>= 1, y = less(y, w);
  w = add(w, y >> 1), y = less(y, w >> 1);
}

SCHEMOE_BOTH void unlift(int32_t& x, int32_t& y, int32_t& z, int32_t& w) {
  const auto add = [](int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b)); };
  const auto less = [](int32_t a, int32_t b) { return static_cast<int32_t>(static_cast<uint32_t>(a) - static_cast<uint32_t>(b)); };
  const auto twice = [](int32_t a) { return static_cast<int32_t>(static_cast<uint32_t>(a) << 1); };
  y = add(y, w >> 1), w = less(w, y >> 1);
  y = add(y, w), w = less(twice(w), y);
  z = add(z, x), x = less(twice(x), z);
  y = add(y, z), z = less(twice(z), y);
  w = add(w, x), x = less(twice(x), w);
}

template <int D>
SCHEMOE_BOTH void transform(int32_t (&v)[D == 1 ? 4 : 16]) {
  if constexpr (D == 1) {
    lift(v[0], v[1], v[2], v[3]);
  } else {
SCHEMOE_UNROLL
    for (int y = 0; y < 4; ++y) lift(v[4 * y], v[4 * y + 1], v[4 * y + 2], v[4 * y + 3]);
SCHEMOE_UNROLL
    for (int x = 0; x < 4; ++x) lift(v[x], v[x + 4], v[x + 8], v[x + 12]);
  }
}

template <int D>
SCHEMOE_BOTH void inverse(int32_t (&v)[D == 1 ? 4 : 16]) {
  if constexpr (D == 2) {
SCHEMOE_UNROLL
    for (int x = 0; x < 4; ++x) unlift(v[x], v[x + 4], v[x + 8], v[x + 12]);
SCHEMOE_UNROLL
    for (int y = 0; y < 4; ++y) unlift(v[4 * y], v[4 * y + 1], v[4 * y + 2], v[4 * y + 3]);
  } else {
    unlift(v[0], v[1], v[2], v[3]);
  }
}

/// Pads a partial block of four, of which `n` values exist, `step` from each other.
SCHEMOE_BOTH void pad(float* p, int64_t n, int step) {
  if (n <= 1) p[step] = p[0];
  if (n <= 2) p[2 * step] = p[step];
  if (n <= 3) p[3 * step] = p[0];
}

/// The planes of `kSize` words, the highest bits first.
template <int kSize>
struct Planes {
  uint32_t u[kSize] = {};
  /// Takes the highest bits: bit i is that of word i.
  SCHEMOE_BOTH uint32_t take();
  /// Puts a plane below those that are there.
  SCHEMOE_BOTH void give(uint32_t plane) {
SCHEMOE_UNROLL
    for (int i = 0; i < kSize; ++i) u[i] = u[i] << 1 | (plane >> i & 1u);
  }
};

template <int kSize>
SCHEMOE_BOTH uint32_t Planes<kSize>::take() {
  uint32_t plane = 0;
SCHEMOE_UNROLL
  for (int i = kSize - 1; i >= 0; --i) {
#ifdef __CUDA_ARCH__
    plane = __funnelshift_l(u[i], plane, 1);
#else
    plane = plane << 1 | u[i] >> 31;
#endif
    u[i] <<= 1;
  }
  return plane;
}

/// Planes until `bits` bits are written. `take` gives the next plane.
template <int kSize, class Writer, class Take>
SCHEMOE_BOTH void write_planes(Writer& to, uint32_t bits, Take&& take) {
  uint32_t n = 0;  // coefficients that have had a bit that is set
  for (int k = 0; k < 32 && bits > 0; ++k) {
    uint32_t plane = take();
    const uint32_t verbatim = n < bits ? n : bits;
    to.put(low_bits(plane, verbatim), verbatim);
    bits -= verbatim;
    plane >>= n;
    while (n < kSize && bits > 0) {
      if (plane == 0) {
        to.put(0, 1);
        --bits;
        break;
      }
      // A test that says yes, bits that are not set, and the one that is, which the last coefficient need not say.
      const auto zeros = static_cast<uint32_t>(trailing_zeros(plane));
      const bool last = n + zeros + 1 == kSize;
      const uint32_t length = 1 + zeros + (last ? 0 : 1);
      const uint32_t pattern = 1u | (last ? 0u : 2u << zeros);
      const uint32_t written = length < bits ? length : bits;
      to.put(low_bits(pattern, written), written);
      bits -= written;
      n += zeros + 1;
      plane >>= zeros + 1;
    }
  }
}

/// The inverse; returns the number of planes read.
template <int kSize, class Reader, class Give>
SCHEMOE_BOTH int read_planes(Reader& from, uint32_t bits, Give&& give) {
  uint32_t n = 0;
  int k = 0;
  for (; k < 32 && bits > 0; ++k) {
    const uint32_t verbatim = n < bits ? n : bits;
    uint32_t plane = low_bits(from.peek(), verbatim);
    from.at += verbatim;
    bits -= verbatim;
    while (n < kSize && bits > 0) {
      const uint32_t ahead = from.peek();
      ++from.at, --bits;
      if (!(ahead & 1u)) break;
      // Bits of the next coefficients up to the one that is set; the last one's is not written.
      const uint32_t most = kSize - 1 - n < bits ? kSize - 1 - n : bits;
      const uint32_t rest = low_bits(ahead >> 1, most);
      const uint32_t zeros = rest ? static_cast<uint32_t>(trailing_zeros(rest)) : most;
      const uint32_t read = rest ? zeros + 1 : most;
      from.at += read, bits -= read;
      n += zeros;
      plane |= 1u << n;
      ++n;
    }
    give(plane);
  }
  return k;
}

/// Largest exponent of a block, 1 - kBias at least, or -kBias where all are zero: biased, it is 0 then.
template <int kSize>
SCHEMOE_BOTH int exponent_of(const float (&x)[kSize], bool& finite) {
  uint32_t most = 0;
SCHEMOE_UNROLL
  for (int i = 0; i < kSize; ++i) {
    const uint32_t magnitude = magnitude_of(x[i]);
    most = magnitude > most ? magnitude : most;
  }
  finite = most < kInfinity;
  if (most == 0) return -kBias;
  // As frexp counts: the mantissa lies in [0.5, 1). Numbers below the normal ones count as the smallest.
  const int exponent = static_cast<int>(most >> 23) - kBias + 1;
  return exponent < 1 - kBias ? 1 - kBias : exponent;
}

/// To fixed point with 30 bits behind the point of the block's exponent; then the transform, in the order of coding.
template <int D, int kSize>
SCHEMOE_BOTH void to_planes(const float (&x)[kSize], int exponent, uint32_t (&u)[kSize]) {
  int32_t v[kSize];
  if (30 - exponent <= 127) {
    const float scale = power_of_two(30 - exponent);
SCHEMOE_UNROLL
    for (int i = 0; i < kSize; ++i) v[i] = static_cast<int32_t>(x[i] * scale);
  } else {
SCHEMOE_UNROLL
    for (int i = 0; i < kSize; ++i) v[i] = static_cast<int32_t>(scaled(x[i], 30 - exponent));
  }
  transform<D>(v);
SCHEMOE_UNROLL
  for (int i = 0; i < kSize; ++i) u[i] = (static_cast<uint32_t>(v[ordered<D>(i)]) + kNegabinary) ^ kNegabinary;
}

template <int D, int kSize>
SCHEMOE_BOTH void from_planes(const uint32_t (&u)[kSize], int exponent, float (&x)[kSize]) {
  int32_t v[kSize];
SCHEMOE_UNROLL
  for (int i = 0; i < kSize; ++i) v[ordered<D>(i)] = static_cast<int32_t>((u[i] ^ kNegabinary) - kNegabinary);
  inverse<D>(v);
  if (exponent - 30 >= -126) {
    const float scale = power_of_two(exponent - 30);
SCHEMOE_UNROLL
    for (int i = 0; i < kSize; ++i) x[i] = static_cast<float>(v[i]) * scale;
  } else {
SCHEMOE_UNROLL
    for (int i = 0; i < kSize; ++i) x[i] = scaled(static_cast<float>(v[i]), exponent - 30);
  }
}

}  // namespace schemoe::codecs::zfp
