// Scores of logits on the GPU, by the formulas of `cpu/kernels/gates/scores.h`.
#pragma once

#include <cmath>

#include "cuda/kernels/gates/rows.cuh"
#include "cuda/kernels/instructions.cuh"
#include "runtime/arguments_gates.h"

namespace schemoe::cuda::gates {

/// What keeps a sum of scores from being a divisor of 0.
inline constexpr float kTiny = 1e-20f;

/// exp(-|z|), of which what follows is made.
__device__ inline float tail_of(float z) { return expf(-fabsf(z)); }

/// n / d of n in [0, 1] and d in [1, 2], rounded as a division is, which asks for cases that these do not have: a branch
/// for each number of a row keeps a lane from computing several at a time.
__device__ inline float quotient(float n, float d) {
  float inverse = reciprocal(d);
  inverse = __fmaf_rn(__fmaf_rn(-d, inverse, 1.0f), inverse, inverse);
  float q = n * inverse;
  q = __fmaf_rn(__fmaf_rn(-d, q, n), inverse, q);
  return __fmaf_rn(__fmaf_rn(-d, q, n), inverse, q);
}

/// The square root of x >= 0 or NaN, rounded, without a branch.
__device__ inline float root(float x) {
  const bool small = x < 0x1p-96f;
  const float scaled = small ? x * 0x1p64f : x;
  const float inverse = reciprocal_root(scaled);
  const float guess = scaled * inverse, y = __fmaf_rn(__fmaf_rn(-guess, guess, scaled), 0.5f * inverse, guess);
  return scaled > 0 && scaled < INFINITY ? small ? y * 0x1p-32f : y : x;
}

__device__ inline float sigmoid(float z, float tail) { return quotient(z >= 0 ? 1.0f : tail, 1.0f + tail); }
__device__ inline float sigmoid(float z) { return sigmoid(z, tail_of(z)); }

/// log(1 + tail) is 2 artanh(t) of t = tail / (2 + tail) <= 1/3: of its series seven terms are within 1e-8.
__device__ inline float softplus(float z, float tail) {
  const float t = tail * reciprocal(2.0f + tail), q = t * t;
  float sum = 1.0f / 13;
  sum = __fmaf_rn(sum, q, 1.0f / 11);
  sum = __fmaf_rn(sum, q, 1.0f / 9);
  sum = __fmaf_rn(sum, q, 1.0f / 7);
  sum = __fmaf_rn(sum, q, 1.0f / 5);
  sum = __fmaf_rn(sum, q, 1.0f / 3);
  return (z > 0 ? z : z == z ? 0.0f : z) + __fmaf_rn(2 * t * q, sum, 2 * t);
}
__device__ inline float softplus(float z) { return softplus(z, tail_of(z)); }

/// The largest of a row that is a number.
template <int N, int V, int G>
__device__ float largest(int rows, int lane, Own<N, V, float, G>& x) {
  float most = -INFINITY;
  each(rows, lane, [&](int, float& value) { most = fmaxf(most, value); }, x);
  return group_max<G>(most);
}

/// Sum over a row of exp(x - most).
template <int N, int V, int G>
__device__ Sum<N> sum_of_exponentials(int rows, int lane, Own<N, V, float, G>& x, float most) {
  Sum<N> part = 0;
  each(rows, lane, [&](int, float& value) { part += expf(value - most); }, x);
  return group_sum<G>(part);
}

template <int N, int V, int G>
__device__ Sum<N> sum_of(int rows, int lane, Own<N, V, float, G>& x) {
  Sum<N> part = 0;
  each(rows, lane, [&](int, float& value) { part += value; }, x);
  return group_sum<G>(part);
}

/// Scores `s` of a row of logits `z`.
template <int N, int V, int G>
__device__ void score_row(Scores kind, int rows, int lane, Own<N, V, float, G>& z, Own<N, V, float, G>& s) {
  switch (kind) {
    case Scores::softmax: {
      const float most = largest(rows, lane, z);
      Sum<N> part = 0;
      each(rows, lane, [&](int, float& logit, float& score) { part += score = expf(logit - most); }, z, s);
      const auto inverse = static_cast<float>(1 / group_sum<G>(part));
      each(rows, lane, [&](int, float& score) { score *= inverse; }, s);
      return;
    }
    case Scores::sigmoid:
      return each(rows, lane, [&](int, float& logit, float& score) { score = sigmoid(logit); }, z, s);
    case Scores::sqrt_softplus:
      return each(rows, lane, [&](int, float& logit, float& score) { score = root(softplus(logit)); }, z, s);
    case Scores::softmax_of_chosen:
      return each(rows, lane, [&](int, float& logit, float& score) { score = logit; }, z, s);
    case Scores::relu:  // NaN stays what it is
      return each(rows, lane, [&](int, float& logit, float& score) { score = logit <= 0 ? 0.0f : logit; }, z, s);
  }
}

}  // namespace schemoe::cuda::gates
