// Rows to codes that share scales in blocks of columns, and back.
#include <algorithm>
#include <cstring>

#include "codecs/scaled_formats.h"
#include "cpu/codecs/codecs.h"
#include "cpu/kernels/vector.h"

namespace schemoe::codecs {

namespace {

/// Largest finite magnitude of a block, and whether it has values that are not finite.
SCHEMOE_VECTOR float largest(const float* x, int64_t count, bool& odd) {
  uint32_t most = 0, all = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t magnitude = magnitude_of(x[i]);
    all = magnitude > all ? magnitude : all;
    const uint32_t number = magnitude < kInfinity ? magnitude : 0;
    most = number > most ? number : most;
  }
  odd = all >= kInfinity;
  return float_of(most);
}

/// Codes of a block, a byte each.
template <class F>
SCHEMOE_VECTOR void nearest(uint8_t* codes, const float* x, int64_t count, Scale scale) {
  for (int64_t i = 0; i < count; ++i) codes[i] = static_cast<uint8_t>(F::code(x[i], scale, false, 0));
}

template <class F>
void at_random(uint8_t* codes, const float* x, int64_t count, const Scale& scale, const Piece& p, int64_t column) {
  for (int64_t i = 0; i < count; ++i) {
    codes[i] = static_cast<uint8_t>(F::code(x[i], scale, true, random_word(p.seed, static_cast<uint64_t>(p.number), column + i)));
  }
}

template <class F>
SCHEMOE_VECTOR void values(float* x, const uint8_t* codes, int64_t count, float scale) {
  for (int64_t i = 0; i < count; ++i) x[i] = F::value(codes[i]) * scale;
}

}  // namespace

template <class F>
int64_t encode_scaled(const Piece& p, const float* x, int64_t) {
  using Layout = RowLayout<F>;
  std::byte* row = p.wire + p.line * Layout::bytes(p.columns);
  std::byte* scales = row + Layout::scales_at(p.columns);
  std::memset(row + Layout::code_bytes(p.columns), 0, static_cast<size_t>(Layout::bytes(p.columns) - Layout::code_bytes(p.columns)));
  for (int64_t j = 0; j < p.columns; j += F::kBlock) {
    const int64_t count = std::min<int64_t>(F::kBlock, p.columns - j);
    bool odd;
    const float most = largest(x + j, count, odd);
    const Scale scale = F::scale(most, odd);
    std::memcpy(scales + j / F::kBlock * F::kScaleBytes, &scale.stored, F::kScaleBytes);
    uint8_t codes[F::kBlock + 1] = {};
    if (p.seed) at_random<F>(codes, x + j, count, scale, p, j);
    else nearest<F>(codes, x + j, count, scale);
    if constexpr (F::kBits == 8) {
      std::memcpy(row + j, codes, static_cast<size_t>(count));
    } else {
      for (int64_t i = 0; i < count; i += 2) row[(j + i) / 2] = static_cast<std::byte>(codes[i] | codes[i + 1] << 4);
    }
  }
  return -1;
}

template <class F>
void decode_scaled(const Piece& p, float* x, int64_t) {
  using Layout = RowLayout<F>;
  const std::byte* row = p.wire + p.line * Layout::bytes(p.columns);
  const std::byte* scales = row + Layout::scales_at(p.columns);
  for (int64_t j = 0; j < p.columns; j += F::kBlock) {
    const int64_t count = std::min<int64_t>(F::kBlock, p.columns - j);
    uint32_t stored = 0;
    std::memcpy(&stored, scales + j / F::kBlock * F::kScaleBytes, F::kScaleBytes);
    uint8_t codes[F::kBlock + 1];
    if constexpr (F::kBits == 8) {
      std::memcpy(codes, row + j, static_cast<size_t>(count));
    } else {
      for (int64_t i = 0; i < count; i += 2) {
        const auto both = static_cast<uint8_t>(row[(j + i) / 2]);
        codes[i] = both & 0xf;
        codes[i + 1] = both >> 4;
      }
    }
    values<F>(x + j, codes, count, F::stored(stored));
  }
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
