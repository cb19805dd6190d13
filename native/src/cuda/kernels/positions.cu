// Places of the choices in their experts: a stable count in one order, without float or ordering races.
#include <cmath>

#include "cuda/kernels/launch.cuh"
#include "runtime/failure.h"

namespace schemoe::cuda {

namespace {

constexpr int kMostWarps = 32;
constexpr int kTile = 256;
constexpr int kAhead = 8;

/// Best score of each token; NaN has no place in an order and goes last.
__global__ void best_kernel(int64_t tokens, int64_t experts, const float* scores, float* best) {
  const int64_t token = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (token >= tokens) return;
  const float* from = scores + token * experts;
  float most = from[0];
  for (int64_t e = 1; e < experts; ++e) most = most < from[e] ? from[e] : most;
  best[token] = isnan(most) ? -INFINITY : most;
}

/// A token's place in the order is the number of tokens that come before it.
__global__ void __launch_bounds__(kTile) order_kernel(int64_t tokens, const float* best, int32_t* order) {
  __shared__ float tile[kTile];
  const int64_t token = int64_t{blockIdx.x} * kTile + threadIdx.x;
  const float mine = token < tokens ? best[token] : 0;
  int64_t place = 0;
  for (int64_t base = 0; base < tokens; base += kTile) {
    __syncthreads();
    if (base + threadIdx.x < tokens) tile[threadIdx.x] = best[base + threadIdx.x];
    __syncthreads();
    const auto count = static_cast<int>(tokens - base < kTile ? tokens - base : kTile);
    for (int i = 0; i < count; ++i) place += tile[i] > mine || (tile[i] == mine && base + i < token);
  }
  if (token < tokens) order[place] = static_cast<int32_t>(token);
}

/// One block: each warp has a range of the sequence (all first choices, then all second ones, ...),
/// counts it, learns how many of each expert come before, and walks through it again.
__global__ void __launch_bounds__(32 * kMostWarps)
    positions_kernel(int64_t tokens, int experts, int64_t count, int k, const int32_t* order, const int32_t* choices,
                     int32_t* positions, int32_t* loads, Report report) {
  extern __shared__ int counts[];
  const auto warps = static_cast<int>(blockDim.x / 32);
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  int* mine = counts + warp * experts;
  for (int e = lane; e < experts; e += 32) mine[e] = 0;
  __syncwarp();
  const int64_t each = (count + warps - 1) / warps;
  const int64_t begin = warp * each;
  const int64_t end = begin + each < count ? begin + each : count;
  const auto step = [&](bool write, int64_t i, int64_t at, int expert) {
    if (i < end && !report.checked(Data::choices, expert, experts)) expert = -1;
    const unsigned same = __match_any_sync(kAllLanes, expert);
    const int before = __popc(same & ((1u << lane) - 1));
    int start = 0;
    if (expert >= 0) start = mine[expert];
    __syncwarp();
    if (expert >= 0) {
      if (write) positions[at] = start + before;
      if (before == 0) mine[expert] = start + __popc(same);
    } else if (write && i < end) {
      positions[at] = INT32_MAX;
    }
    __syncwarp();
  };
  // Several loads are under way before the first is used.
  const auto walk = [&](bool write) {
    for (int64_t base = begin; base < end; base += 32 * kAhead) {
      int at[kAhead], expert[kAhead];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const auto i = static_cast<unsigned>(base + 32 * u + lane);
        const unsigned choice = i / static_cast<unsigned>(tokens), place = i - choice * static_cast<unsigned>(tokens);
        const bool inside = i < end;
        at[u] = inside ? static_cast<int>((order ? static_cast<unsigned>(order[place]) : place) * k + choice) : 0;
        expert[u] = inside ? choices[at[u]] : -1;
      }
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        if (base + 32 * u < end) step(write, base + 32 * u + lane, at[u], expert[u]);
      }
    }
  };
  walk(false);
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < experts; e += blockDim.x) {
    int sum = 0;
    for (int w = 0; w < warps; ++w) {
      const int here = counts[w * experts + e];
      counts[w * experts + e] = sum;
      sum += here;
    }
    loads[e] = sum;
  }
  __syncthreads();
  walk(true);
}

}  // namespace

void run(const Positions& p, const Context& context) {
  if (p.experts == 0) return;
  int device = 0, shared = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  CUDA_CHECK(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  const int64_t room = shared / static_cast<int64_t>(sizeof(int)) / p.experts;
  if (room == 0) {
    fail(SCHEMOE_UNSUPPORTED, p.experts, " experts; on this GPU there can be ",
         shared / static_cast<int64_t>(sizeof(int)));
  }
  const int32_t* order = nullptr;
  if (p.prioritized && p.tokens > 0) {
    auto* best = context.scratch.get<float>(static_cast<size_t>(2 * p.tokens), context.stream);
    auto* sorted = reinterpret_cast<int32_t*>(best + p.tokens);
    const unsigned grid = grid_of(ceil_div(p.tokens, kTile));
    LAUNCH(context.stream, grid, kTile, 0, best_kernel, p.tokens, p.experts, context.at<const float>(p.scores), best);
    LAUNCH(context.stream, grid, kTile, 0, order_kernel, p.tokens, best, sorted);
    order = sorted;
  }
  const int64_t count = p.tokens * p.k;
  const int64_t warps = std::clamp<int64_t>(std::min(room, ceil_div(count, 64)), 1, kMostWarps);
  const auto bytes = static_cast<size_t>(warps * p.experts) * sizeof(int);
  if (bytes > 48 * 1024) {
    CUDA_CHECK(cudaFuncSetAttribute(positions_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(bytes)));
  }
  LAUNCH(context.stream, 1, static_cast<unsigned>(32 * warps), bytes, positions_kernel, p.tokens,
         static_cast<int>(p.experts), count, static_cast<int>(p.k), order, context.at<const int32_t>(p.choices),
         context.at<int32_t>(p.positions), context.at<int32_t>(p.loads), context.report());
}

}  // namespace schemoe::cuda
