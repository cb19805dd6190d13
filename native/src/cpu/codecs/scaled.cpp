// Rows to codes that share scales in blocks of columns, and back.
#include <cstring>

#include "codecs/scaled_formats.h"
#include "cpu/codecs/codecs.h"
#include "cpu/kernels/vector.h"

namespace schemoe::codecs {

namespace {

/// Largest finite magnitude of a block, and whether it has values that are not finite.
SCHEMOE_INLINE float largest(const float* x, int64_t count, bool& odd) {
  constexpr auto kEnd = static_cast<int32_t>(kInfinity);
  int32_t most = 0, all = 0;  // signed: vectors without AVX2 compare no others
  for (int64_t i = 0; i < count; ++i) {
    const auto magnitude = static_cast<int32_t>(magnitude_of(x[i]));
    all = magnitude > all ? magnitude : all;
    const int32_t number = magnitude < kEnd ? magnitude : 0;
    most = number > most ? number : most;
  }
  odd = all >= kEnd;
  return float_of(static_cast<uint32_t>(most));
}

/// The random words of a block's columns, from `column` on.
SCHEMOE_INLINE void random_words(uint32_t* words, int64_t count, uint64_t seed, uint64_t token, int64_t column) {
  for (int64_t i = 0; i < count; i += normals::kBlock) {
    const auto four = random_block(seed, token, column + i);
    for (int k = 0; k < normals::kBlock; ++k) words[i + k] = four.word[k];
  }
}

/// A block of `count` columns, which is a constant but at the end of a row.
template <class F, bool kRandom>
SCHEMOE_INLINE void encode_block(const Piece& p, std::byte* row, std::byte* scales, const float* x, int64_t j, int64_t count) {
  bool odd;
  const float most = largest(x + j, count, odd);
  const Scale scale = F::scale(most, odd);
  std::memcpy(scales + j / F::kBlock * F::kScaleBytes, &scale.stored, F::kScaleBytes);
  uint32_t words[F::kBlock];
  if constexpr (kRandom) random_words(words, count, p.seed, static_cast<uint64_t>(p.number), j);
  uint8_t codes[F::kBlock + 1];
  for (int64_t i = 0; i < count; ++i) codes[i] = static_cast<uint8_t>(F::code(x[j + i], scale, kRandom, kRandom ? words[i] : 0));
  if constexpr (F::kBits == 8) {
    std::memcpy(row + j, codes, static_cast<size_t>(count));
  } else {
    codes[count] = 0;  // beside the last of an odd number
    for (int64_t i = 0; i < (count + 1) / 2; ++i) {
      uint16_t pair;
      std::memcpy(&pair, codes + 2 * i, 2);
      row[j / 2 + i] = static_cast<std::byte>(pair | pair >> 4);
    }
  }
}

template <class F, bool kRandom>
SCHEMOE_VECTOR void encode_row(const Piece& p, std::byte* row, const float* x) {
  std::byte* scales = row + RowLayout<F>::scales_at(p.columns);
  const int64_t whole = p.columns / F::kBlock * F::kBlock;
  for (int64_t j = 0; j < whole; j += F::kBlock) encode_block<F, kRandom>(p, row, scales, x, j, F::kBlock);
  if (whole < p.columns) encode_block<F, kRandom>(p, row, scales, x, whole, p.columns - whole);
}

template <class F>
SCHEMOE_INLINE void decode_block(float* x, const std::byte* row, const std::byte* scales, int64_t j, int64_t count) {
  uint32_t stored = 0;
  std::memcpy(&stored, scales + j / F::kBlock * F::kScaleBytes, F::kScaleBytes);
  const float scale = F::stored(stored);
  uint8_t codes[F::kBlock + 1];
  if constexpr (F::kBits == 8) {
    std::memcpy(codes, row + j, static_cast<size_t>(count));
  } else {
    for (int64_t i = 0; i < (count + 1) / 2; ++i) {
      const auto both = static_cast<uint16_t>(row[j / 2 + i]);
      const auto pair = static_cast<uint16_t>((both | both << 4) & 0x0f0f);
      std::memcpy(codes + 2 * i, &pair, 2);
    }
  }
  for (int64_t i = 0; i < count; ++i) x[j + i] = F::value(codes[i]) * scale;
}

template <class F>
SCHEMOE_VECTOR void decode_row(float* x, const std::byte* row, int64_t columns) {
  const std::byte* scales = row + RowLayout<F>::scales_at(columns);
  const int64_t whole = columns / F::kBlock * F::kBlock;
  for (int64_t j = 0; j < whole; j += F::kBlock) decode_block<F>(x, row, scales, j, F::kBlock);
  if (whole < columns) decode_block<F>(x, row, scales, whole, columns - whole);
}

}  // namespace

template <class F>
int64_t encode_scaled(const Piece& p, const float* x, int64_t) {
  using Layout = RowLayout<F>;
  const int64_t bytes = Layout::bytes(p.columns), codes = Layout::code_bytes(p.columns);
  std::byte* row = p.wire + p.line * bytes;
  std::memset(row + codes, 0, static_cast<size_t>(bytes - codes));
  if (p.seed) encode_row<F, true>(p, row, x);
  else encode_row<F, false>(p, row, x);
  return -1;
}

template <class F>
void decode_scaled(const Piece& p, float* x, int64_t) {
  decode_row<F>(x, p.wire + p.line * RowLayout<F>::bytes(p.columns), p.columns);
}

#define SCHEMOE_FORMAT(F)                                            \
  template int64_t encode_scaled<F>(const Piece&, const float*, int64_t); \
  template void decode_scaled<F>(const Piece&, float*, int64_t);

SCHEMOE_FORMAT(Fp8)
SCHEMOE_FORMAT(E5m2)
SCHEMOE_FORMAT(Mxfp8)
SCHEMOE_FORMAT(Mxfp4)
SCHEMOE_FORMAT(Int8Block)
SCHEMOE_FORMAT(Int4)

}  // namespace schemoe::codecs
