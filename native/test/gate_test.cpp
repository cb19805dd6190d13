// The gate's kernels against plain double code, and its gradient against differences.
#include <algorithm>
#include <numeric>

#include "library.h"

namespace {

using Doubles = std::vector<double>;

/// Indices of the k largest, lower index first among equals.
std::vector<int32_t> best(const float* scores, int64_t experts, int64_t k) {
  std::vector<int32_t> order(experts);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return scores[a] > scores[b]; });
  order.resize(k);
  return order;
}

void choose(Bench& bench, int64_t tokens, int64_t experts, int64_t k, bool normalize, bool prioritized) {
  auto scores = bench.random(tokens * experts, 0.05f, 1);
  for (float& s : scores) s = std::round(s * 8) / 8;  // many ties
  const uint32_t is = bench.buffer(scores), ic = bench.empty<int32_t>(tokens * k), iw = bench.empty(tokens * k);
  const uint32_t ip = bench.empty<int32_t>(tokens * k), il = bench.empty<int32_t>(experts);
  bench.ok(8, Words().i(tokens, experts, k, normalize).none().v(is).v(ic).v(iw));
  bench.ok(9, Words().i(tokens, experts, k, prioritized).v(is).v(ic).v(ip).v(il));
  const auto choices = bench.read<int32_t>(ic, tokens * k), positions = bench.read<int32_t>(ip, tokens * k);
  const auto weights = bench.read(iw, tokens * k);
  for (int64_t t = 0; t < tokens; ++t) {
    const auto expected = best(scores.data() + t * experts, experts, k);
    CHECK(std::equal(expected.begin(), expected.end(), choices.begin() + t * k));
    double sum = 0;
    for (int32_t e : expected) sum += scores[t * experts + e];
    for (int64_t c = 0; c < k; ++c) {
      CHECK_NEAR(weights[t * k + c], scores[t * experts + expected[c]] / (normalize && k > 1 ? sum : 1), 1e-6);
    }
  }
  std::vector<int32_t> order(tokens), loads(experts);
  std::iota(order.begin(), order.end(), 0);
  const auto top = [&](int32_t t) { return scores[t * experts + choices[t * k]]; };
  if (prioritized) std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return top(a) > top(b); });
  for (int64_t c = 0; c < k; ++c) {
    for (int32_t t : order) CHECK_EQUAL(positions[t * k + c], loads[choices[t * k + c]]++);
  }
  CHECK(bench.read<int32_t>(il, experts) == loads);

  for (int64_t capacity : {int64_t{0}, int64_t{1}, tokens / 2}) {
    const uint32_t slots = bench.empty<int32_t>(experts * capacity);
    bench.ok(11, Words().i(tokens, k, experts, capacity).v(ic).v(ip).v(slots));
    std::vector<int32_t> expected(experts * capacity, -1);
    for (int64_t i = 0; i < tokens * k; ++i) {
      if (positions[i] < capacity) expected[choices[i] * capacity + positions[i]] = static_cast<int32_t>(i);
    }
    CHECK(bench.read<int32_t>(slots, expected.size()) == expected);
  }
}

Doubles softmax(const Doubles& logits, int64_t experts) {
  Doubles scores(logits.size());
  for (size_t row = 0; row < logits.size(); row += experts) {
    double sum = 0;
    for (int64_t e = 0; e < experts; ++e) sum += scores[row + e] = std::exp(logits[row + e]);
    for (int64_t e = 0; e < experts; ++e) scores[row + e] /= sum;
  }
  return scores;
}

/// What gate_grad is the gradient of, with choices held fixed.
double loss(const Doubles& logits, int64_t experts, int64_t k, bool normalize, const std::vector<int32_t>& choices,
            const std::vector<float>& slopes, double aux) {
  const Doubles scores = softmax(logits, experts);
  const auto tokens = static_cast<int64_t>(logits.size()) / experts;
  double total = 0;
  for (int64_t t = 0; t < tokens; ++t) {
    double sum = 0;
    for (int64_t c = 0; c < k; ++c) sum += scores[t * experts + choices[t * k + c]];
    for (int64_t c = 0; c < k; ++c) {
      total += slopes[t * k + c] * scores[t * experts + choices[t * k + c]] / (normalize && k > 1 ? sum : 1);
    }
  }
  for (int64_t e = 0; e < experts; ++e) {
    double mean = 0, first = 0;
    for (int64_t t = 0; t < tokens; ++t) mean += scores[t * experts + e], first += choices[t * k] == e;
    total += aux * experts * mean / tokens * first / tokens;
  }
  return total;
}

void gradient(Bench& bench, int64_t tokens, int64_t experts, int64_t k, bool normalize, double aux) {
  const auto logits = bench.random(tokens * experts), slopes = bench.random(tokens * k);
  const uint32_t ix = bench.buffer(logits), is = bench.empty(tokens * experts), ic = bench.empty<int32_t>(tokens * k);
  const uint32_t iw = bench.empty(tokens * k), id = bench.buffer(slopes), out = bench.empty(tokens * experts), il = bench.empty(1);
  bench.ok(7, Words().i(tokens, experts).v(ix).v(is));
  bench.ok(8, Words().i(tokens, experts, k, normalize).v(ix).v(is).v(ic).v(iw));
  bench.ok(15, Words().i(tokens, experts, k, normalize).v(is).v(ic).v(iw).v(id).v(out).f(aux));
  bench.ok(10, Words().i(tokens, experts, k).v(is).v(ic).v(il));
  const Doubles exact(logits.begin(), logits.end());
  const Doubles scores = softmax(exact, experts);
  const auto found = bench.read(is, scores.size()), gradients = bench.read(out, scores.size());
  const auto choices = bench.read<int32_t>(ic, tokens * k);
  const std::vector<float> none(slopes.size());
  CHECK_NEAR(bench.read(il, 1)[0], loss(exact, experts, k, false, choices, none, 1), 1e-6);
  for (size_t i = 0; i < scores.size(); ++i) {
    CHECK_NEAR(found[i], scores[i], 1e-6);
    Doubles up = exact, down = exact;
    up[i] += 1e-5, down[i] -= 1e-5;
    const double slope = (loss(up, experts, k, normalize, choices, slopes, aux) -
                          loss(down, experts, k, normalize, choices, slopes, aux)) / 2e-5;
    CHECK_NEAR(gradients[i], slope, 1e-5);
  }
}

}  // namespace

int main() {
  Bench bench;
  for (bool flag : {false, true}) {
    for (int64_t k : {1, 2, 3}) {
      choose(bench, 37, 5, k, flag, !flag);
      choose(bench, 37, 5, k, flag, flag);
      gradient(bench, 7, 5, k, flag, 0.3);
    }
    choose(bench, 4, 3, 3, flag, true);
    gradient(bench, 3, 2, 2, flag, 0);
  }
  // Scores that underflow to 0 are told apart by their logits, equal logits by their experts.
  const uint32_t far = bench.buffer(std::vector<float>{-300, 0, -200, -250, -200, -INFINITY});
  const uint32_t fs = bench.empty(6), fc = bench.empty<int32_t>(6), fw = bench.empty(6);
  bench.ok(7, Words().i(1, 6).v(far).v(fs));
  bench.ok(8, Words().i(1, 6, 6, 0).v(far).v(fs).v(fc).v(fw));
  CHECK((bench.read<int32_t>(fc, 6) == std::vector<int32_t>{1, 2, 4, 3, 0, 5}));
  CHECK((bench.read(fw, 6) == std::vector<float>{1, 0, 0, 0, 0, 0}));
  bench.ok(8, Words().i(1, 6, 6, 0).none().v(fs).v(fc).v(fw));
  CHECK((bench.read<int32_t>(fc, 6) == std::vector<int32_t>{1, 0, 2, 3, 4, 5}));
  // Large logits do not overflow.
  const uint32_t x = bench.buffer(std::vector<float>{1000, 1000, -1000});
  bench.ok(7, Words().i(1, 3).v(x).v(x));
  CHECK((bench.read(x, 3) == std::vector<float>{0.5f, 0.5f, 0}));
  // Scores that are no numbers still give choices that exist and differ.
  const uint32_t s = bench.buffer(std::vector<float>{NAN, 1, NAN, 2}), c = bench.empty<int32_t>(3), w = bench.empty(3);
  bench.ok(8, Words().i(1, 4, 3, 0).none().v(s).v(c).v(w));
  auto choices = bench.read<int32_t>(c, 3);
  std::sort(choices.begin(), choices.end());
  CHECK(choices[0] >= 0 && choices[2] < 4 && choices[0] < choices[1] && choices[1] < choices[2]);
  const uint32_t p = bench.empty<int32_t>(3), l = bench.empty<int32_t>(4);
  bench.ok(9, Words().i(1, 4, 3, 1).v(s).v(c).v(p).v(l));
  CHECK_CONTAINS(bench.run(8, Words().i(1, 4, 5, 0).none().v(s).v(c).v(w)).text, "k is 5 but there are only 4 experts");
  CHECK_CONTAINS(bench.run(9, Words().i(1, 2, 3, 0).v(s).v(c).v(p).v(l)).text, "k is 3");
  CHECK_CONTAINS(bench.run(10, Words().i(1, 4, 1).v(s).v(bench.empty<int32_t>(1)).v(w)).text,
                 "Cannot run kernel aux_loss: choices holds -1 of 4, in task #0 on rank 0");
  // A table with a row that names an expert twice would send a token there twice.
  const uint32_t ids = bench.buffer(std::vector<int32_t>{2, 0}), twice = bench.buffer(std::vector<int32_t>{1, 1, 0, 1, 3, 3});
  const uint32_t found = bench.empty<int32_t>(4);
  CHECK_CONTAINS(bench.run(51, Words().i(2, 2, 3, 4).v(ids).v(twice).v(found)).text,
                 "Cannot run kernel look_up: row 2 of the table names expert 3 twice; the experts of a token differ, in task #0");
  const uint32_t apart = bench.buffer(std::vector<int32_t>{1, 0, 1, 1, 3, 2});
  bench.ok(51, Words().i(2, 2, 3, 4).v(ids).v(apart).v(found));
  CHECK(bench.read<int32_t>(found, 4) == (std::vector<int32_t>{3, 2, 1, 0}));
  return check::result();
}
