// Losses on a routing, and the updates of a selection bias.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/kernels/gates/scores.h"
#include "cpu/kernels/kernels.h"

namespace schemoe {

namespace {

void report(const Context& context, const View& loss, const View& total, double value, double weight) {
  *context.at<float>(loss) = static_cast<float>(value);
  *context.at<float>(total) += static_cast<float>(weight * value);
}

/// The squared coefficient of variation (population variance), and its slope in each of `values`.
double squared_variation(const double* values, double* slopes, int64_t count) {
  const auto n = static_cast<double>(count);
  double mean = 0, variance = 0;
  for (int64_t e = 0; e < count; ++e) mean += values[e] / n;
  if (mean == 0) {
    // A rank whose tokens are all padding, or of which no token chose an expert.
    std::fill_n(slopes, count, 0.0);
    return 0;
  }
  for (int64_t e = 0; e < count; ++e) variance += (values[e] - mean) * (values[e] - mean) / n;
  const double loss = variance / (mean * mean);
  for (int64_t e = 0; e < count; ++e) slopes[e] = 2 * ((values[e] - mean) / (mean * mean) - loss / mean) / n;
  return loss;
}

/// The k-th and the (k + 1)-th largest of a row.
struct Bounds {
  int64_t inner, outer;
};

Bounds bounds_of(const float* logits, int64_t rows, int64_t k, std::vector<int32_t>& order) {
  order.resize(static_cast<size_t>(rows));
  for (int64_t e = 0; e < rows; ++e) order[e] = static_cast<int32_t>(e);
  std::partial_sort(order.begin(), order.begin() + k + 1, order.end(), [&](int32_t a, int32_t b) {
    return above(logits[a], logits[b]) || (!above(logits[b], logits[a]) && a < b);
  });
  return {order[k - 1], order[k]};
}

/// The bound of expert e among the others: the k-th largest of them.
int64_t bound_of(const Bounds& bounds, const std::vector<int32_t>& order, int64_t k, int64_t e) {
  return std::find(order.begin(), order.begin() + k, e) != order.begin() + k ? bounds.outer : bounds.inner;
}

}  // namespace

void run(const BalanceLoss& b, const Context& context) {
  const float* scores = context.at<const float>(b.scores);
  const float* counts = context.at<const float>(b.counts);
  float* balance = context.at<float>(b.balance);
  auto& sums = context.scratch.doubles;
  sums.assign(static_cast<size_t>(2 * b.rows), 0.0);
  double* shares = sums.data() + b.rows;
  const Padding padding{context.at<const int32_t>(b.padding)};
  for (int64_t token = 0; token < b.tokens && !context.stop; ++token) {
    if (padding(token)) continue;
    probabilities(b.kind, scores + token * b.rows, shares, b.rows);
    for (int64_t e = 0; e < b.rows; ++e) sums[e] += shares[e];
  }
  const double tokens = padding.others(b.tokens);
  double loss = 0, factor = b.factor;
  if (padding.marks) {
    // Other ranks may have other numbers of tokens: what is counted says how many.
    double all = 0;
    for (int64_t e = 0; e < b.rows; ++e) all += counts[e];
    factor = all > 0 ? factor / all : 0.0;
  }
  for (int64_t e = 0; e < b.rows; ++e) {
    loss += sums[e] * counts[e];
    balance[e] += static_cast<float>(b.weight * factor * counts[e] / tokens);
  }
  report(context, b.loss, b.total, factor * loss / tokens, b.weight);
}

void run(const ZLoss& z, const Context& context) {
  if (z.tokens == 0) return report(context, z.loss, z.total, 0, z.weight);
  const float* logits = context.at<const float>(z.logits);
  auto& shares = context.scratch.doubles;
  shares.resize(static_cast<size_t>(z.rows));
  double sum = 0;
  const Padding padding{context.at<const int32_t>(z.padding)};
  for (int64_t token = 0; token < z.tokens && z.rows > 0 && !context.stop; ++token) {
    if (padding(token)) continue;
    const double all = softmax_row(logits + token * z.rows, shares.data(), z.rows);
    sum += all * all;
  }
  report(context, z.loss, z.total, sum / padding.others(z.tokens), z.weight);
}

void run(const ImportanceLoss& i, const Context& context) {
  const int32_t* choices = context.at<const int32_t>(i.choices);
  const float* weights = context.at<const float>(i.weights);
  float* importance = context.at<float>(i.importance);
  auto& sums = context.scratch.doubles;
  sums.assign(static_cast<size_t>(2 * i.rows), 0.0);
  for (int64_t at = 0; at < i.tokens * i.k; ++at) {
    if (choices[at] != -1) sums[checked("choices", choices[at], i.rows)] += weights[at];
  }
  double* slopes = sums.data() + i.rows;
  const double loss = squared_variation(sums.data(), slopes, i.rows);
  for (int64_t e = 0; e < i.rows; ++e) importance[e] += static_cast<float>(i.weight * slopes[e]);
  report(context, i.loss, i.total, loss, i.weight);
}

void run(const LoadLoss& l, const Context& context) {
  const float* clean = context.at<const float>(l.clean);
  const float* spread = context.at<const float>(l.spread);
  const float* logits = context.at<const float>(l.logits);
  float* slopes = context.at<float>(l.slopes);
  auto& sums = context.scratch.doubles;
  sums.assign(static_cast<size_t>(2 * l.rows), 0.0);
  auto& order = context.scratch.integers;
  const Padding padding{context.at<const int32_t>(l.padding)};
  for (int64_t token = 0; token < l.tokens && !context.stop; ++token) {
    if (padding(token)) continue;
    const int64_t at = token * l.rows;
    const Bounds bounds = bounds_of(logits + at, l.rows, l.k, order);
    for (int64_t e = 0; e < l.rows; ++e) {
      const double bound = logits[at + bound_of(bounds, order, l.k, e)];
      const double u = (clean[at + e] - bound) / softplus(spread[at + e]);
      sums[e] += 0.5 * std::erfc(-u * M_SQRT1_2);
    }
  }
  double* derived = sums.data() + l.rows;
  const double loss = squared_variation(sums.data(), derived, l.rows);
  for (int64_t e = 0; e < l.rows; ++e) slopes[e] = static_cast<float>(l.weight * derived[e]);
  report(context, l.loss, l.total, loss, l.weight);
}

void run(const AddNoise& a, const Context& context) {
  const float* clean = context.at<const float>(a.clean);
  const float* spread = context.at<const float>(a.spread);
  const float* noise = context.at<const float>(a.noise);
  float* logits = context.at<float>(a.logits);
  for (int64_t i = 0; i < a.count; ++i) logits[i] = clean[i] + noise[i] * softplus(spread[i]);
}

void run(const NoiseGrad& n, const Context& context) {
  if (n.tokens == 0) return;
  const float* clean = context.at<const float>(n.clean);
  const float* spread = context.at<const float>(n.spread);
  const float* noise = context.at<const float>(n.noise);
  const float* logits = context.at<const float>(n.logits);
  const float* slopes = context.at<const float>(n.slopes);
  float* d_logits = context.at<float>(n.d_logits);
  float* d_spread = context.at<float>(n.d_spread);
  auto& scratch = context.scratch.doubles;
  scratch.resize(static_cast<size_t>(3 * n.rows));
  double *d_noisy = scratch.data(), *d_clean = d_noisy + n.rows, *d_deviation = d_clean + n.rows;
  auto& order = context.scratch.integers;
  const Padding padding{context.at<const int32_t>(n.padding)};
  for (int64_t token = 0; token < n.tokens && !context.stop; ++token) {
    const int64_t at = token * n.rows;
    for (int64_t e = 0; e < n.rows; ++e) {
      d_noisy[e] = d_logits[at + e];
      d_clean[e] = d_deviation[e] = 0;
    }
    if (slopes && !padding(token)) {
      const Bounds bounds = bounds_of(logits + at, n.rows, n.k, order);
      for (int64_t e = 0; e < n.rows; ++e) {
        const int64_t other = bound_of(bounds, order, n.k, e);
        const double deviation = softplus(spread[at + e]);
        const double u = (static_cast<double>(clean[at + e]) - logits[at + other]) / deviation;
        // d Phi(u) = phi(u) du
        const double slope = slopes[e] * std::exp(-0.5 * u * u) * (0.5 * M_2_SQRTPI * M_SQRT1_2) / deviation;
        d_clean[e] += slope;
        d_noisy[other] -= slope;
        d_deviation[e] -= slope * u;
      }
    }
    for (int64_t e = 0; e < n.rows; ++e) {
      d_logits[at + e] = static_cast<float>(d_noisy[e] + d_clean[e]);
      d_spread[at + e] = static_cast<float>((d_deviation[e] + d_noisy[e] * noise[at + e]) * sigmoid(spread[at + e]));
    }
  }
}

void run(const BudgetBias& b, const Context& context) {
  const float* loads = context.at<const float>(b.loads);
  float* bias = context.at<float>(b.bias);
  double all = 0;
  for (int64_t e = 0; e < b.rows; ++e) all += loads[e];
  if (all == 0) return;
  for (int64_t e = 0; e < b.experts; ++e) {
    bias[e] += static_cast<float>(b.rate * (b.share / static_cast<double>(b.experts) - loads[e] / all));
  }
}

void run(const ShiftBias& s, const Context& context) {
  const float* loads = context.at<const float>(s.loads);
  float* bias = context.at<float>(s.bias);
  const auto rows = static_cast<double>(s.rows);
  double mean = 0;
  if (!s.quantile) {
    // Summed before it is divided: the mean of equal loads is equal to them.
    for (int64_t e = 0; e < s.rows; ++e) mean += loads[e];
    mean /= rows;
    for (int64_t e = 0; e < s.rows; ++e) {
      const double short_of = mean - loads[e];
      bias[e] += static_cast<float>(short_of > 0 ? s.rate : short_of < 0 ? -s.rate : 0.0);
    }
    return;
  }
  auto& moved = context.scratch.doubles;
  moved.resize(static_cast<size_t>(s.rows));
  for (int64_t e = 0; e < s.rows; ++e) {
    moved[e] = s.rate * bias[e] + (1 - s.rate) * loads[e] / static_cast<double>(s.ranks);
    mean += moved[e] / rows;
  }
  for (int64_t e = 0; e < s.rows; ++e) bias[e] = static_cast<float>(moved[e] - mean);
}

void run(const QuantileBias& q, const Context& context) {
  const float* logits = context.at<const float>(q.logits);
  const float* bias = context.at<const float>(q.bias);
  float* out = context.at<float>(q.out);
  auto& values = context.scratch.floats;
  values.resize(static_cast<size_t>(std::max(q.rows, 2 * q.tokens)));
  std::vector<float> margins(static_cast<size_t>(q.tokens));
  const auto larger = [](float a, float b) { return above(a, b); };
  for (int64_t token = 0; token < q.tokens && !context.stop; ++token) {
    for (int64_t e = 0; e < q.rows; ++e) values[e] = logits[token * q.rows + e] + bias[e];
    std::nth_element(values.begin(), values.begin() + q.k, values.begin() + q.rows, larger);
    margins[token] = values[q.k];
  }
  const int64_t rank = std::min(q.tokens * q.k / q.rows, q.tokens - 1);
  for (int64_t e = 0; e < q.rows && q.tokens > 0 && !context.stop; ++e) {
    for (int64_t token = 0; token < q.tokens; ++token) values[token] = logits[token * q.rows + e] - margins[token];
    std::nth_element(values.begin(), values.begin() + rank, values.begin() + q.tokens, larger);
    out[e] = -values[rank];
  }
}

}  // namespace schemoe
