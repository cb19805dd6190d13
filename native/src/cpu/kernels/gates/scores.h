// Scores of logits and their slopes, as the kernels of gates share them.
#pragma once

#include <cmath>
#include <cstdint>

#include "runtime/arguments_gates.h"

namespace schemoe {

inline float sigmoid(float z) {
  if (z >= 0) return 1.0f / (1.0f + std::exp(-z));
  const float e = std::exp(z);
  return e / (1.0f + e);
}

inline float softplus(float z) { return (z > 0 ? z : z == z ? 0.0f : z) + std::log1p(std::exp(-std::fabs(z))); }

/// What keeps a sum of scores from being a divisor of 0.
inline constexpr double kTiny = 1e-20;

/// NaN goes before everything: where it is chosen it shows.
inline bool above(float a, float b) { return a == a ? a > b : b == b; }

/// Scores of a row of logits.
void score_row(Scores kind, const float* logits, float* scores, int64_t rows);

/// Softmax of a row in double; returns the logarithm of the sum of exponentials.
double softmax_row(const float* logits, double* out, int64_t rows);

/// Probabilities of a row: what losses on balance take the mean of.
void probabilities(Scores kind, const float* scores, double* out, int64_t rows);

/// Which tokens are padding, if any.
struct Padding {
  const int32_t* marks;
  bool operator()(int64_t token) const { return marks && marks[token] != 0; }
  /// How many of them are not, at least 1.
  double others(int64_t tokens) const {
    int64_t count = 0;
    for (int64_t token = 0; token < tokens; ++token) count += !(*this)(token);
    return static_cast<double>(count > 1 ? count : 1);
  }
};

}  // namespace schemoe
