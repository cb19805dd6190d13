// Scores, choices and weights of a gate.
#include <algorithm>
#include <cmath>

#include "cpu/kernels/gates/scores.h"
#include "cpu/kernels/kernels.h"
#include "runtime/failure.h"
#include "runtime/repeated_expert.h"

namespace schemoe {

namespace {

/// One token's logits and what experts are chosen by.
struct Row {
  const float* values;
  const float* logits;
  /// Larger values, then larger logits, then lower experts first.
  bool before(int64_t e, int64_t f) const {
    if (above(values[e], values[f])) return true;
    if (above(values[f], values[e])) return false;
    if (above(logits[e], logits[f])) return true;
    if (above(logits[f], logits[e])) return false;
    return e < f;
  }
};

/// Inserts a number into a list of the `k` best so far, of which there are `found`.
template <class Before>
void insert(int32_t* best, int64_t& found, int64_t k, int32_t number, Before&& before) {
  int64_t at = found;
  while (at > 0 && before(number, best[at - 1])) --at;
  if (at == k) return;
  found = std::min(found + 1, k);
  std::copy_backward(best + at, best + found - 1, best + found);
  best[at] = number;
}

/// The `limit` groups whose two largest values have the largest sums.
int64_t best_groups(const Route& r, const Row& row, int32_t* best) {
  const int64_t each = r.rows / r.groups;
  const auto sum = [&](int64_t group) {
    int32_t two[2] = {};
    int64_t found = 0;
    for (int64_t e = group * each; e < (group + 1) * each; ++e) {
      insert(two, found, 2, static_cast<int32_t>(e), [&](int64_t a, int64_t b) { return row.before(a, b); });
    }
    return row.values[two[0]] + (found > 1 ? row.values[two[1]] : 0.0f);
  };
  int64_t found = 0;
  for (int64_t group = 0; group < r.groups; ++group) {
    insert(best, found, r.group_limit, static_cast<int32_t>(group), [&](int64_t a, int64_t b) {
      const float x = sum(a), y = sum(b);
      return above(x, y) || (!above(y, x) && a < b);
    });
  }
  return found;
}

void choose_largest(const Route& r, const Row& row, int32_t* choices, int32_t* groups) {
  const int64_t each = r.rows / r.groups;
  const int64_t kept = r.group_limit < r.groups ? best_groups(r, row, groups) : 0;
  int64_t found = 0;
  for (int64_t e = 0; e < r.rows; ++e) {
    if (kept > 0 && std::find(groups, groups + kept, e / each) == groups + kept) continue;
    insert(choices, found, r.k, static_cast<int32_t>(e), [&](int64_t a, int64_t b) { return row.before(a, b); });
  }
}

/// Weights of a token's choices; a choice of -1 has none.
void weigh(const Route& r, const float* logits, const float* scores, const int32_t* choices, float* weights) {
  float most = -INFINITY;
  if (r.kind == Scores::softmax_of_chosen) {
    for (int64_t c = 0; c < r.k; ++c) {
      if (choices[c] >= 0 && above(logits[choices[c]], most)) most = logits[choices[c]];
    }
  }
  double sum = 0;
  for (int64_t c = 0; c < r.k; ++c) {
    const int32_t e = choices[c];
    weights[c] = e < 0 ? 0.0f : r.kind == Scores::softmax_of_chosen ? std::exp(logits[e] - most) : scores[e];
    sum += weights[c];
  }
  const bool divided = r.kind == Scores::softmax_of_chosen || (r.normalize && r.k > 1);
  const double by = divided ? sum + kTiny : 1.0;
  for (int64_t c = 0; c < r.k; ++c) weights[c] = static_cast<float>(weights[c] / by * r.scale);
}

}  // namespace

void run(const Route& r, const Context& context) {
  if (r.rows == 0) return;
  const float* logits = context.at<const float>(r.logits);
  const float* bias = context.at<const float>(r.bias);
  float* scores = context.at<float>(r.scores);
  int32_t* choices = context.at<int32_t>(r.choices);
  float* weights = context.at<float>(r.weights);
  // Lists of its own: were choices read back from the buffer, a Program that writes there meanwhile could
  // make an index of them that does not exist.
  auto& chosen = context.scratch.integers;
  chosen.resize(static_cast<size_t>(r.k + r.groups));
  auto& values = context.scratch.floats;
  values.resize(static_cast<size_t>(r.rows));
  for (int64_t token = 0; token < r.tokens && !context.stop; ++token) {
    score_row(r.kind, logits, scores, r.rows);
    if (r.choose == Choose::largest) {
      for (int64_t e = 0; e < r.rows; ++e) values[e] = bias ? scores[e] + bias[e] : scores[e];
      choose_largest(r, {values.data(), logits}, chosen.data(), chosen.data() + r.k);
    }
    for (int64_t c = 0; c < r.k; ++c) {
      if (r.choose == Choose::given) chosen[c] = choices[c] == -1 ? -1 : static_cast<int32_t>(checked("choices", choices[c], r.rows));
      // not above 0 is not chosen; NaN is
      if (r.choose == Choose::positive) chosen[c] = scores[c] == 0 ? -1 : static_cast<int32_t>(c);
      if (r.choose == Choose::nothing) chosen[c] = -1;
    }
    weigh(r, logits, scores, chosen.data(), weights);
    std::copy_n(chosen.begin(), r.k, choices);
    logits += r.rows;
    scores += r.rows;
    choices += r.k;
    weights += r.k;
  }
}

void run(const PlaceChoices& p, const Context& context) {
  const int32_t* choices = context.at<const int32_t>(p.choices);
  int32_t* targets = context.at<int32_t>(p.targets);
  int32_t* positions = context.at<int32_t>(p.positions);
  int32_t* loads = context.at<int32_t>(p.loads);
  std::fill_n(loads, p.rows, 0);
  // Without choices, tokens may be any number: no room is made for them.
  if (p.k == 0) return;
  const auto& order = order_of_tokens(context, p.prioritized ? context.at<const float>(p.scores) : nullptr, p.tokens, p.rows);
  for (int64_t c = 0; c < p.k && !context.stop; ++c) {
    for (const int32_t token : order) {
      const int64_t at = token * p.k + c;
      const int32_t choice = choices[at];
      const bool sent = choice >= 0 && choice < p.experts;
      const int64_t place = choice == -1 ? 0 : loads[checked("choices", choice, p.rows)]++;
      targets[at] = sent ? choice : 0;
      positions[at] = sent ? static_cast<int32_t>(place) : kNoPlace;
    }
  }
}

void run(const ChooseTokens& c, const Context& context) {
  const float* logits = context.at<const float>(c.logits);
  const float* scores = context.at<const float>(c.scores);
  int32_t* choices = context.at<int32_t>(c.choices);
  if (c.tokens == 0 || c.experts == 0) return;
  std::fill_n(choices, c.tokens * c.experts, -1);
  auto& order = context.scratch.integers;
  order.resize(static_cast<size_t>(c.tokens));
  for (int64_t e = 0; e < c.experts && !context.stop; ++e) {
    for (int64_t token = 0; token < c.tokens; ++token) order[token] = static_cast<int32_t>(token);
    std::nth_element(order.begin(), order.begin() + c.count, order.end(), [&](int32_t a, int32_t b) {
      const int64_t x = a * c.experts + e, y = b * c.experts + e;
      if (above(scores[x], scores[y])) return true;
      if (above(scores[y], scores[x])) return false;
      if (above(logits[x], logits[y])) return true;
      if (above(logits[y], logits[x])) return false;
      return a < b;
    });
    for (int64_t i = 0; i < c.count; ++i) choices[order[i] * c.experts + e] = static_cast<int32_t>(e);
  }
}

void run(const RoundChoices& c, const Context& context) {
  if (c.tokens == 0 || c.experts == 0) return;
  const int32_t* best = context.at<const int32_t>(c.best);
  const float* logits = context.at<const float>(c.logits);
  const float* scores = context.at<const float>(c.scores);
  int32_t* choices = context.at<int32_t>(c.choices);
  std::fill_n(choices, c.tokens * c.experts, -1);
  // Which experts chose a token, as the list of its own that every expert reads.
  auto& lists = context.scratch.integers;
  lists.assign(static_cast<size_t>(c.tokens * (c.experts + 1)), 0);
  int32_t *order = lists.data(), *marks = order + c.tokens;
  for (int64_t i = 0; i < c.tokens * c.k; ++i) {
    if (best[i] != -1) marks[i / c.k * c.experts + checked("choices", best[i], c.experts)] = 1;
  }
  for (int64_t e = 0; e < c.experts && !context.stop; ++e) {
    int64_t count = 0;
    for (int64_t token = 0; token < c.tokens; ++token) {
      order[token] = static_cast<int32_t>(token);
      count += marks[token * c.experts + e];
    }
    const int64_t taken = in_tiles(count, c.tile, c.tokens);
    std::nth_element(order, order + taken, order + c.tokens, [&](int32_t a, int32_t b) {
      const int64_t x = a * c.experts + e, y = b * c.experts + e;
      if (marks[x] != marks[y]) return marks[x] > marks[y];
      if (above(scores[x], scores[y])) return true;
      if (above(scores[y], scores[x])) return false;
      if (above(logits[x], logits[y])) return true;
      if (above(logits[y], logits[x])) return false;
      return a < b;
    });
    for (int64_t i = 0; i < taken; ++i) choices[order[i] * c.experts + e] = static_cast<int32_t>(e);
  }
}

void run(const LookUp& l, const Context& context) {
  const int32_t* ids = context.at<const int32_t>(l.ids);
  const int32_t* table = context.at<const int32_t>(l.table);
  int32_t* choices = context.at<int32_t>(l.choices);
  for (int64_t token = 0; token < l.tokens && !context.stop; ++token) {
    const int64_t row = checked("token ids", ids[token], l.vocabulary);
    auto& own = context.scratch.integers;
    own.clear();
    for (int64_t c = 0; c < l.k; ++c) {
      const auto expert = static_cast<int32_t>(checked("table", table[row * l.k + c], l.rows));
      if (std::find(own.begin(), own.end(), expert) != own.end()) fail(SCHEMOE_INVALID, RepeatedExpert{expert, row});
      own.push_back(expert);
      choices[token * l.k + c] = expert;
    }
  }
}

void run(const DropPadding& d, const Context& context) {
  const Padding padding{context.at<const int32_t>(d.padding)};
  int32_t* choices = context.at<int32_t>(d.choices);
  for (int64_t token = 0; token < d.tokens; ++token) {
    if (padding(token)) std::fill_n(choices + token * d.k, d.k, -1);
  }
}

void run(const CountChoices& c, const Context& context) {
  const int32_t* choices = context.at<const int32_t>(c.choices);
  float* counts = context.at<float>(c.counts);
  auto& sums = context.scratch.integers;
  sums.assign(static_cast<size_t>(c.rows), 0);
  for (int64_t token = 0; token < c.tokens; ++token) {
    for (int64_t i = 0; i < c.first; ++i) {
      const int32_t choice = choices[token * c.k + i];
      if (choice != -1) ++sums[checked("choices", choice, c.rows)];
    }
  }
  for (int64_t e = 0; e < c.rows; ++e) counts[e] = static_cast<float>(sums[e]);
}

}  // namespace schemoe
