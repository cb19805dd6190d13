// The loss of a language model and its gradient in one go; a block a row.
#include <cmath>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32;

/// The same on all threads of a block; the order does not depend on timing.
template <class T, class Combine>
__device__ T block_reduce(T value, T* parts, Combine&& combine) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value = combine(value, __shfl_xor_sync(kAllLanes, value, step));
  __syncthreads();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  value = parts[0];
  for (int i = 1; i < kWarps; ++i) value = combine(value, parts[i]);
  return value;
}

/// V logits at a time.
template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    cross_entropy_kernel(int64_t rows, int64_t columns, T* logits, const int32_t* targets, float* loss, double scale,
                         Report report) {
  __shared__ float maxima[kWarps];
  __shared__ double sums[kWarps];
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    T* x = logits + row * columns;
    const int64_t target = targets[row];
    if (!report.checked(Data::targets, target, columns)) continue;
    const float right = to_float(x[target]);
    float most = -INFINITY, v[V];
    for (int64_t j = V * threadIdx.x; j < columns; j += V * kThreads) {
      load(v, x + j);
#pragma unroll
      for (int i = 0; i < V; ++i) most = fmaxf(most, v[i]);
    }
    most = block_reduce(most, maxima, [](float a, float b) { return fmaxf(a, b); });
    std::conditional_t<sizeof(T) == 4, double, float> part = 0;
    for (int64_t j = V * threadIdx.x; j < columns; j += V * kThreads) {
      load(v, x + j);
#pragma unroll
      for (int i = 0; i < V; ++i) part += expf(v[i] - most);
    }
    const double sum = block_reduce(static_cast<double>(part), sums, [](double a, double b) { return a + b; });
    if (threadIdx.x == 0) loss[row] = static_cast<float>(most + log(sum) - right);
    const auto factor = static_cast<float>(scale / sum);
    for (int64_t j = V * threadIdx.x; j < columns; j += V * kThreads) {
      load(v, x + j);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        const float gradient = expf(v[i] - most) * factor;
        v[i] = j + i == target ? gradient - static_cast<float>(scale) : gradient;
      }
      store(x + j, v);
    }
  }
}

}  // namespace

void run(const CrossEntropy& c, const Context& context) {
  if (c.rows == 0) return;
  with_type(c.dtype, [&](auto like) {
    using T = decltype(like);
    auto* logits = context.at<T>(c.logits);
    const auto launch = [&](auto v) {
      LAUNCH(context.stream, grid_of(c.rows), kThreads, 0, (cross_entropy_kernel<T, v()>), c.rows, c.columns, logits,
             context.at<const int32_t>(c.targets), context.at<float>(c.loss), c.scale, context.report());
    };
    if (c.columns % kVector<T> == 0 && aligned(logits)) launch(std::integral_constant<int, kVector<T>>{});
    else launch(std::integral_constant<int, 1>{});
  });
}

}  // namespace schemoe::cuda
