// From gradients of a gate's weights and losses to that of its logits.
#include <algorithm>
#include <cmath>

#include "cpu/kernels/gates/scores.h"
#include "cpu/kernels/kernels.h"

namespace schemoe {

namespace {

/// Lists of one token, in double.
struct Lists {
  double* d_scores;
  double* d_logits;
  double* shares;  // probabilities, or the softmax of all logits
  double* parts;   // of each choice: its weight before the scale, as far as it is a softmax
  double* d_parts;
};

/// Adds the gradient through the weights of the choices to `d_scores`, or for a softmax of the chosen to `d_logits`.
void weights_grad(const RouteGrad& g, const float* logits, const float* scores, const int32_t* choices,
                  const float* d_weights, const float* importance, const Lists& at) {
  const bool softmax = g.kind == Scores::softmax_of_chosen;
  double sum = 0, most = -INFINITY;
  for (int64_t c = 0; c < g.k; ++c) {
    if (choices[c] >= 0) most = std::max<double>(most, logits[choices[c]]);
  }
  for (int64_t c = 0; c < g.k; ++c) {
    const int32_t e = choices[c];
    at.parts[c] = e < 0 ? 0.0 : softmax ? std::exp(logits[e] - most) : scores[e];
    at.d_parts[c] = e < 0 ? 0.0 : g.scale * (d_weights[c] + (importance ? static_cast<double>(importance[e]) : 0.0));
    sum += at.parts[c];
  }
  // Divided by their sum S: w_j = s_j / S, so ds_j = (dw_j - sum_i w_i dw_i) / S.
  const auto divide = [&](double by) {
    double mean = 0;
    for (int64_t c = 0; c < g.k; ++c) mean += at.parts[c] / by * at.d_parts[c];
    for (int64_t c = 0; c < g.k; ++c) {
      if (choices[c] >= 0) at.d_parts[c] = (at.d_parts[c] - mean) / by;
    }
  };
  if (softmax) {
    // The exponentials sum up to `sum`; their own slopes are themselves.
    divide(sum + kTiny);
    for (int64_t c = 0; c < g.k; ++c) {
      if (choices[c] >= 0) at.d_logits[choices[c]] += at.parts[c] * at.d_parts[c];
    }
    return;
  }
  if (g.normalize && g.k > 1) divide(sum + kTiny);
  for (int64_t c = 0; c < g.k; ++c) {
    if (choices[c] >= 0) at.d_scores[choices[c]] += at.d_parts[c];
  }
}

/// Adds the gradient through the mean probabilities of a balance loss.
void balance_grad(const RouteGrad& g, const float* scores, const float* balance, const Lists& at) {
  probabilities(g.kind, scores, at.shares, g.rows);
  if (g.kind == Scores::softmax) {
    for (int64_t e = 0; e < g.rows; ++e) at.d_scores[e] += balance[e];
    return;
  }
  double mean = 0, sum = kTiny;
  for (int64_t e = 0; e < g.rows; ++e) {
    mean += balance[e] * at.shares[e];
    sum += scores[e];
  }
  for (int64_t e = 0; e < g.rows; ++e) {
    if (g.kind == Scores::softmax_of_chosen) at.d_logits[e] += at.shares[e] * (balance[e] - mean);
    else at.d_scores[e] += (balance[e] - mean) / sum;
  }
}

/// Adds the gradient through the scores to the logits.
void scores_grad(const RouteGrad& g, const float* logits, const float* scores, const Lists& at) {
  double dot = 0;
  if (g.kind == Scores::softmax) {
    for (int64_t e = 0; e < g.rows; ++e) dot += at.d_scores[e] * scores[e];
  }
  for (int64_t e = 0; e < g.rows; ++e) {
    const double s = scores[e], d = at.d_scores[e];
    switch (g.kind) {
      case Scores::softmax: at.d_logits[e] += s * (d - dot); break;
      case Scores::sigmoid: at.d_logits[e] += d * s * (1 - s); break;
      // where the score is 0 in float32, so is its slope; 0 times what is not finite is NaN
      case Scores::sqrt_softplus: at.d_logits[e] += s == 0 ? d * 0.0 : d * sigmoid(logits[e]) / (2 * s); break;
      case Scores::softmax_of_chosen: break;
      case Scores::relu: at.d_logits[e] += s == 0 ? d * 0.0 : d; break;
    }
  }
}

}  // namespace

void run(const RouteGrad& g, const Context& context) {
  if (g.rows == 0 || g.tokens == 0) return;
  const float* logits = context.at<const float>(g.logits);
  const float* scores = context.at<const float>(g.scores);
  const int32_t* choices = context.at<const int32_t>(g.choices);
  const float* d_weights = context.at<const float>(g.d_weights);
  const float* importance = context.at<const float>(g.importance);
  const float* balance = context.at<const float>(g.balance);
  float* d_logits = context.at<float>(g.d_logits);
  auto& scratch = context.scratch.doubles;
  scratch.assign(static_cast<size_t>(3 * g.rows + 2 * g.k), 0.0);
  const Lists at{scratch.data(), scratch.data() + g.rows, scratch.data() + 2 * g.rows, scratch.data() + 3 * g.rows,
                 scratch.data() + 3 * g.rows + g.k};
  auto& chosen = context.scratch.integers;
  chosen.resize(static_cast<size_t>(g.k));
  const Padding padding{context.at<const int32_t>(g.padding)};
  const double tokens = padding.others(g.tokens);
  for (int64_t token = 0; token < g.tokens && !context.stop; ++token) {
    std::fill_n(at.d_scores, 2 * g.rows, 0.0);
    for (int64_t c = 0; c < g.k; ++c) {
      chosen[c] = choices[c] == -1 ? -1 : static_cast<int32_t>(checked("choices", choices[c], g.rows));
    }
    weights_grad(g, logits, scores, chosen.data(), d_weights, importance, at);
    if (balance) balance_grad(g, scores, balance, at);
    scores_grad(g, logits, scores, at);
    if (g.z_weight != 0) {
      const double slope = 2 * g.z_weight * softmax_row(logits, at.shares, g.rows) / tokens;
      for (int64_t e = 0; e < g.rows; ++e) at.d_logits[e] += slope * at.shares[e];
    }
    for (int64_t e = 0; e < g.rows; ++e) d_logits[e] = padding(token) ? 0.0f : static_cast<float>(at.d_logits[e]);
    logits += g.rows;
    scores += g.rows;
    choices += g.k;
    d_weights += g.k;
    d_logits += g.rows;
  }
}

}  // namespace schemoe
