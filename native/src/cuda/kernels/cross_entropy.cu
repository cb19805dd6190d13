// The loss of a language model and its gradient in one go; a block a row.
#include <cmath>

#include "cuda/kernels/instructions.cuh"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;
/// Of a block that has its row in shared memory.
constexpr int kRowThreads = 512;
constexpr float kLog2e = 1.4426950408889634f;

/// The same on all threads of a block; the order does not depend on timing.
template <int kWarps, class T, class Combine>
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
  constexpr int kWarps = kThreads / 32;
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
    most = block_reduce<kWarps>(most, maxima, [](float a, float b) { return fmaxf(a, b); });
    std::conditional_t<sizeof(T) == 4, double, float> part = 0;
    for (int64_t j = V * threadIdx.x; j < columns; j += V * kThreads) {
      load(v, x + j);
#pragma unroll
      for (int i = 0; i < V; ++i) part += expf(v[i] - most);
    }
    const double sum = block_reduce<kWarps>(static_cast<double>(part), sums, [](double a, double b) { return a + b; });
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

/// The same of bfloat16 logits that are read once: a thread keeps its own in shared memory.
__global__ void __launch_bounds__(kRowThreads)
    cross_entropy_row_kernel(int64_t columns, bf16* logits, const int32_t* targets, float* loss, double scale, Report report) {
  constexpr int kWarps = kRowThreads / 32, V = kVector<bf16>;
  __shared__ float maxima[kWarps];
  __shared__ double sums[kWarps];
  DYNAMIC_SHARED(uint4, kept);
  const int64_t row = blockIdx.x, target = targets[row];
  if (!report.checked(Data::targets, target, columns)) return;
  bf16* x = logits + row * columns;
  const auto vectors = static_cast<int32_t>(columns / V), own = static_cast<int32_t>(threadIdx.x);
  const float right = to_float(x[target]);
  float most = -INFINITY, v[V];
  Raw<bf16, V> raw;
#pragma unroll 4
  for (int32_t at = own; at < vectors; at += kRowThreads) {
    raw.read(x + int64_t{at} * V);
    kept[at] = raw.bits;
    raw.unpack(v);
#pragma unroll
    for (int i = 0; i < V; ++i) most = fmaxf(most, v[i]);
  }
  most = block_reduce<kWarps>(most, maxima, [](float a, float b) { return fmaxf(a, b); });
  float part = 0;
#pragma unroll 2
  for (int32_t at = own; at < vectors; at += kRowThreads) {
    raw.bits = kept[at];
    raw.unpack(v);
#pragma unroll
    for (int i = 0; i < V; ++i) part += power_of_two((v[i] - most) * kLog2e);
  }
  const double sum = block_reduce<kWarps>(static_cast<double>(part), sums, [](double a, double b) { return a + b; });
  if (threadIdx.x == 0) loss[row] = static_cast<float>(most + log(sum) - right);
  const auto factor = static_cast<float>(scale / sum);
#pragma unroll 2
  for (int32_t at = own; at < vectors; at += kRowThreads) {
    raw.bits = kept[at];
    raw.unpack(v);
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] = power_of_two((v[i] - most) * kLog2e) * factor;
    if (at == target / V) {
#pragma unroll
      for (int i = 0; i < V; ++i) {
        if (i == target % V) v[i] -= static_cast<float>(scale);
      }
    }
    store(x + int64_t{at} * V, v);
  }
}

/// False where rows are not kept: too long for two blocks on a multiprocessor, or not of whole vectors.
bool run_rows(const CrossEntropy& c, const Context& context) {
  constexpr int64_t kMost = 96 << 10;
  const int64_t bytes = c.columns * static_cast<int64_t>(sizeof(bf16));
  auto* logits = context.at<bf16>(c.logits);
  if (c.dtype != SCHEMOE_BF16 || c.columns % kVector<bf16> != 0 || bytes > kMost || !aligned(logits) || c.rows > INT32_MAX) return false;
  CUDA_CHECK(cudaFuncSetAttribute(cross_entropy_row_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
  LAUNCH(context.stream, grid_of(c.rows), kRowThreads, static_cast<size_t>(bytes), cross_entropy_row_kernel, c.columns, logits,
         context.at<const int32_t>(c.targets), context.at<float>(c.loss), c.scale, context.report());
  return true;
}

}  // namespace

void run(const CrossEntropy& c, const Context& context) {
  if (c.rows == 0 || run_rows(c, context)) return;
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
