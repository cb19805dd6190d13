// RMSNorm and LayerNorm, a warp a row, and sums over rows in a fixed order.
#include <cmath>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8, kThreads = 256;
constexpr int kColumns = 32, kParts = 8;

__global__ void __launch_bounds__(32 * kWarps)
    norm_kernel(bool centered, int64_t rows, int64_t columns, const float* x, const float* weight, const float* bias,
                float* y, float2* statistics, double epsilon) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < rows; row += int64_t{gridDim.x} * kWarps) {
    const float* from = x + row * columns;
    float mean = 0;
    if (centered) {
      double sum = 0;
      for (int64_t j = lane; j < columns; j += 32) sum += from[j];
      mean = static_cast<float>(warp_sum(sum) / static_cast<double>(columns));
    }
    double squares = 0;
    for (int64_t j = lane; j < columns; j += 32) squares += (from[j] - mean) * (from[j] - mean);
    const auto inverse = static_cast<float>(1 / sqrt(warp_sum(squares) / static_cast<double>(columns) + epsilon));
    if (lane == 0) statistics[row] = make_float2(mean, inverse);
    for (int64_t j = lane; j < columns; j += 32) {
      const float value = (from[j] - mean) * inverse * weight[j];
      y[row * columns + j] = bias ? value + bias[j] : value;
    }
  }
}

__global__ void __launch_bounds__(32 * kWarps)
    norm_grad_kernel(bool centered, int64_t rows, int64_t columns, const float* dy, const float* x, const float* weight,
                     const float2* statistics, float* dx, bool accumulate) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < rows; row += int64_t{gridDim.x} * kWarps) {
    const auto [mean, inverse] = statistics[row];
    const float *from = x + row * columns, *gradient = dy + row * columns;
    double along = 0, shift = 0;
    for (int64_t j = lane; j < columns; j += 32) {
      const float g = gradient[j] * weight[j];
      along += g * ((from[j] - mean) * inverse);
      if (centered) shift += g;
    }
    const auto a = static_cast<float>(warp_sum(along) / static_cast<double>(columns));
    const auto s = static_cast<float>(warp_sum(shift) / static_cast<double>(columns));
    for (int64_t j = lane; j < columns; j += 32) {
      const float value = inverse * (gradient[j] * weight[j] - s - (from[j] - mean) * inverse * a);
      float* to = dx + row * columns + j;
      *to = accumulate ? *to + value : value;
    }
  }
}

/// Each of kParts threads of a column sums its rows in double; the parts are added in order.
__global__ void __launch_bounds__(kColumns* kParts)
    norm_weight_grad_kernel(int64_t rows, int64_t columns, const float* dy, const float* x, const float2* statistics,
                            float* weight, float* bias) {
  __shared__ double parts[2][kParts][kColumns];
  const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x;
  double of_weight = 0, of_bias = 0;
  if (column < columns) {
    for (int64_t row = threadIdx.y; row < rows; row += kParts) {
      const auto [mean, inverse] = statistics[row];
      const float g = dy[row * columns + column];
      of_weight += g * ((x[row * columns + column] - mean) * inverse);
      of_bias += g;
    }
  }
  parts[0][threadIdx.y][threadIdx.x] = of_weight;
  parts[1][threadIdx.y][threadIdx.x] = of_bias;
  __syncthreads();
  if (threadIdx.y > 1 || column >= columns || (threadIdx.y == 1 && !bias)) return;
  double sum = 0;
  for (int part = 0; part < kParts; ++part) sum += parts[threadIdx.y][part][threadIdx.x];
  (threadIdx.y == 0 ? weight : bias)[column] = static_cast<float>(sum);
}

__global__ void __launch_bounds__(kThreads) add_kernel(int64_t count, const float* a, const float* b, float* out) {
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += int64_t{gridDim.x} * kThreads) {
    out[i] = a[i] + b[i];
  }
}

}  // namespace

void run(const Norm& n, const Context& context) {
  if (n.rows == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(n.rows, kWarps)), 32 * kWarps, 0, norm_kernel, n.centered, n.rows, n.columns,
         context.at<const float>(n.x), context.at<const float>(n.weight), context.at<const float>(n.bias),
         context.at<float>(n.y), context.at<float2>(n.statistics), n.epsilon);
}

void run(const NormGrad& n, const Context& context) {
  if (n.rows == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(n.rows, kWarps)), 32 * kWarps, 0, norm_grad_kernel, n.centered, n.rows,
         n.columns, context.at<const float>(n.dy), context.at<const float>(n.x), context.at<const float>(n.weight),
         context.at<const float2>(n.statistics), context.at<float>(n.dx), n.accumulate);
}

void run(const NormWeightGrad& n, const Context& context) {
  if (n.columns == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(n.columns, kColumns)), dim3(kColumns, kParts), 0, norm_weight_grad_kernel,
         n.rows, n.columns, context.at<const float>(n.dy), context.at<const float>(n.x),
         context.at<const float2>(n.statistics), context.at<float>(n.weight), context.at<float>(n.bias));
}

void run(const AddTensors& a, const Context& context) {
  if (a.count == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(a.count, kThreads)), kThreads, 0, add_kernel, a.count,
         context.at<const float>(a.a), context.at<const float>(a.b), context.at<float>(a.out));
}

}  // namespace schemoe::cuda
