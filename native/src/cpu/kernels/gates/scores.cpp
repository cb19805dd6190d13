// Scores of logits, and probabilities of scores.
#include "cpu/kernels/gates/scores.h"

#include <algorithm>

namespace schemoe {

void score_row(Scores kind, const float* logits, float* scores, int64_t rows) {
  switch (kind) {
    case Scores::softmax: {
      const float most = *std::max_element(logits, logits + rows);
      double sum = 0;
      for (int64_t e = 0; e < rows; ++e) {
        scores[e] = std::exp(logits[e] - most);
        sum += scores[e];
      }
      for (int64_t e = 0; e < rows; ++e) scores[e] = static_cast<float>(scores[e] / sum);
      return;
    }
    case Scores::sigmoid:
      for (int64_t e = 0; e < rows; ++e) scores[e] = sigmoid(logits[e]);
      return;
    case Scores::sqrt_softplus:
      for (int64_t e = 0; e < rows; ++e) scores[e] = std::sqrt(softplus(logits[e]));
      return;
    case Scores::softmax_of_chosen: std::copy_n(logits, rows, scores); return;
    case Scores::relu:
      // NaN stays what it is
      for (int64_t e = 0; e < rows; ++e) scores[e] = logits[e] <= 0 ? 0.0f : logits[e];
      return;
  }
}

double softmax_row(const float* logits, double* out, int64_t rows) {
  const double most = *std::max_element(logits, logits + rows);
  double sum = 0;
  for (int64_t e = 0; e < rows; ++e) {
    out[e] = std::exp(logits[e] - most);
    sum += out[e];
  }
  for (int64_t e = 0; e < rows; ++e) out[e] /= sum;
  return most + std::log(sum);
}

void probabilities(Scores kind, const float* scores, double* out, int64_t rows) {
  if (kind == Scores::softmax_of_chosen) {
    softmax_row(scores, out, rows);
    return;
  }
  double sum = 1;
  if (kind != Scores::softmax) {
    sum = kTiny;
    for (int64_t e = 0; e < rows; ++e) sum += scores[e];
  }
  for (int64_t e = 0; e < rows; ++e) out[e] = scores[e] / sum;
}

}  // namespace schemoe
