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

__global__ void __launch_bounds__(kThreads)
    cross_entropy_kernel(int64_t rows, int64_t columns, float* logits, const int32_t* targets, float* loss, double scale,
                         Report report) {
  __shared__ float maxima[kWarps];
  __shared__ double sums[kWarps];
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    float* x = logits + row * columns;
    const int64_t target = targets[row];
    if (!report.checked(Data::targets, target, columns)) continue;
    const float right = x[target];
    float most = -INFINITY;
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) most = fmaxf(most, x[j]);
    most = block_reduce(most, maxima, [](float a, float b) { return fmaxf(a, b); });
    double sum = 0;
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) sum += expf(x[j] - most);
    sum = block_reduce(sum, sums, [](double a, double b) { return a + b; });
    if (threadIdx.x == 0) loss[row] = static_cast<float>(most + log(sum) - right);
    const auto factor = static_cast<float>(scale / sum);
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) {
      const float gradient = expf(x[j] - most) * factor;
      x[j] = j == target ? gradient - static_cast<float>(scale) : gradient;
    }
  }
}

}  // namespace

void run(const CrossEntropy& c, const Context& context) {
  if (c.rows == 0) return;
  LAUNCH(context.stream, grid_of(c.rows), kThreads, 0, cross_entropy_kernel, c.rows, c.columns,
         context.at<float>(c.logits), context.at<const int32_t>(c.targets), context.at<float>(c.loss), c.scale,
         context.report());
}

}  // namespace schemoe::cuda
