// Sums over the columns of a matrix in a fixed order, whatever the GPU: parts of blocks, then the parts, then
// what follows from all sums.
#pragma once

#include "cuda/kernels/gates/rows.cuh"

namespace schemoe::cuda::gates {

/// Where blocks put their sums [blocks, columns]; the first block of the kernel that does sets `done` to 0.
struct Parts {
  double* sums;
  unsigned* done;
  unsigned blocks;
};

/// Blocks of so many warps for a warp per row with a part each; few parts are soon added up.
inline unsigned part_blocks(int64_t count, int64_t columns, int64_t warps = kWarps) {
  return static_cast<unsigned>(std::clamp<int64_t>(ceil_div(count, 4 * warps), 1, columns > 1024 ? 264 : 4224 / warps));
}

/// Room for the parts and for the sums, which lie behind them.
inline Parts parts_for(unsigned blocks, int64_t columns, const Context& context) {
  auto* sums = context.scratch.get<double>(static_cast<size_t>((blocks + 1) * columns + 1), context.stream);
  return {sums, reinterpret_cast<unsigned*>(sums + (blocks + 1) * columns), blocks};
}

/// Threads of a block that sums rows of which a lane has N numbers: many of them for few parts.
template <int N>
inline constexpr int kSumming = N == 0 ? 32 : N < 32 ? 512 : kThreads;

/// Adds up what the groups of lanes of a warp have, in an order of its own, and puts it where the warp's row of shared
/// memory is.
template <int N, int V, int G>
__device__ void put_sums(int columns, int lane, Own<N, V, double, G>& sums, double* rows) {
#pragma unroll
  for (int step = G; step < 32; step *= 2) {
#pragma unroll
    for (double& sum : sums.values) sum += __shfl_xor_sync(kAllLanes, sum, step);
  }
  if (threadIdx.x % 32 >= G) return;
  each(columns, lane, [&](int e, double& sum) { rows[threadIdx.x / 32 * columns + e] = sum; }, sums);
}

/// Adds up what groups of lanes of a block have, in their order, as the block's part; their rows lie in shared memory,
/// `stride` numbers from one to the next, with column e at place_of(e).
template <class Place>
__device__ void write_part(const double* rows, int count, int64_t stride, int64_t columns, const Parts& parts, Place place_of) {
  __syncthreads();
  for (int64_t e = threadIdx.x; e < columns; e += blockDim.x) {
    const double* from = rows + place_of(e);
    double sum = 0;
#pragma unroll 8
    for (int row = 0; row < count; ++row) sum += from[row * stride];
    parts.sums[blockIdx.x * columns + e] = sum;
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) *parts.done = 0;
}

__device__ inline void write_part(const double* rows, int count, int64_t columns, const Parts& parts) {
  write_part(rows, count, columns, columns, parts, [](int64_t e) { return e; });
}

/// Threads of a block that adds up parts.
inline constexpr int kFinish = 1024;

/// The same on all threads of a block, which all call it; the order does not depend on timing.
__device__ inline double block_sum(double value) {
  __shared__ double parts[32];
  value = warp_sum(value);
  __syncthreads();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  return warp_sum(threadIdx.x % 32 < blockDim.x / 32 ? parts[threadIdx.x % 32] : 0.0);
}

/// Adds up the parts; the last block to be done gets all sums.
template <class Finish>
__global__ void __launch_bounds__(kFinish) finish_kernel(int64_t columns, Parts parts, Finish then) {
  constexpr int kShares = kFinish / 32;
  __shared__ double shares[kShares][33];
  __shared__ bool last;
  double* sums = parts.sums + parts.blocks * columns;
  const int x = threadIdx.x % 32, y = threadIdx.x / 32;
  // A single column is shared by all threads.
  const bool single = columns == 1;
  const unsigned begin = single ? threadIdx.x : y, step = single ? kFinish : kShares;
  for (int64_t first = int64_t{blockIdx.x} * 32; first < columns; first += int64_t{gridDim.x} * 32) {
    const int64_t column = single ? 0 : first + x;
    double share = 0;
    if (column < columns) {
#pragma unroll 8
      for (unsigned block = begin; block < parts.blocks; block += step) share += parts.sums[block * columns + column];
    }
    if (single) share = warp_sum(share);
    shares[y][x] = share;
    __syncthreads();
    // A warp has a column, a lane the share of a row of threads.
    for (int i = y; i < (single ? 1 : 32); i += kShares) {
      const double sum = warp_sum(x < kShares ? shares[x][i] : 0.0);
      if (x == 0 && first + i < columns) {
        sums[first + i] = sum;
        __threadfence();
      }
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) last = atomicAdd(parts.done, 1u) == gridDim.x - 1;
  __syncthreads();
  if (last) then(static_cast<const volatile double*>(sums), columns);
}

template <class Finish>
void finish(int64_t columns, const Parts& parts, const Finish& then, const Context& context) {
  LAUNCH(context.stream, grid_of(ceil_div(columns, 32)), kFinish, 0, finish_kernel<Finish>, columns, parts, then);
}

/// How many tokens are no padding, at least 1, to all threads of a block; `padding` may be nullptr.
__device__ inline double other_tokens(const int32_t* padding, int64_t tokens) {
  double count = 0;
  for (int64_t token = threadIdx.x; padding && token < tokens; token += blockDim.x) count += padding[token] == 0;
  return fmax(padding ? block_sum(count) : static_cast<double>(tokens), 1.0);
}

/// A loss, and a total of weighted losses that it is added to.
struct Loss {
  float* loss;
  float* total;
  double weight;
  __device__ void operator()(double value) const {
    *loss = static_cast<float>(value);
    *total += static_cast<float>(weight * value);
  }
};

inline Loss loss_of(const View& loss, const View& total, double weight, const Context& context) {
  return {context.at<float>(loss), context.at<float>(total), weight};
}

/// The squared coefficient of variation (population variance) of the sums, and its slope in each.
struct Variation {
  float* slopes;
  bool add;
  Loss report;
  __device__ void operator()(const volatile double* sums, int64_t count) const {
    const auto n = static_cast<double>(count);
    double part = 0;
    for (int64_t e = threadIdx.x; e < count; e += blockDim.x) part += sums[e] / n;
    const double mean = block_sum(part);
    part = 0;
    for (int64_t e = threadIdx.x; e < count; e += blockDim.x) part += (sums[e] - mean) * (sums[e] - mean) / n;
    const double variance = block_sum(part);
    // A mean of 0: all tokens are padding, or none chose an expert.
    const double loss = mean == 0 ? 0 : variance / (mean * mean);
    for (int64_t e = threadIdx.x; e < count; e += blockDim.x) {
      const double slope = mean == 0 ? 0 : 2 * ((sums[e] - mean) / (mean * mean) - loss / mean) / n;
      const auto value = static_cast<float>(report.weight * slope);
      slopes[e] = add ? slopes[e] + value : value;
    }
    if (threadIdx.x == 0) report(loss);
  }
};

}  // namespace schemoe::cuda::gates
