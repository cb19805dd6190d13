// Causal attention, some queries of a head at a time, so that memory is linear in the length: their
// scores with all keys up to them are recomputed in the backward pass, as Dao et al. do ("FlashAttention",
// NeurIPS'22).
#include <algorithm>
#include <cmath>

#include "cpu/kernels/exponential.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/lanes.h"
#include "cpu/kernels/product.h"
#include "cpu/kernels/vector.h"

namespace schemoe {

namespace {

constexpr int64_t kQueries = 64;

/// Scores become probabilities; keys after the query get 0. Returns log(sum(exp(scale * score))).
SCHEMOE_VECTOR float softmax_row(float* scores, int64_t keys, int64_t width, float scale) {
  float most = scores[0];
  for (int64_t m = 1; m < keys; ++m) most = scores[m] > most ? scores[m] : most;
  for (int64_t m = 0; m < keys; ++m) scores[m] = exponential((scores[m] - most) * scale);
  const double sum = sum_lanes(keys, [&](int64_t m) { return scores[m]; });
  const auto inverse = static_cast<float>(1 / sum);
  for (int64_t m = 0; m < keys; ++m) scores[m] *= inverse;
  for (int64_t m = keys; m < width; ++m) scores[m] = 0;
  return static_cast<float>(most * static_cast<double>(scale) + std::log(sum));
}

/// The same from the logarithm of the sum.
SCHEMOE_VECTOR void softmax_again(float* scores, int64_t keys, int64_t width, float scale, float logsum) {
  for (int64_t m = 0; m < keys; ++m) scores[m] = exponential(scores[m] * scale - logsum);
  for (int64_t m = keys; m < width; ++m) scores[m] = 0;
}

SCHEMOE_VECTOR float dot(const float* a, const float* b, int64_t count) {
  return static_cast<float>(sum_lanes(count, [&](int64_t i) { return a[i] * b[i]; }));
}

/// Gradient of scores from that of probabilities, which it replaces.
SCHEMOE_VECTOR void score_grad(const float* probabilities, float* gradient, int64_t width, float delta, float scale) {
  for (int64_t m = 0; m < width; ++m) gradient[m] = probabilities[m] * (gradient[m] - delta) * scale;
}

/// Calls body(sequence, head) for all, heads of one key-value head one after another.
template <class Body>
void each_head(const AttentionSizes& s, const Context& context, Body&& body) {
  for (int64_t sequence = 0; sequence < s.batch; ++sequence) {
    for (int64_t head = 0; head < s.heads && !context.stop; ++head) {
      body(sequence * s.length, head, head / (s.heads / s.key_heads));
    }
  }
}

/// Whether there is nothing to compute, whatever the other sizes.
bool empty(const AttentionSizes& s) { return s.batch == 0 || s.length == 0 || s.heads == 0 || s.dim == 0; }

/// First element of a head's row.
template <class T>
T* at(T* data, int64_t token, int64_t ld, int64_t head, int64_t dim) { return data + token * ld + head * dim; }

}  // namespace

void run(const Attention& a, const Context& context) {
  const AttentionSizes& s = a.sizes;
  if (empty(s)) return;
  const auto *q = context.at<const float>(a.q), *k = context.at<const float>(a.k), *v = context.at<const float>(a.v);
  auto *out = context.at<float>(a.out), *logsum = context.at<float>(a.logsum);
  const auto scale = static_cast<float>(a.scale);
  auto& scores = context.scratch.floats;
  scores.resize(static_cast<size_t>(kQueries * s.length));
  each_head(s, context, [&](int64_t token, int64_t head, int64_t shared) {
    const Factor keys{at(k, token, s.keys(), shared, s.dim), s.keys(), true};
    const Factor values{at(v, token, s.keys(), shared, s.dim), s.keys()};
    float* sums = logsum + (token / s.length * s.heads + head) * s.length;
    for (int64_t first = 0; first < s.length; first += kQueries) {
      const int64_t rows = std::min(kQueries, s.length - first), width = first + rows;
      const Factor queries{at(q, token + first, s.queries(), head, s.dim), s.queries()};
      product(rows, width, s.dim, 1, queries, keys, 0, scores.data(), width);
      for (int64_t row = 0; row < rows; ++row) {
        sums[first + row] = softmax_row(scores.data() + row * width, first + row + 1, width, scale);
      }
      product(rows, s.dim, width, 1, {scores.data(), width}, values, 0,
              at(out, token + first, s.queries(), head, s.dim), s.queries());
    }
  });
}

void run(const AttentionGrad& a, const Context& context) {
  const AttentionSizes& s = a.sizes;
  const auto *q = context.at<const float>(a.q), *k = context.at<const float>(a.k), *v = context.at<const float>(a.v);
  const auto *out = context.at<const float>(a.out), *logsum = context.at<const float>(a.logsum);
  const auto* dout = context.at<const float>(a.dout);
  auto *dq = context.at<float>(a.dq), *dk = context.at<float>(a.dk), *dv = context.at<float>(a.dv);
  const auto scale = static_cast<float>(a.scale);
  const int64_t count = s.batch * s.length * s.keys();
  std::fill_n(dk, count, 0.0f);
  std::fill_n(dv, count, 0.0f);
  if (empty(s)) return;
  auto& scratch = context.scratch.floats;
  scratch.resize(static_cast<size_t>(2 * kQueries * s.length));
  float *probabilities = scratch.data(), *gradient = probabilities + kQueries * s.length;
  each_head(s, context, [&](int64_t token, int64_t head, int64_t shared) {
    const int64_t ldq = s.queries(), ldk = s.keys();
    const float *keys = at(k, token, ldk, shared, s.dim), *values = at(v, token, ldk, shared, s.dim);
    const float* sums = logsum + (token / s.length * s.heads + head) * s.length;
    for (int64_t first = 0; first < s.length; first += kQueries) {
      const int64_t rows = std::min(kQueries, s.length - first), width = first + rows;
      const float* queries = at(q, token + first, ldq, head, s.dim);
      const float* from = at(dout, token + first, ldq, head, s.dim);
      const float* output = at(out, token + first, ldq, head, s.dim);
      product(rows, width, s.dim, 1, {queries, ldq}, {keys, ldk, true}, 0, probabilities, width);
      for (int64_t row = 0; row < rows; ++row) {
        softmax_again(probabilities + row * width, first + row + 1, width, scale, sums[first + row]);
      }
      product(width, s.dim, rows, 1, {probabilities, width, true}, {from, ldq}, 1, at(dv, token, ldk, shared, s.dim),
              ldk);
      product(rows, width, s.dim, 1, {from, ldq}, {values, ldk, true}, 0, gradient, width);
      for (int64_t row = 0; row < rows; ++row) {
        const float delta = dot(from + row * ldq, output + row * ldq, s.dim);
        score_grad(probabilities + row * width, gradient + row * width, width, delta, scale);
      }
      product(rows, s.dim, width, 1, {gradient, width}, {keys, ldk}, 0, at(dq, token + first, ldq, head, s.dim), ldq);
      product(width, s.dim, rows, 1, {gradient, width, true}, {queries, ldq}, 1, at(dk, token, ldk, shared, s.dim), ldk);
    }
  });
}

}  // namespace schemoe
