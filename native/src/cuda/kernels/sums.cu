// Sums in an order that depends on the count alone: all sums of a task in two launches.
#include "cuda/kernels/alike.h"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;
/// Blocks of a sum, whatever the GPU: the order must not depend on it.
constexpr int kBlocks = 512;

struct Sum {
  const float* x;
  float* out;
  int64_t count;
};

struct Sums {
  Sum list[kMostAlike];
};

__device__ double block_sum(double value, double* parts) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  double sum = 0;
  for (int i = 0; i < kThreads / 32; ++i) sum += parts[i];
  return sum;
}

__global__ void __launch_bounds__(kThreads) sum_parts_kernel(bool squares, const __grid_constant__ Sums sums, double* out) {
  __shared__ double parts[kThreads / 32];
  const auto& [x, to, count] = sums.list[blockIdx.y];
  double sum = 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += int64_t{kBlocks} * kThreads) {
    sum += squares ? x[i] * x[i] : x[i];
  }
  sum = block_sum(sum, parts);
  if (threadIdx.x == 0) out[blockIdx.y * kBlocks + blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) sum_of_parts_kernel(const __grid_constant__ Sums sums, const double* in) {
  __shared__ double parts[kThreads / 32];
  double sum = 0;
  for (int i = threadIdx.x; i < kBlocks; i += kThreads) sum += in[blockIdx.x * kBlocks + i];
  sum = block_sum(sum, parts);
  if (threadIdx.x == 0) *sums.list[blockIdx.x].out = static_cast<float>(sum);
}

}  // namespace

void run(std::span<const SumValues* const> sums, const Context& context) {
  Sums all{};
  for (size_t i = 0; i < sums.size(); ++i) {
    all.list[i] = {context.at<const float>(sums[i]->x), context.at<float>(sums[i]->out), sums[i]->count};
  }
  const auto count = static_cast<unsigned>(sums.size());
  auto* parts = context.scratch.get<double>(count * kBlocks, context.stream);
  LAUNCH(context.stream, dim3(kBlocks, count), kThreads, 0, sum_parts_kernel, sums.front()->squares, all, parts);
  LAUNCH(context.stream, count, kThreads, 0, sum_of_parts_kernel, all, parts);
}

void run(const SumValues& s, const Context& context) {
  const SumValues* alone = &s;
  run(std::span(&alone, 1), context);
}

}  // namespace schemoe::cuda
