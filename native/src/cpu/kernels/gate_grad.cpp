// The gate backward.
#include <algorithm>

#include "cpu/kernels/kernels.h"

namespace schemoe {

void run(const GateGrad& g, const Context& context) {
  const float* scores = context.at<const float>(g.scores);
  const int32_t* choices = context.at<const int32_t>(g.choices);
  const float* weights = context.at<const float>(g.weights);
  const float* d_weights = context.at<const float>(g.d_weights);
  float* d_logits = context.at<float>(g.d_logits);

  // The auxiliary loss: E * sum_e mean_t(score) * f_e, where the fraction f_e of first choices has
  // no gradient. It gives every token the same slope aux * E * f_e / tokens.
  auto& scratch = context.scratch.doubles;
  scratch.assign(static_cast<size_t>(2 * g.experts), 0.0);
  double* slope = scratch.data();
  double* d_scores = slope + g.experts;
  for (int64_t token = 0; token < g.tokens; ++token) slope[checked("choices", choices[token * g.k], g.experts)] += 1;
  const auto tokens = static_cast<double>(std::max<int64_t>(g.tokens, 1));
  for (int64_t e = 0; e < g.experts; ++e) slope[e] *= g.aux_weight * static_cast<double>(g.experts) / (tokens * tokens);

  for (int64_t token = 0; token < g.tokens && !context.stop; ++token) {
    std::copy_n(slope, g.experts, d_scores);
    double sum = 1, mean = 0;
    if (g.normalize && g.k > 1) {
      // w_j = s_j / S, so ds_j = (dw_j - sum_i w_i dw_i) / S.
      sum = 0;
      for (int64_t c = 0; c < g.k; ++c) {
        sum += scores[checked("choices", choices[c], g.experts)];
        mean += static_cast<double>(weights[c]) * d_weights[c];
      }
    }
    for (int64_t c = 0; c < g.k; ++c) {
      d_scores[checked("choices", choices[c], g.experts)] += (d_weights[c] - mean) / sum;
    }
    double dot = 0;
    for (int64_t e = 0; e < g.experts; ++e) dot += d_scores[e] * scores[e];
    for (int64_t e = 0; e < g.experts; ++e) d_logits[e] = static_cast<float>(scores[e] * (d_scores[e] - dot));
    scores += g.experts;
    choices += g.k;
    weights += g.k;
    d_weights += g.k;
    d_logits += g.experts;
  }
}

}  // namespace schemoe
