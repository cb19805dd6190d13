// RMSNorm (Zhang and Sennrich, NeurIPS'19) and LayerNorm (Ba et al., 2016), and sums of tensors.
#include <algorithm>
#include <cmath>

#include "cpu/kernels/kernels.h"
#include "cpu/kernels/lanes.h"
#include "cpu/kernels/vector.h"

namespace schemoe {

namespace {

struct Statistics {
  float mean, inverse;
};

SCHEMOE_VECTOR Statistics statistics_of(const float* x, int64_t columns, bool centered, double epsilon) {
  const auto mean = centered
                        ? static_cast<float>(sum_lanes(columns, [&](int64_t j) { return x[j]; }) / static_cast<double>(columns))
                        : 0.0f;
  const double squares = sum_lanes(columns, [&](int64_t j) { return (x[j] - mean) * (x[j] - mean); });
  return {mean, static_cast<float>(1 / std::sqrt(squares / static_cast<double>(columns) + epsilon))};
}

SCHEMOE_VECTOR void normalize(const float* x, const float* weight, const float* bias, float* y, int64_t columns,
                              Statistics s) {
  for (int64_t j = 0; j < columns; ++j) y[j] = (x[j] - s.mean) * s.inverse * weight[j];
  if (!bias) return;
  for (int64_t j = 0; j < columns; ++j) y[j] += bias[j];
}

SCHEMOE_VECTOR void row_grad(const NormGrad& n, const float* dy, const float* x, const float* weight, float* dx,
                             Statistics s) {
  // With g = dy * weight and h the normalised row: dx = (g - mean(g) - h mean(g h)) / deviation.
  const auto columns = static_cast<double>(n.columns);
  const auto along = static_cast<float>(
      sum_lanes(n.columns, [&](int64_t j) { return dy[j] * weight[j] * ((x[j] - s.mean) * s.inverse); }) / columns);
  const auto shift = n.centered
                         ? static_cast<float>(sum_lanes(n.columns, [&](int64_t j) { return dy[j] * weight[j]; }) / columns)
                         : 0.0f;
  for (int64_t j = 0; j < n.columns; ++j) {
    const float gradient = s.inverse * (dy[j] * weight[j] - shift - (x[j] - s.mean) * s.inverse * along);
    dx[j] = n.accumulate ? dx[j] + gradient : gradient;
  }
}

/// One row more in the sums over rows.
SCHEMOE_VECTOR void add_row(const float* dy, const float* x, int64_t columns, Statistics s, float* weight, float* bias) {
  for (int64_t j = 0; j < columns; ++j) weight[j] += dy[j] * ((x[j] - s.mean) * s.inverse);
  if (!bias) return;
  for (int64_t j = 0; j < columns; ++j) bias[j] += dy[j];
}

SCHEMOE_VECTOR double sum_block(const float* x, int64_t count, bool squares) {
  if (squares) return sum_lanes(count, [&](int64_t i) { return x[i] * x[i]; });
  return sum_lanes(count, [&](int64_t i) { return x[i]; });
}

}  // namespace

void run(const Norm& n, const Context& context) {
  const auto *x = context.at<const float>(n.x), *weight = context.at<const float>(n.weight);
  const auto* bias = context.at<const float>(n.bias);
  auto* y = context.at<float>(n.y);
  auto* statistics = context.at<Statistics>(n.statistics);
  for (int64_t row = 0; row < n.rows && !context.stop; ++row) {
    const Statistics s = statistics_of(x + row * n.columns, n.columns, n.centered, n.epsilon);
    statistics[row] = s;
    normalize(x + row * n.columns, weight, bias, y + row * n.columns, n.columns, s);
  }
}

void run(const NormGrad& n, const Context& context) {
  const auto *dy = context.at<const float>(n.dy), *x = context.at<const float>(n.x);
  const auto* weight = context.at<const float>(n.weight);
  const auto* statistics = context.at<const Statistics>(n.statistics);
  auto* dx = context.at<float>(n.dx);
  for (int64_t row = 0; row < n.rows && !context.stop; ++row) {
    const int64_t at = row * n.columns;
    row_grad(n, dy + at, x + at, weight, dx + at, statistics[row]);
  }
}

void run(const NormWeightGrad& n, const Context& context) {
  const auto *dy = context.at<const float>(n.dy), *x = context.at<const float>(n.x);
  const auto* statistics = context.at<const Statistics>(n.statistics);
  auto *weight = context.at<float>(n.weight), *bias = context.at<float>(n.bias);
  std::fill_n(weight, n.columns, 0.0f);
  if (bias) std::fill_n(bias, n.columns, 0.0f);
  for (int64_t row = 0; row < n.rows && !context.stop; ++row) {
    add_row(dy + row * n.columns, x + row * n.columns, n.columns, statistics[row], weight, bias);
  }
}

void run(const AddTensors& a, const Context& context) {
  const auto *left = context.at<const float>(a.a), *right = context.at<const float>(a.b);
  auto* out = context.at<float>(a.out);
  for (int64_t i = 0; i < a.count; ++i) out[i] = left[i] + right[i];
}

void run(const SumValues& s, const Context& context) {
  const auto* x = context.at<const float>(s.x);
  // Lanes of float add up a few terms only.
  constexpr int64_t kBlock = 4096;
  double sum = 0;
  for (int64_t begin = 0; begin < s.count && !context.stop; begin += kBlock) {
    sum += sum_block(x + begin, std::min(kBlock, s.count - begin), s.squares);
  }
  *context.at<float>(s.out) = static_cast<float>(sum);
}

}  // namespace schemoe
