// RMSNorm and LayerNorm, a warp a row, and sums over rows in a fixed order.
#include <cmath>

#include "cuda/kernels/alike.h"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8, kThreads = 256;
constexpr int kColumns = 32, kParts = 8;
/// Most blocks into which the rows of a sum are cut, whatever the GPU: the order must not depend on it.
constexpr int64_t kSplits = 64;

/// Sums of a lane: of float32 in double, of bfloat16 in float.
template <class T>
using Sum = std::conditional_t<sizeof(T) == 4, double, float>;

template <class T>
struct NormData {
  bool centered;
  int64_t rows, columns;
  const T *dy, *x;
  const float *weight, *bias;
  const float2* statistics;
};

template <class T, int V>
__global__ void __launch_bounds__(32 * kWarps)
    norm_kernel(NormData<T> n, T* y, float2* statistics, double epsilon) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  const int64_t columns = n.columns;
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < n.rows; row += int64_t{gridDim.x} * kWarps) {
    const T* from = n.x + row * columns;
    float x[V];
    float mean = 0;
    if (n.centered) {
      Sum<T> sum = 0;
      for (int64_t j = V * lane; j < columns; j += 32 * V) {
        load(x, from + j);
#pragma unroll
        for (int i = 0; i < V; ++i) sum += x[i];
      }
      mean = static_cast<float>(warp_sum(sum) / static_cast<double>(columns));
    }
    Sum<T> squares = 0;
    for (int64_t j = V * lane; j < columns; j += 32 * V) {
      load(x, from + j);
#pragma unroll
      for (int i = 0; i < V; ++i) squares += (x[i] - mean) * (x[i] - mean);
    }
    const auto inverse = static_cast<float>(1 / sqrt(warp_sum(squares) / static_cast<double>(columns) + epsilon));
    if (lane == 0) statistics[row] = make_float2(mean, inverse);
    for (int64_t j = V * lane; j < columns; j += 32 * V) {
      float weight[V], bias[V] = {};
      load(x, from + j);
      load(weight, n.weight + j);
      if (n.bias) load(bias, n.bias + j);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        x[i] = (x[i] - mean) * inverse * weight[i];
        if (n.bias) x[i] += bias[i];
      }
      store(y + row * columns + j, x);
    }
  }
}

template <class T, int V>
__global__ void __launch_bounds__(32 * kWarps) norm_grad_kernel(NormData<T> n, T* dx, bool accumulate) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  const int64_t columns = n.columns;
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < n.rows; row += int64_t{gridDim.x} * kWarps) {
    const auto [mean, inverse] = n.statistics[row];
    const T *from = n.x + row * columns, *gradient = n.dy + row * columns;
    Sum<T> along = 0, shift = 0;
    float x[V], g[V], weight[V];
    for (int64_t j = V * lane; j < columns; j += 32 * V) {
      load(x, from + j);
      load(g, gradient + j);
      load(weight, n.weight + j);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        const float product = g[i] * weight[i];
        along += product * ((x[i] - mean) * inverse);
        if (n.centered) shift += product;
      }
    }
    const auto a = static_cast<float>(warp_sum(along) / static_cast<double>(columns));
    const auto s = static_cast<float>(warp_sum(shift) / static_cast<double>(columns));
    for (int64_t j = V * lane; j < columns; j += 32 * V) {
      float before[V] = {};
      load(x, from + j);
      load(g, gradient + j);
      load(weight, n.weight + j);
      if (accumulate) load(before, dx + row * columns + j);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        const float value = inverse * (g[i] * weight[i] - s - (x[i] - mean) * inverse * a);
        x[i] = accumulate ? before[i] + value : value;
      }
      store(dx + row * columns + j, x);
    }
  }
}

/// Sums of `each` rows: kParts threads a column, whose sums are added in order. Results [splits][2][columns].
template <class T>
__global__ void __launch_bounds__(kColumns* kParts) norm_weight_parts_kernel(NormData<T> n, int64_t each, float* out) {
  __shared__ double parts[2][kParts][kColumns];
  const int64_t column = int64_t{blockIdx.x} * kColumns + threadIdx.x, columns = n.columns;
  const int64_t begin = int64_t{blockIdx.y} * each, end = begin + each < n.rows ? begin + each : n.rows;
  Sum<T> of_weight = 0, of_bias = 0;
  if (column < columns) {
#pragma unroll 4
    for (int64_t row = begin + threadIdx.y; row < end; row += kParts) {
      const auto [mean, inverse] = n.statistics[row];
      const float g = to_float(n.dy[row * columns + column]);
      of_weight += g * ((to_float(n.x[row * columns + column]) - mean) * inverse);
      of_bias += g;
    }
  }
  parts[0][threadIdx.y][threadIdx.x] = of_weight;
  parts[1][threadIdx.y][threadIdx.x] = of_bias;
  __syncthreads();
  if (threadIdx.y > 1 || column >= columns) return;
  double sum = 0;
  for (int part = 0; part < kParts; ++part) sum += parts[threadIdx.y][part][threadIdx.x];
  out[(2 * int64_t{blockIdx.y} + threadIdx.y) * columns + column] = static_cast<float>(sum);
}

__global__ void __launch_bounds__(kThreads)
    norm_weight_sum_kernel(int64_t splits, int64_t columns, const float* parts, float* weight, float* bias) {
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= 2 * columns) return;
  float* to = i < columns ? weight : bias;
  if (!to) return;
  double sum = 0;
  for (int64_t split = 0; split < splits; ++split) sum += parts[split * 2 * columns + i];
  to[i % columns] = static_cast<float>(sum);
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads) add_kernel(int64_t count, const T* a, const T* b, T* out) {
  for (int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * V; i < count; i += int64_t{gridDim.x} * kThreads * V) {
    float left[V], right[V];
    load(left, a + i);
    load(right, b + i);
#pragma unroll
    for (int j = 0; j < V; ++j) left[j] += right[j];
    store(out + i, left);
  }
}

}  // namespace

void run(const Norm& n, const Context& context) {
  if (n.rows == 0 || run_rows(n, nullptr, context)) return;
  const auto *weight = context.at<const float>(n.weight), *bias = context.at<const float>(n.bias);
  with_vectors(n.dtype, n.columns, {context.at<void>(n.x), context.at<void>(n.y), weight, bias}, [&](auto like, auto v) {
    using T = decltype(like);
    const NormData<T> data{n.centered, n.rows, n.columns, nullptr, context.at<const T>(n.x), weight, bias, nullptr};
    LAUNCH(context.stream, grid_of(ceil_div(n.rows, kWarps)), 32 * kWarps, 0, (norm_kernel<T, v()>), data,
           context.at<T>(n.y), context.at<float2>(n.statistics), n.epsilon);
  });
}

void run(const NormGrad& n, const Context& context) {
  if (n.rows == 0) return;
  const auto* weight = context.at<const float>(n.weight);
  with_vectors(n.dtype, n.columns, {context.at<void>(n.dy), context.at<void>(n.x), context.at<void>(n.dx), weight},
               [&](auto like, auto v) {
    using T = decltype(like);
    const NormData<T> data{n.centered, n.rows, n.columns, context.at<const T>(n.dy), context.at<const T>(n.x), weight,
                           nullptr, context.at<const float2>(n.statistics)};
    LAUNCH(context.stream, grid_of(ceil_div(n.rows, kWarps)), 32 * kWarps, 0, (norm_grad_kernel<T, v()>), data,
           context.at<T>(n.dx), n.accumulate);
  });
}

void run(const NormWeightGrad& n, const Context& context) {
  if (n.columns == 0 || run_rows(n, nullptr, context)) return;
  const int64_t splits = std::clamp<int64_t>(n.rows / 256, 1, kSplits), each = ceil_div(n.rows, splits);
  auto* parts = context.scratch.get<float>(static_cast<size_t>(2 * splits * n.columns), context.stream);
  const dim3 grid(grid_of(ceil_div(n.columns, kColumns)), static_cast<unsigned>(splits));
  with_type(n.dtype, [&](auto like) {
    using T = decltype(like);
    const NormData<T> data{n.centered, n.rows, n.columns, context.at<const T>(n.dy), context.at<const T>(n.x), nullptr,
                           nullptr, context.at<const float2>(n.statistics)};
    LAUNCH(context.stream, grid, dim3(kColumns, kParts), 0, norm_weight_parts_kernel<T>, data, each, parts);
  });
  LAUNCH(context.stream, grid_of(ceil_div(2 * n.columns, kThreads)), kThreads, 0, norm_weight_sum_kernel, splits, n.columns,
         parts, context.at<float>(n.weight), context.at<float>(n.bias));
}

void run(const AddTensors& a, const Context& context) {
  if (a.count == 0) return;
  with_vectors(a.dtype, a.count, {context.at<void>(a.a), context.at<void>(a.b), context.at<void>(a.out)},
               [&](auto like, auto v) {
    using T = decltype(like);
    LAUNCH(context.stream, grid_of(ceil_div(a.count, kThreads * v())), kThreads, 0, (add_kernel<T, v()>), a.count,
           context.at<const T>(a.a), context.at<const T>(a.b), context.at<T>(a.out));
  });
}

}  // namespace schemoe::cuda
