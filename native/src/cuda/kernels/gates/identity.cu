// Experts without computation, and rows that a gate of their own scales: a warp a token.
#include "cuda/kernels/dots.cuh"
#include "cuda/kernels/gates/scores.cuh"
#include "cuda/kernels/places.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    add_identity_kernel(int64_t tokens, int64_t columns, int64_t experts, int64_t k, const T* from,
                        const int32_t* choices, const float* weights, T* to) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t token = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; token < tokens;
       token += int64_t{gridDim.x} * kWarps) {
    float sum = 0;
    bool any = false;
    for (int64_t first = 0; first < k; first += 32) {
      const int64_t i = token * k + first + lane;
      const bool mine = first + lane < k && choices[i] >= experts;
      const float weight = mine ? weights[i] : 0.0f;
      // In the order of choices, as on the CPU.
      const unsigned all = __ballot_sync(kAllLanes, mine);
      any |= all != 0;
      for (unsigned left = all; left != 0; left &= left - 1) {
        sum += __shfl_sync(kAllLanes, weight, __ffs(static_cast<int>(left)) - 1);
      }
    }
    // A weight of 0 does not hide what is not finite.
    if (!any) continue;
    const T* source = from + token * columns;
    T* target = to + token * columns;
#pragma unroll 4
    for (int64_t j = lane * V; j < columns; j += 32 * V) {
      float x[V], y[V];
      load(x, source + j);
      load(y, target + j);
#pragma unroll
      for (int i = 0; i < V; ++i) y[i] += sum * x[i];
      store(target + j, y);
    }
  }
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    identity_dots_kernel(int64_t tokens, int64_t columns, int64_t experts, int64_t k, const T* a, const T* b,
                         const int32_t* choices, float* out) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t token = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; token < tokens;
       token += int64_t{gridDim.x} * kWarps) {
    bool any = false;
    for (int64_t c = lane; c < k; c += 32) any |= choices[token * k + c] >= experts;
    if (!__any_sync(kAllLanes, any)) continue;
    double sum = 0;
#pragma unroll 4
    for (int64_t j = lane * V; j < columns; j += 32 * V) {
      float x[V], y[V];
      load(x, a + token * columns + j);
      load(y, b + token * columns + j);
      add_products<T>(sum, x, y);
    }
    const auto product = static_cast<float>(warp_sum(sum));
    for (int64_t c = lane; c < k; c += 32) {
      if (choices[token * k + c] >= experts) out[token * k + c] = product;
    }
  }
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    gated_rows_kernel(int64_t tokens, int64_t columns, const float* logits, const T* rows, T* y, T* d_rows,
                      float* d_logits) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t token = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; token < tokens;
       token += int64_t{gridDim.x} * kWarps) {
    const float q = sigmoid(logits[token]);
    double sum = 0;
#pragma unroll 4
    for (int64_t j = lane * V; j < columns; j += 32 * V) {
      const int64_t at = token * columns + j;
      float row[V], other[V];
      load(row, rows + at);
      load(other, y + at);
      if (d_rows) {
        add_products<T>(sum, other, row);
#pragma unroll
        for (int i = 0; i < V; ++i) other[i] *= q;
        store(d_rows + at, other);
      } else {
#pragma unroll
        for (int i = 0; i < V; ++i) other[i] += q * row[i];
        store(y + at, other);
      }
    }
    if (!d_rows) continue;
    sum = warp_sum(sum);
    if (lane == 0) d_logits[token] = static_cast<float>(sum * q * (1 - q));
  }
}

}  // namespace

void run(const AddIdentity& a, const Context& context) {
  if (a.columns == 0 || a.tokens == 0 || a.k == 0) return;
  with_vectors(a.dtype, a.columns, {context.at<void>(a.from), context.at<void>(a.to)}, [&](auto element, auto v) {
    using T = decltype(element);
    LAUNCH(context.stream, grid_of(ceil_div(a.tokens, kWarps)), kThreads, 0, (add_identity_kernel<T, v()>), a.tokens,
           a.columns, a.experts, a.k, context.at<const T>(a.from), context.at<const int32_t>(a.choices),
           context.at<const float>(a.weights), context.at<T>(a.to));
  });
}

void run(const IdentityDots& d, const Context& context) {
  if (d.tokens == 0 || d.k == 0) return;
  with_vectors(d.dtype, d.columns, {context.at<void>(d.a), context.at<void>(d.b)}, [&](auto element, auto v) {
    using T = decltype(element);
    LAUNCH(context.stream, grid_of(ceil_div(d.tokens, kWarps)), kThreads, 0, (identity_dots_kernel<T, v()>), d.tokens,
           d.columns, d.experts, d.k, context.at<const T>(d.a), context.at<const T>(d.b),
           context.at<const int32_t>(d.choices), context.at<float>(d.out));
  });
}

void run(const GatedRows& g, const Context& context) {
  if (g.tokens == 0) return;
  const std::initializer_list<const void*> data{context.at<void>(g.rows), context.at<void>(g.y), context.at<void>(g.d_rows)};
  with_vectors(g.dtype, g.columns, data, [&](auto element, auto v) {
    using T = decltype(element);
    LAUNCH(context.stream, grid_of(ceil_div(g.tokens, kWarps)), kThreads, 0, (gated_rows_kernel<T, v()>), g.tokens,
           g.columns, context.at<const float>(g.logits), context.at<const T>(g.rows), context.at<T>(g.y),
           context.at<T>(g.d_rows), context.at<float>(g.d_logits));
  });
}

}  // namespace schemoe::cuda
