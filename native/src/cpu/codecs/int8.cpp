// A byte a value between the least and the largest of its row.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "codecs/both.h"
#include "cpu/codecs/codecs.h"
#include "cpu/kernels/vector.h"

namespace schemoe::codecs {

namespace {

struct Scale {
  float min;
  float step;
};

/// From this step on a row's range is counted in quarters, since it may overflow.
constexpr float kWideStep = 0x1p100f;
/// Steps below it have fewer bits.
constexpr float kLeastStep = 0x1p-126f;

SCHEMOE_VECTOR Scale scale_of(const float* x, int64_t columns) {
  if (columns == 0) return {0.0f, 0.0f};
  constexpr int kLanes = 8;
  float low[kLanes], high[kLanes], odd[kLanes] = {};
  std::fill_n(low, kLanes, INFINITY);
  std::fill_n(high, kLanes, -INFINITY);
  int64_t j = 0;
  for (; j + kLanes <= columns; j += kLanes) {
    for (int i = 0; i < kLanes; ++i) {
      low[i] = x[j + i] < low[i] ? x[j + i] : low[i];
      high[i] = x[j + i] > high[i] ? x[j + i] : high[i];
      odd[i] += x[j + i] * 0.0f;  // NaN once there is one or an infinity
    }
  }
  for (; j < columns; ++j) {
    low[0] = x[j] < low[0] ? x[j] : low[0];
    high[0] = x[j] > high[0] ? x[j] : high[0];
    odd[0] += x[j] * 0.0f;
  }
  for (int i = 1; i < kLanes; ++i) odd[0] += odd[i];
  if (odd[0] != 0.0f) return {float_of(kNan), float_of(kNan)};
  // Which of two zeros is found depends on the order of comparing; adding zero makes it +0.
  const float min = *std::min_element(low, low + kLanes) + 0.0f;
  const float max = *std::max_element(high, high + kLanes) + 0.0f;
  const float step = (max - min) / 255.0f;
  // Below the normal numbers a step that is rounded down, and be it to 0, would leave the largest value out of reach.
  if (step < kLeastStep && step * 255.0f < max - min) return {min, float_of(magnitude_of(step) + 1)};
  return {min, step < kWideStep ? step : (max * 0.25f - min * 0.25f) / 255.0f * 4.0f};
}

SCHEMOE_VECTOR void quantize(std::byte* to, const float* x, Scale scale, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) {
    const float level = (x[j] - scale.min) / scale.step + 0.5f;
    // Not negative, so that cutting the fraction off is floor; NaN becomes 0.
    const float from_zero = level > 0.0f ? level : 0.0f;
    to[j] = static_cast<std::byte>(static_cast<int32_t>(from_zero < 255.0f ? from_zero : 255.0f));
  }
}

void quantize_wide(std::byte* to, const float* x, Scale scale, int64_t columns) {
  const float min = scale.min * 0.25f, step = scale.step * 0.25f;
  for (int64_t j = 0; j < columns; ++j) {
    const float level = (x[j] * 0.25f - min) / step + 0.5f;
    to[j] = static_cast<std::byte>(static_cast<int32_t>(level < 255.0f ? level : 255.0f));
  }
}

SCHEMOE_VECTOR void dequantize(float* x, const std::byte* from, Scale scale, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) {
    x[j] = scale.min + static_cast<float>(static_cast<int32_t>(from[j])) * scale.step;
  }
}

void dequantize_wide(float* x, const std::byte* from, Scale scale, int64_t columns) {
  const float min = scale.min * 0.25f, step = scale.step * 0.25f;
  constexpr float kMost = 0x1.fffffep127f * 0.25f;
  for (int64_t j = 0; j < columns; ++j) {
    const float quarter = min + static_cast<float>(static_cast<int32_t>(from[j])) * step;
    x[j] = (quarter > kMost ? kMost : quarter) * 4.0f;
  }
}

}  // namespace

int64_t encode_int8(const Piece& p, const float* x, int64_t) {
  const Scale scale = scale_of(x, p.columns);
  std::memcpy(p.wire + p.line * 8, &scale, 8);
  std::byte* to = p.wire + p.lines * 8 + p.line * p.columns;
  if (scale.step == 0.0f || std::isnan(scale.step)) std::fill_n(to, p.columns, std::byte{0});
  else if (scale.step < kWideStep) quantize(to, x, scale, p.columns);
  else quantize_wide(to, x, scale, p.columns);
  return -1;
}

void decode_int8(const Piece& p, float* x, int64_t) {
  Scale scale;
  std::memcpy(&scale, p.wire + p.line * 8, 8);
  const std::byte* from = p.wire + p.lines * 8 + p.line * p.columns;
  if (scale.step >= kWideStep) dequantize_wide(x, from, scale, p.columns);
  else dequantize(x, from, scale, p.columns);
}

}  // namespace schemoe::codecs
