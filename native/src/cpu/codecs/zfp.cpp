// zfp at a fixed rate: each row as a stream of blocks of four (zfp1), or the rows of a group as one of 4 x 4 (zfp2).
#include <algorithm>
#include <cstring>

#include "codecs/sizes.h"
#include "codecs/zfp_block.h"
#include "cpu/codecs/codecs.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace schemoe::codecs {

namespace {

using namespace zfp;

/// Bits one after another, from any bit of a row of bytes on; nothing before it in its byte is changed.
class Stream {
 public:
  explicit Stream(std::byte* to) : to_(to) {}
  void put(const uint64_t (&words)[4], uint32_t bits) {
    for (uint32_t at = 0; at < bits; at += 64) {
      const uint32_t count = bits - at < 64 ? bits - at : 64;
      const uint64_t word = words[at / 64];
      held_ |= word << fill_;
      if (fill_ + count < 64) {
        fill_ += count;
        continue;
      }
      const uint32_t rest = fill_ + count - 64;
      flush(8);
      held_ = rest ? word >> (count - rest) : 0;
      fill_ = rest;
    }
  }
  /// Zeros up to `end`.
  void finish(const std::byte* end) {
    if (fill_ > 0) flush(static_cast<size_t>(std::min<int64_t>(8, (fill_ + 7) / 8)));
    if (to_ < end) std::memset(to_, 0, static_cast<size_t>(end - to_));
  }

 private:
  void flush(size_t bytes) {
    std::memcpy(to_, &held_, bytes);
    to_ += bytes;
    held_ = 0;
    fill_ = 0;
  }
  std::byte* to_;
  uint64_t held_ = 0;
  uint32_t fill_ = 0;
};

/// `bits` bits from bit `at` of a stream of whole 64-bit words.
void read_bits(const std::byte* from, int64_t at, uint32_t bits, uint64_t (&words)[4]) {
  const int64_t first = at / 64;
  const auto shift = static_cast<uint32_t>(at % 64);
  for (uint32_t w = 0; w * 64 < bits; ++w) {
    uint64_t low, high = 0;
    std::memcpy(&low, from + (first + w) * 8, 8);
    if (shift > 0 && bits - w * 64 > 64 - shift) std::memcpy(&high, from + (first + w + 1) * 8, 8);
    words[w] = shift ? low >> shift | high << (64 - shift) : low;
  }
}

#ifdef __SSE2__
/// As `Planes`, a plane of four words being one instruction.
struct VectorPlanes {
  __m128i u[4];
  explicit VectorPlanes(const uint32_t (&from)[16]) {
    for (int i = 0; i < 4; ++i) u[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 4 * i));
  }
  uint32_t take() {
    const __m128i low = _mm_packs_epi32(u[0], u[1]), high = _mm_packs_epi32(u[2], u[3]);
    for (__m128i& v : u) v = _mm_add_epi32(v, v);
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
  }
};
#endif

template <int D, int kSize>
void encode_block(const float (&x)[kSize], uint32_t bits, BitWriter<4>& to, bool& finite) {
  const int exponent = exponent_of(x, finite);
  if (!finite || exponent == -kBias) return;
  to.put(static_cast<uint32_t>(2 * (exponent + kBias) + 1), kHeader);
  uint32_t u[kSize];
  to_planes<D>(x, exponent, u);
#ifdef __SSE2__
  if constexpr (kSize == 16) {
    VectorPlanes planes(u);
    return write_planes<kSize>(to, bits - kHeader, [&] { return planes.take(); });
  }
#endif
  Planes<kSize> planes;
  for (int i = 0; i < kSize; ++i) planes.u[i] = u[i];
  write_planes<kSize>(to, bits - kHeader, [&] { return planes.take(); });
}

template <int D, int kSize>
void decode_block(const uint64_t (&words)[4], uint32_t bits, float (&x)[kSize]) {
  BitReader<4> from{words};
  const uint32_t header = low_bits(from.peek(), kHeader);
  if (!(header & 1u)) {
    for (float& value : x) value = 0.0f;
    return;
  }
  from.at = kHeader;
  uint32_t u[kSize] = {};
  int left = 32;
  for (int i = 0; i < kSize; ++i) u[i] = 0;
  const auto give = [&](uint32_t plane) {
    for (int i = 0; i < kSize; ++i) u[i] = u[i] + u[i] + static_cast<uint32_t>((plane & 1u << i) != 0);
  };
  left -= read_planes<kSize>(from, bits - kHeader, give);
  for (int i = 0; i < kSize; ++i) u[i] = left < 32 ? u[i] << left : 0;
  from_planes<D>(u, static_cast<int>(header >> 1) - kBias, x);
}

/// Rows of a strip four or fewer high, block after block.
template <int D>
int64_t encode_strip(const Piece& p, Stream& stream, const float* x, int64_t stride) {
  constexpr int kSize = D == 1 ? 4 : 16;
  const auto bits = static_cast<uint32_t>(kSize * p.parameter);
  for (int64_t j = 0; j < p.columns; j += 4) {
    const int64_t n = std::min<int64_t>(4, p.columns - j);
    float block[kSize];
    for (int64_t r = 0; r < (D == 1 ? 1 : p.rows); ++r) {
      float* to = block + 4 * r;
      for (int64_t i = 0; i < n; ++i) to[i] = x[r * stride + j + i];
      pad(to, n, 1);
    }
    if (D == 2 && p.rows < 4) {
      for (int i = 0; i < 4; ++i) pad(block + i, p.rows, 4);
    }
    BitWriter<4> bit;
    bool finite;
    encode_block<D>(block, bits, bit, finite);
    if (!finite) {
      for (int64_t i = 0;; ++i) {
        if (!codecs::finite(block[i])) return i / 4;
      }
    }
    bit.keep();
    stream.put(bit.words, bits);
  }
  return -1;
}

template <int D>
void decode_strip(const Piece& p, const std::byte* from, int64_t at, float* x, int64_t stride) {
  constexpr int kSize = D == 1 ? 4 : 16;
  const auto bits = static_cast<uint32_t>(kSize * p.parameter);
  for (int64_t j = 0; j < p.columns; j += 4, at += bits) {
    uint64_t words[4] = {};
    read_bits(from, at, bits, words);
    float block[kSize];
    decode_block<D>(words, bits, block);
    const int64_t n = std::min<int64_t>(4, p.columns - j);
    for (int64_t r = 0; r < (D == 1 ? 1 : p.rows); ++r) {
      for (int64_t i = 0; i < n; ++i) x[r * stride + j + i] = block[4 * r + i];
    }
  }
}

int64_t row_bytes(const Piece& p) { return zfp1_bytes(1, p.columns, SCHEMOE_F32, p.parameter); }

/// Bytes of a strip of 4 x 4 blocks, which always end on one.
int64_t strip_bytes(const Piece& p) { return (p.columns + 3) / 4 * 2 * p.parameter; }

}  // namespace

int64_t encode_zfp1(const Piece& p, const float* x, int64_t stride) {
  std::byte* to = p.wire + p.line * row_bytes(p);
  Stream stream(to);
  const int64_t odd = encode_strip<1>(p, stream, x, stride);
  stream.finish(to + row_bytes(p));
  return odd;
}

void decode_zfp1(const Piece& p, float* x, int64_t stride) { decode_strip<1>(p, p.wire + p.line * row_bytes(p), 0, x, stride); }

int64_t encode_zfp2(const Piece& p, const float* x, int64_t stride) {
  std::byte* group = p.wire + p.group_offset;
  std::byte* to = group + p.group_line / 4 * strip_bytes(p);
  Stream stream(to);
  const int64_t odd = encode_strip<2>(p, stream, x, stride);
  // The stream of the group ends on 64 bits.
  const bool last = p.group_line + p.rows == p.group_rows;
  stream.finish(last ? group + zfp2_bytes(p.group_rows, p.columns, SCHEMOE_F32, p.parameter) : to + strip_bytes(p));
  return odd;
}

void decode_zfp2(const Piece& p, float* x, int64_t stride) {
  decode_strip<2>(p, p.wire + p.group_offset, p.group_line / 4 * strip_bytes(p) * 8, x, stride);
}

}  // namespace schemoe::codecs
