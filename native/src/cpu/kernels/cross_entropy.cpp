// The loss of a language model and its gradient in one go, so that logits of some rows suffice.
#include <cmath>

#include "cpu/kernels/exponential.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/lanes.h"
#include "cpu/kernels/vector.h"

namespace schemoe {

namespace {

SCHEMOE_VECTOR double exponentials(float* logits, int64_t columns, float& most) {
  most = logits[0];
  for (int64_t j = 1; j < columns; ++j) most = logits[j] > most ? logits[j] : most;
  for (int64_t j = 0; j < columns; ++j) logits[j] = exponential_or_limit(logits[j] - most);
  return sum_lanes(columns, [&](int64_t j) { return logits[j]; });
}

SCHEMOE_VECTOR void multiply(float* values, int64_t count, float factor) {
  for (int64_t j = 0; j < count; ++j) values[j] *= factor;
}

}  // namespace

void run(const CrossEntropy& c, const Context& context) {
  auto *logits = context.at<float>(c.logits), *loss = context.at<float>(c.loss);
  const auto* targets = context.at<const int32_t>(c.targets);
  for (int64_t row = 0; row < c.rows && !context.stop; ++row, logits += c.columns) {
    const int64_t target = checked("targets", targets[row], c.columns);
    const double right = logits[target];
    float most;
    const double sum = exponentials(logits, c.columns, most);
    loss[row] = static_cast<float>(most + std::log(sum) - right);
    multiply(logits, c.columns, static_cast<float>(c.scale / sum));
    logits[target] -= static_cast<float>(c.scale);
  }
}

}  // namespace schemoe
