// Rows to the bytes of a wire and back.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/kernels/half.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/vector.h"

namespace schemoe {

namespace {

struct Scale {
  float min;
  float step;
};

SCHEMOE_VECTOR Scale scale_of(const float* x, int64_t columns) {
  if (columns == 0) return {0.0f, 0.0f};
  constexpr int kLanes = 8;
  float low[kLanes], high[kLanes];
  std::fill_n(low, kLanes, INFINITY);
  std::fill_n(high, kLanes, -INFINITY);
  int64_t j = 0;
  for (; j + kLanes <= columns; j += kLanes) {
    for (int i = 0; i < kLanes; ++i) {
      low[i] = x[j + i] < low[i] ? x[j + i] : low[i];
      high[i] = x[j + i] > high[i] ? x[j + i] : high[i];
    }
  }
  for (; j < columns; ++j) {
    low[0] = x[j] < low[0] ? x[j] : low[0];
    high[0] = x[j] > high[0] ? x[j] : high[0];
  }
  // Which of two zeros is found depends on the order of comparing; adding zero makes it +0.
  const float min = *std::min_element(low, low + kLanes) + 0.0f;
  return {min, (*std::max_element(high, high + kLanes) - min) / 255.0f};
}

SCHEMOE_VECTOR void quantize(std::byte* to, const float* x, Scale scale, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) {
    const float level = (x[j] - scale.min) / scale.step + 0.5f;
    // Not negative, so that cutting the fraction off is floor; NaN becomes 0.
    const float from_zero = level > 0.0f ? level : 0.0f;
    to[j] = static_cast<std::byte>(static_cast<int32_t>(from_zero < 255.0f ? from_zero : 255.0f));
  }
}

SCHEMOE_VECTOR void dequantize(float* x, const std::byte* from, Scale scale, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) {
    x[j] = scale.min + static_cast<float>(static_cast<int32_t>(from[j])) * scale.step;
  }
}

void encode_int8(std::byte* block, int64_t lines, int64_t line, const float* x, int64_t columns) {
  const Scale scale = scale_of(x, columns);
  std::memcpy(block + line * 8, &scale, 8);
  std::byte* to = block + lines * 8 + line * columns;
  if (scale.step == 0.0f) std::fill_n(to, columns, std::byte{0});
  else quantize(to, x, scale, columns);
}

void decode_int8(const std::byte* block, int64_t lines, int64_t line, float* x, int64_t columns) {
  Scale scale;
  std::memcpy(&scale, block + line * 8, 8);
  dequantize(x, block + lines * 8 + line * columns, scale, columns);
}

/// Calls `body(wire block, rows of a block, row, its floats)` for every row.
template <class Body>
void each_line(const Codec& c, const Context& context, Body&& body) {
  const int64_t lines = c.groups * c.rows;
  // Rows without columns take wire only for their scales.
  if (lines == 0 || (c.columns == 0 && c.codec != SCHEMOE_CODEC_INT8)) return;
  auto* x = context.at<float>(c.x);
  auto* wire = context.at<std::byte>(c.wire);
  for (int64_t block = 0; block < c.blocks; ++block) {
    for (int64_t group = 0; group < c.groups && !context.stop; ++group) {
      for (int64_t row = 0; row < c.rows; ++row) {
        const int64_t offset = block * c.block_stride + group * c.group_stride + row * c.row_stride;
        body(wire + block * c.block_bytes, lines, group * c.rows + row, x + (c.columns > 0 ? offset : 0));
      }
    }
  }
}

}  // namespace

void run(const Encode& c, const Context& context) {
  const int64_t n = c.columns;
  each_line(c, context, [&](std::byte* block, int64_t lines, int64_t line, const float* x) {
    switch (c.codec) {
      case SCHEMOE_CODEC_NONE: std::memcpy(block + line * n * 4, x, static_cast<size_t>(n) * 4); break;
      case SCHEMOE_CODEC_FP16: halves_from_floats(block + line * n * 2, x, n); break;
      case SCHEMOE_CODEC_BF16: bfloat16s_from_floats(block + line * n * 2, x, n); break;
      case SCHEMOE_CODEC_INT8: encode_int8(block, lines, line, x, n); break;
    }
  });
}

void run(const Decode& c, const Context& context) {
  const int64_t n = c.columns;
  each_line(c, context, [&](const std::byte* block, int64_t lines, int64_t line, float* x) {
    switch (c.codec) {
      case SCHEMOE_CODEC_NONE: std::memcpy(x, block + line * n * 4, static_cast<size_t>(n) * 4); break;
      case SCHEMOE_CODEC_FP16: floats_from_halves(x, block + line * n * 2, n); break;
      case SCHEMOE_CODEC_BF16: floats_from_bfloat16s(x, block + line * n * 2, n); break;
      case SCHEMOE_CODEC_INT8: decode_int8(block, lines, line, x, n); break;
    }
  });
}

}  // namespace schemoe
