// Causal attention, some queries of a head at a time, so that memory is linear in the length: their
// scores with all keys up to them are recomputed in the backward pass, as Dao et al. do ("FlashAttention",
// NeurIPS'22).
//
// NaN and infinities are those of softmax(scale Q K^T) V in the arithmetic of IEEE 754. A score of -infinity is a
// probability of 0, and 0 times an infinite value is NaN; a row with a score that is NaN or +infinity, or with scores
// of -infinity alone, is NaN, and so is the logarithm of its sum. Keys after the query are no part of the row: nothing
// in them reaches it. In the backward pass likewise. The GPU does the same.
#include <algorithm>
#include <cfloat>
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
  for (int64_t m = 0; m < keys; ++m) scores[m] *= scale;
  float most = scores[0];
  for (int64_t m = 1; m < keys; ++m) most = scores[m] > most ? scores[m] : most;
  for (int64_t m = 0; m < keys; ++m) scores[m] = exponential_or_limit(scores[m] - most);
  const double sum = sum_lanes(keys, [&](int64_t m) { return scores[m]; });
  const auto inverse = static_cast<float>(1 / sum);
  for (int64_t m = 0; m < keys; ++m) scores[m] *= inverse;
  for (int64_t m = keys; m < width; ++m) scores[m] = 0;
  return static_cast<float>(most + std::log(sum));
}

/// The same from the logarithm of the sum.
SCHEMOE_VECTOR void softmax_again(float* scores, int64_t keys, int64_t width, float scale, float logsum) {
  for (int64_t m = 0; m < keys; ++m) scores[m] = exponential_or_limit(scores[m] * scale - logsum);
  for (int64_t m = keys; m < width; ++m) scores[m] = 0;
}

SCHEMOE_VECTOR float dot(const float* a, const float* b, int64_t count) {
  return static_cast<float>(sum_lanes(count, [&](int64_t i) { return a[i] * b[i]; }));
}

/// Gradient of scores from that of probabilities, which it replaces; keys after the query get 0.
SCHEMOE_VECTOR void score_grad(const float* probabilities, float* gradient, int64_t keys, int64_t width, float delta,
                               float scale) {
  for (int64_t m = 0; m < keys; ++m) gradient[m] = probabilities[m] * (gradient[m] - delta) * scale;
  for (int64_t m = keys; m < width; ++m) gradient[m] = 0;
}

SCHEMOE_VECTOR bool finite(const float* rows, int64_t count, int64_t ld, int64_t dim) {
  uint32_t others = 0;
  for (int64_t row = 0; row < count; ++row) {
    for (int64_t i = 0; i < dim; ++i) others |= static_cast<uint32_t>(!(std::fabs(rows[row * ld + i]) <= FLT_MAX));
  }
  return others == 0;
}

/// Queries from `first` on with all keys up to the last of them; factors of query i and keys after first + i are 0.
struct QueryBlock {
  int64_t first, rows;
  int64_t width() const { return first + rows; }
};

/// To each query the sum of its factors times rows of the keys that count for it.
void sum_keys(const QueryBlock& b, int64_t dim, const float* factors, const float* keys, int64_t ldk, float* to, int64_t ld) {
  const int64_t width = b.width();
  if (finite(keys + b.first * ldk, b.rows, ldk, dim)) {
    return product(b.rows, dim, width, 1, {factors, width}, {keys, ldk}, 0, to, ld);
  }
  // 0 times what is not finite is not 0.
  for (int64_t i = 0; i < b.rows; ++i) {
    product(1, dim, b.first + i + 1, 1, {factors + i * width, width}, {keys, ldk}, 0, to + i * ld, ld);
  }
}

/// Adds to each key the sum of its factors times rows of the queries for which it counts.
void add_queries(const QueryBlock& b, int64_t dim, const float* factors, const float* queries, int64_t ldq, float* to,
                 int64_t ld) {
  const int64_t width = b.width();
  if (finite(queries, b.rows, ldq, dim)) {
    return product(width, dim, b.rows, 1, {factors, width, true}, {queries, ldq}, 1, to, ld);
  }
  if (b.first > 0) product(b.first, dim, b.rows, 1, {factors, width, true}, {queries, ldq}, 1, to, ld);
  for (int64_t i = 0; i < b.rows; ++i) {
    const int64_t key = b.first + i;
    product(1, dim, b.rows - i, 1, {factors + i * width + key, width, true}, {queries + i * ldq, ldq}, 1, to + key * ld, ld);
  }
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
    const float* values = at(v, token, s.keys(), shared, s.dim);
    float* sums = logsum + (token / s.length * s.heads + head) * s.length;
    for (int64_t first = 0; first < s.length; first += kQueries) {
      const QueryBlock block{first, std::min(kQueries, s.length - first)};
      const int64_t rows = block.rows, width = block.width();
      const Factor queries{at(q, token + first, s.queries(), head, s.dim), s.queries()};
      product(rows, width, s.dim, 1, queries, keys, 0, scores.data(), width);
      for (int64_t row = 0; row < rows; ++row) {
        sums[first + row] = softmax_row(scores.data() + row * width, first + row + 1, width, scale);
      }
      sum_keys(block, s.dim, scores.data(), values, s.keys(), at(out, token + first, s.queries(), head, s.dim),
               s.queries());
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
      const QueryBlock block{first, std::min(kQueries, s.length - first)};
      const int64_t rows = block.rows, width = block.width();
      const float* queries = at(q, token + first, ldq, head, s.dim);
      const float* from = at(dout, token + first, ldq, head, s.dim);
      const float* output = at(out, token + first, ldq, head, s.dim);
      product(rows, width, s.dim, 1, {queries, ldq}, {keys, ldk, true}, 0, probabilities, width);
      for (int64_t row = 0; row < rows; ++row) {
        softmax_again(probabilities + row * width, first + row + 1, width, scale, sums[first + row]);
      }
      add_queries(block, s.dim, probabilities, from, ldq, at(dv, token, ldk, shared, s.dim), ldk);
      product(rows, width, s.dim, 1, {from, ldq}, {values, ldk, true}, 0, gradient, width);
      for (int64_t row = 0; row < rows; ++row) {
        float* slopes = gradient + row * width;
        // A single key's probability is 1 whatever its score, whose gradient is then exactly 0.
        const float delta = first + row == 0 ? slopes[0] : dot(from + row * ldq, output + row * ldq, s.dim);
        score_grad(probabilities + row * width, slopes, first + row + 1, width, delta, scale);
      }
      sum_keys(block, s.dim, gradient, keys, ldk, at(dq, token + first, ldq, head, s.dim), ldq);
      add_queries(block, s.dim, gradient, queries, ldq, at(dk, token, ldk, shared, s.dim), ldk);
    }
  });
}

}  // namespace schemoe
