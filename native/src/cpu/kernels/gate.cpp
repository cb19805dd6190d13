// The gate forward: scores, choices, places in the experts, and the auxiliary loss.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu/kernels/gates/scores.h"
#include "cpu/kernels/kernels.h"
#include "runtime/failure.h"

namespace schemoe {

int64_t checked(const char* what, int64_t value, int64_t below) {
  if (value < 0 || value >= below) fail(SCHEMOE_INVALID, what, " holds ", value, " of ", below);
  return value;
}

void run(const Softmax& s, const Context& context) {
  if (s.columns == 0) return;
  const float* x = context.at<const float>(s.x);
  float* y = context.at<float>(s.y);
  for (int64_t row = 0; row < s.rows && !context.stop; ++row, x += s.columns, y += s.columns) {
    const float most = *std::max_element(x, x + s.columns);
    double sum = 0;
    for (int64_t j = 0; j < s.columns; ++j) {
      y[j] = std::exp(x[j] - most);
      sum += y[j];
    }
    for (int64_t j = 0; j < s.columns; ++j) y[j] = static_cast<float>(y[j] / sum);
  }
}

namespace {

/// What one token's experts are chosen by.
struct Row {
  const float* scores;
  const float* logits;  // or nullptr
  /// The larger score, among equals the larger logit, and NaN before all: hidden behind others it would cost a
  /// choice and not show.
  bool better(int64_t e, int64_t f) const {
    if (above(scores[e], scores[f])) return true;
    return logits && !above(scores[f], scores[e]) && above(logits[e], logits[f]);
  }
};

}  // namespace

void run(const TopK& t, const Context& context) {
  if (t.tokens == 0 || t.k == 0) return;
  const float* logits = context.at<const float>(t.logits);
  const float* scores = context.at<const float>(t.scores);
  int32_t* choices = context.at<int32_t>(t.choices);
  float* weights = context.at<float>(t.weights);
  // A list of its own: were it in the buffer, a Program that writes there meanwhile could make an
  // index of it that does not exist.
  auto& chosen = context.scratch.integers;
  chosen.resize(static_cast<size_t>(t.k));
  for (int64_t token = 0; token < t.tokens && !context.stop; ++token) {
    // Insertion into the k best so far; a later expert must be strictly better to go before.
    const Row row{scores, logits};
    int64_t found = 0;
    for (int64_t e = 0; e < t.experts; ++e) {
      int64_t at = found;
      while (at > 0 && row.better(e, chosen[at - 1])) --at;
      if (at == t.k) continue;
      found = std::min(found + 1, t.k);
      std::copy_backward(chosen.begin() + at, chosen.begin() + found - 1, chosen.begin() + found);
      chosen[at] = static_cast<int32_t>(e);
    }
    std::copy_n(chosen.begin(), t.k, choices);
    double sum = 0;
    for (int64_t c = 0; c < t.k; ++c) {
      weights[c] = scores[chosen[c]];
      sum += weights[c];
    }
    if (t.normalize && t.k > 1) {
      for (int64_t c = 0; c < t.k; ++c) weights[c] = static_cast<float>(weights[c] / sum);
    }
    scores += t.experts;
    if (logits) logits += t.experts;
    choices += t.k;
    weights += t.k;
  }
}

const std::vector<int32_t>& order_of_tokens(const Context& context, const float* scores, int64_t tokens, int64_t rows) {
  auto& order = context.scratch.integers;
  order.resize(static_cast<size_t>(tokens));
  std::iota(order.begin(), order.end(), 0);
  if (!scores || rows == 0) return order;
  auto& best = context.scratch.floats;
  best.resize(order.size());
  for (int64_t token = 0; token < tokens; ++token) {
    float most = -INFINITY;
    // NaN compares with nothing and counts as the best score: it goes first.
    for (int64_t e = 0; e < rows; ++e) {
      const float score = scores[token * rows + e];
      most = std::max(most, std::isnan(score) ? INFINITY : score);
    }
    best[token] = most;
  }
  std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
    return best[a] != best[b] ? best[a] > best[b] : a < b;
  });
  return order;
}

void run(const Positions& p, const Context& context) {
  const int32_t* choices = context.at<const int32_t>(p.choices);
  int32_t* positions = context.at<int32_t>(p.positions);
  int32_t* loads = context.at<int32_t>(p.loads);
  std::fill_n(loads, p.experts, 0);
  if (p.k == 0) return;
  const auto& order = order_of_tokens(context, p.prioritized ? context.at<const float>(p.scores) : nullptr, p.tokens, p.experts);
  for (int64_t c = 0; c < p.k && !context.stop; ++c) {
    for (int32_t token : order) {
      const int64_t expert = checked("choices", choices[token * p.k + c], p.experts);
      positions[token * p.k + c] = loads[expert]++;
    }
  }
}

void run(const AuxLoss& a, const Context& context) {
  const float* scores = context.at<const float>(a.scores);
  const int32_t* choices = context.at<const int32_t>(a.choices);
  auto& sums = context.scratch.doubles;
  sums.assign(static_cast<size_t>(2 * a.experts), 0.0);
  double* firsts = sums.data() + a.experts;
  for (int64_t token = 0; token < a.tokens; ++token) {
    for (int64_t e = 0; e < a.experts; ++e) sums[e] += scores[token * a.experts + e];
    firsts[checked("choices", choices[token * a.k], a.experts)] += 1;
  }
  double loss = 0;
  for (int64_t e = 0; e < a.experts; ++e) loss += sums[e] * firsts[e];
  const auto tokens = static_cast<double>(std::max<int64_t>(a.tokens, 1));
  *context.at<float>(a.loss) = static_cast<float>(static_cast<double>(a.experts) * loss / (tokens * tokens));
}

void run(const Slots& s, const Context& context) {
  const int32_t* choices = context.at<const int32_t>(s.choices);
  const int32_t* positions = context.at<const int32_t>(s.positions);
  int32_t* slots = context.at<int32_t>(s.slots);
  std::fill_n(slots, s.experts * s.capacity, -1);
  for (int64_t i = 0; i < s.tokens * s.k; ++i) {
    const int64_t expert = checked("choices", choices[i], s.experts);
    const int64_t place = checked("positions", positions[i], INT32_MAX);
    if (place < s.capacity) slots[expert * s.capacity + place] = static_cast<int32_t>(i);
  }
}

}  // namespace schemoe
