// Causal attention of any head up to 256 columns, one warp per query with a running softmax (Milakov and
// Gimelshein, 2018), and for the gradients of keys and values one warp per key: sums in a fixed order, memory linear in the length. Each warp
// reads its keys (or queries) for itself, so this is bound by the L1 and L2 caches, not by arithmetic. NaN and
// infinities are as `cpu/kernels/attention.cpp` says. Heads of 64 and 128 columns in bfloat16 go to tensor cores instead.
#include <cmath>

#include "cuda/hopper/attention.h"
#include "cuda/kernels/attention_tensor.h"
#include "cuda/kernels/launch.cuh"
#include "runtime/failure.h"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8;
/// Most columns of a head in the registers of a lane.
constexpr int kHeld = 8;

struct Sizes {
  int64_t batch, length, heads, key_heads, dim;
  float scale;
};

template <class T>
struct Pointers {
  const T *q, *k, *v, *out, *dout;
  T *to_out, *dq, *dk, *dv;
  const float* logsum;
  float *to_logsum, *delta;
};

/// A row of a head, lane j holding columns j, j + 32, ...
struct Row {
  float value[kHeld] = {};
  template <class T>
  __device__ void read(const T* from, int64_t dim, int64_t lane) {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) value[i] = lane + 32 * i < dim ? to_float(from[lane + 32 * i]) : 0.0f;
  }
  template <class T>
  __device__ void write(T* to, int64_t dim, int64_t lane, float factor) const {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) {
      if (lane + 32 * i < dim) from_float(to[lane + 32 * i], value[i] * factor);
    }
  }
  __device__ float dot(const Row& other) const {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < kHeld; ++i) sum += value[i] * other.value[i];
    return warp_sum(sum);
  }
  __device__ void add(const Row& other, float factor) {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) value[i] += factor * other.value[i];
  }
  __device__ bool finite() const {
    bool all = true;
#pragma unroll
    for (int i = 0; i < kHeld; ++i) all &= isfinite(value[i]);
    return all;
  }
  __device__ void scale(float factor) {
#pragma unroll
    for (int i = 0; i < kHeld; ++i) value[i] *= factor;
  }
};

/// exp(x) as on the CPU: 0 below the logarithm of the smallest normal number.
__device__ float exponential(float x) { return x < -87.0f ? 0.0f : expf(x); }

/// Calls body(item, lane) for the items of this warp.
template <class Body>
__device__ void each(int64_t items, Body&& body) {
  for (int64_t item = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; item < items; item += int64_t{gridDim.x} * kWarps) {
    body(item, static_cast<int64_t>(threadIdx.x % 32));
  }
}

template <class T>
__global__ void __launch_bounds__(32 * kWarps) attention_kernel(Sizes s, Pointers<T> p) {
  each(s.batch * s.heads * s.length, [&](int64_t item, int64_t lane) {
    const int64_t query = item % s.length, head = item / s.length % s.heads, sequence = item / s.length / s.heads;
    const int64_t ldq = s.heads * s.dim, ldk = s.key_heads * s.dim, token = sequence * s.length;
    const int64_t first = token * ldk + head / (s.heads / s.key_heads) * s.dim;
    Row q, key, value, sum;
    q.read(p.q + (token + query) * ldq + head * s.dim, s.dim, lane);
    float most = -INFINITY, total = 0;
    for (int64_t m = 0; m <= query; ++m) {
      key.read(p.k + first + m * ldk, s.dim, lane);
      value.read(p.v + first + m * ldk, s.dim, lane);
      const float score = q.dot(key) * s.scale, higher = fmaxf(most, score);
      // -infinity is a probability of 0, also where nothing higher has been seen.
      const float before = most == -INFINITY ? 1.0f : exponential(most - higher);
      const float now = score == -INFINITY ? 0.0f : exponential(score - higher);
      total = total * before + now;
      sum.scale(before);
      sum.add(value, now);
      most = higher;
    }
    float factor = 1 / total;
    if (__any_sync(kAllLanes, !sum.finite())) {
      // Values that are infinite, or too large before they are divided: each by its final probability.
      sum = {};
      for (int64_t m = 0; m <= query; ++m) {
        key.read(p.k + first + m * ldk, s.dim, lane);
        value.read(p.v + first + m * ldk, s.dim, lane);
        sum.add(value, exponential(q.dot(key) * s.scale - most) * factor);
      }
      factor = 1;
    }
    sum.write(p.to_out + (token + query) * ldq + head * s.dim, s.dim, lane, factor);
    if (lane == 0) p.to_logsum[item] = total > 0 ? most + logf(total) : NAN;
  });
}

/// Also leaves each query's sum of dout * out, which the gradients of keys need.
template <class T>
__global__ void __launch_bounds__(32 * kWarps) query_grad_kernel(Sizes s, Pointers<T> p) {
  each(s.batch * s.heads * s.length, [&](int64_t item, int64_t lane) {
    const int64_t query = item % s.length, head = item / s.length % s.heads, sequence = item / s.length / s.heads;
    const int64_t ldq = s.heads * s.dim, ldk = s.key_heads * s.dim, token = sequence * s.length;
    const int64_t first = token * ldk + head / (s.heads / s.key_heads) * s.dim;
    const int64_t own = (token + query) * ldq + head * s.dim;
    Row q, key, value, out, dout, sum;
    q.read(p.q + own, s.dim, lane);
    // A single key's probability is 1 whatever its score, whose gradient is then exactly 0.
    out.read(query == 0 ? p.v + first : p.out + own, s.dim, lane);
    dout.read(p.dout + own, s.dim, lane);
    const float delta = dout.dot(out), logsum = p.logsum[item];
    for (int64_t m = 0; m <= query; ++m) {
      key.read(p.k + first + m * ldk, s.dim, lane);
      value.read(p.v + first + m * ldk, s.dim, lane);
      const float probability = exponential(q.dot(key) * s.scale - logsum);
      sum.add(key, probability * (dout.dot(value) - delta) * s.scale);
    }
    sum.write(p.dq + own, s.dim, lane, 1);
    if (lane == 0) p.delta[item] = delta;
  });
}

template <class T>
__global__ void __launch_bounds__(32 * kWarps) key_grad_kernel(Sizes s, Pointers<T> p) {
  each(s.batch * s.key_heads * s.length, [&](int64_t item, int64_t lane) {
    const int64_t m = item % s.length, shared = item / s.length % s.key_heads, sequence = item / s.length / s.key_heads;
    const int64_t ldq = s.heads * s.dim, ldk = s.key_heads * s.dim, token = sequence * s.length;
    const int64_t own = (token + m) * ldk + shared * s.dim, group = s.heads / s.key_heads;
    Row key, value, q, dout, of_key, of_value;
    key.read(p.k + own, s.dim, lane);
    value.read(p.v + own, s.dim, lane);
    for (int64_t head = shared * group; head < (shared + 1) * group; ++head) {
      const int64_t rows = (sequence * s.heads + head) * s.length;
      for (int64_t query = m; query < s.length; ++query) {
        const int64_t at = (token + query) * ldq + head * s.dim;
        q.read(p.q + at, s.dim, lane);
        dout.read(p.dout + at, s.dim, lane);
        const float probability = exponential(q.dot(key) * s.scale - p.logsum[rows + query]);
        of_value.add(dout, probability);
        of_key.add(q, probability * (dout.dot(value) - p.delta[rows + query]) * s.scale);
      }
    }
    of_key.write(p.dk + own, s.dim, lane, 1);
    of_value.write(p.dv + own, s.dim, lane, 1);
  });
}

Sizes sizes_of(const AttentionSizes& s, double scale) {
  if (s.dim > 32 * kHeld) {
    fail(SCHEMOE_UNSUPPORTED, "heads of ", s.dim, " columns; at most ", 32 * kHeld, " are possible on a GPU");
  }
  return {s.batch, s.length, s.heads, s.key_heads, s.dim, static_cast<float>(scale)};
}

}  // namespace

void run(const Attention& a, const Context& context) {
  const Sizes s = sizes_of(a.sizes, a.scale);
  const int64_t items = s.batch * s.heads * s.length;
  if (items == 0 || s.dim == 0 || run_on_hopper(a, context) || run_on_tensor_cores(a, context)) return;
  with_type(a.dtype, [&](auto like) {
    using T = decltype(like);
    Pointers<T> p{};
    p.q = context.at<const T>(a.q), p.k = context.at<const T>(a.k), p.v = context.at<const T>(a.v);
    p.to_out = context.at<T>(a.out), p.to_logsum = context.at<float>(a.logsum);
    LAUNCH(context.stream, grid_of(ceil_div(items, kWarps)), 32 * kWarps, 0, attention_kernel<T>, s, p);
  });
}

void run(const AttentionGrad& a, const Context& context) {
  const Sizes s = sizes_of(a.sizes, a.scale);
  const int64_t items = s.batch * s.heads * s.length;
  if (items == 0 || s.dim == 0) {
    // Keys that no head looks at.
    const auto bytes = static_cast<size_t>(s.batch * s.length * s.key_heads * s.dim * element_bytes(a.dtype));
    for (const View& gradient : {a.dk, a.dv}) {
      if (bytes > 0) CUDA_CHECK(cudaMemsetAsync(context.at<void>(gradient), 0, bytes, context.stream));
    }
    return;
  }
  if (run_on_hopper(a, context) || run_on_tensor_cores(a, context)) return;
  with_type(a.dtype, [&](auto like) {
    using T = decltype(like);
    Pointers<T> p{};
    p.q = context.at<const T>(a.q), p.k = context.at<const T>(a.k), p.v = context.at<const T>(a.v);
    p.out = context.at<const T>(a.out), p.logsum = context.at<const float>(a.logsum);
    p.dout = context.at<const T>(a.dout);
    p.dq = context.at<T>(a.dq), p.dk = context.at<T>(a.dk), p.dv = context.at<T>(a.dv);
    p.delta = context.scratch.get<float>(static_cast<size_t>(items), context.stream);
    const int64_t keys = s.batch * s.key_heads * s.length;
    LAUNCH(context.stream, grid_of(ceil_div(items, kWarps)), 32 * kWarps, 0, query_grad_kernel<T>, s, p);
    LAUNCH(context.stream, grid_of(ceil_div(keys, kWarps)), 32 * kWarps, 0, key_grad_kernel<T>, s, p);
  });
}

}  // namespace schemoe::cuda
