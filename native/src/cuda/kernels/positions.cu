// Places of the choices in their experts: a stable count in one order, without float or ordering races.
#include <cmath>

#include "cuda/kernels/launch.cuh"
#include "runtime/failure.h"

namespace schemoe::cuda {

namespace {

constexpr int kMostWarps = 32;
constexpr int kTile = 256;
constexpr int kAhead = 8;
constexpr int64_t kPart = 128;  // of the sequence, for a warp
constexpr int64_t kMostParts = 256;
constexpr int kPartWarps = 8;

/// Best score of each token; NaN, which compares with nothing, counts as the best.
__global__ void best_kernel(int64_t tokens, int64_t experts, const float* scores, float* best) {
  const int64_t token = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (token >= tokens) return;
  const float* from = scores + token * experts;
  float most = -INFINITY;
  for (int64_t e = 0; e < experts; ++e) {
    const float score = from[e];
    most = fmaxf(most, isnan(score) ? INFINITY : score);
  }
  best[token] = most;
}

/// A token's place in the order is the number of tokens that come before it: its cost is tokens^2.
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

/// All first choices, then all second ones, ..., each in the order of the tokens or a given one.
struct Sequence {
  int64_t tokens, count;
  int experts, k;
  const int32_t* order;
  const int32_t* choices;
  /// Of choices that may be -1: experts from `sent` on and -1 have no place, and their targets are 0.
  int32_t* targets;
  int sent;
};

/// A warp walks a range of the sequence and counts the choices of each expert in `mine` [experts]; with `positions`
/// it writes the running counts. kAhead loads are in flight before the first is used.
__device__ void walk(const Sequence& s, int64_t begin, int64_t end, int* mine, int32_t* positions, const Report& report) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  const auto tokens = static_cast<unsigned>(s.tokens);
  const auto step = [&](bool inside, int64_t at, int expert) {
    const bool none = s.targets && expert == -1;
    if (inside && !none && !report.checked(Data::choices, expert, s.experts)) expert = -1;
    const unsigned same = __match_any_sync(kAllLanes, expert);
    const int before = __popc(same & ((1u << lane) - 1));
    int start = 0;
    if (expert >= 0) start = mine[expert];
    __syncwarp();
    if (positions && inside && s.targets) {
      const bool has = expert >= 0 && expert < s.sent;
      s.targets[at] = has ? expert : 0;
      positions[at] = has ? start + before : kNoPlace;
    }
    if (expert >= 0) {
      if (positions && !s.targets) positions[at] = start + before;
      if (before == 0) mine[expert] = start + __popc(same);
    } else if (positions && inside && !s.targets) {
      positions[at] = INT32_MAX;
    }
    __syncwarp();
  };
  for (int64_t base = begin; base < end; base += 32 * kAhead) {
    int at[kAhead], expert[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const auto i = static_cast<unsigned>(base + 32 * u + lane);
      const unsigned choice = i / tokens, place = i - choice * tokens;
      const bool inside = i < end;
      at[u] = inside ? static_cast<int>((s.order ? static_cast<unsigned>(s.order[place]) : place) * s.k + choice) : 0;
      expert[u] = inside ? s.choices[at[u]] : -1;
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (base + 32 * u < end) step(base + 32 * u + lane < end, at[u], expert[u]);
    }
  }
}

/// One block: each warp counts its range of the sequence, an exclusive prefix sum over the warps gives its first
/// position in each expert, and a second walk writes positions.
__global__ void __launch_bounds__(32 * kMostWarps)
    positions_kernel(Sequence s, int32_t* positions, int32_t* loads, Report report) {
  extern __shared__ int counts[];
  const auto warps = static_cast<int>(blockDim.x / 32);
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  int* mine = counts + warp * s.experts;
  for (int e = lane; e < s.experts; e += 32) mine[e] = 0;
  __syncwarp();
  const int64_t each = (s.count + warps - 1) / warps;
  const int64_t begin = warp * each;
  const int64_t end = begin + each < s.count ? begin + each : s.count;
  walk(s, begin, end, mine, nullptr, report);
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < s.experts; e += blockDim.x) {
    int sum = 0;
    for (int w = 0; w < warps; ++w) {
      const int here = counts[w * s.experts + e];
      counts[w * s.experts + e] = sum;
      sum += here;
    }
    loads[e] = sum;
  }
  __syncthreads();
  walk(s, begin, end, mine, positions, report);
}

/// Counts the experts of a range, which several threads share.
__device__ void count(const Sequence& s, int64_t begin, int64_t end, int thread, int threads, int* counts,
                      const Report& report) {
  const auto tokens = static_cast<unsigned>(s.tokens);
#pragma unroll 4
  for (int64_t at = begin + thread; at < end; at += threads) {
    const auto i = static_cast<unsigned>(at);
    const unsigned choice = i / tokens, place = i - choice * tokens;
    const int expert = s.choices[int64_t{s.order ? s.order[place] : static_cast<int>(place)} * s.k + choice];
    if (s.targets && expert == -1) continue;
    if (report.checked(Data::choices, expert, s.experts)) atomicAdd(&counts[expert], 1);
  }
}

/// The same over many blocks: each counts its part of the sequence into `parts` [part, expert], of which
/// `before_kernel` makes exclusive prefix sums.
__global__ void __launch_bounds__(32 * kPartWarps) count_part_kernel(Sequence s, int64_t each, int* parts, Report report) {
  extern __shared__ int counts[];
  for (int e = static_cast<int>(threadIdx.x); e < s.experts; e += blockDim.x) counts[e] = 0;
  __syncthreads();
  const int64_t begin = blockIdx.x * each, end = min(begin + each, s.count);
  count(s, begin, end, static_cast<int>(threadIdx.x), static_cast<int>(blockDim.x), counts, report);
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < s.experts; e += blockDim.x) {
    parts[int64_t{blockIdx.x} * s.experts + e] = counts[e];
  }
}

/// Each warp of a part counts its range again, learns how many come before, and writes positions.
__global__ void __launch_bounds__(32 * kPartWarps)
    place_part_kernel(Sequence s, int64_t each, const int* parts, int32_t* positions, Report report) {
  extern __shared__ int counts[];
  const auto warps = static_cast<int>(blockDim.x / 32);
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  int* mine = counts + warp * s.experts;
  for (int e = lane; e < s.experts; e += 32) mine[e] = 0;
  __syncwarp();
  const int64_t last = min((blockIdx.x + int64_t{1}) * each, s.count), width = (each / 32 + warps - 1) / warps * 32;
  const int64_t begin = min(blockIdx.x * each + warp * width, last), end = min(begin + width, last);
  count(s, begin, end, lane, 32, mine, report);
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < s.experts; e += blockDim.x) {
    int sum = parts[int64_t{blockIdx.x} * s.experts + e];
    for (int w = 0; w < warps; ++w) {
      const int here = counts[w * s.experts + e];
      counts[w * s.experts + e] = sum;
      sum += here;
    }
  }
  __syncthreads();
  walk(s, begin, end, mine, positions, report);
}

/// One warp per expert: an exclusive prefix sum over its parts; each lane owns kEach consecutive parts.
__global__ void __launch_bounds__(kTile) before_kernel(int experts, int count, int* parts, int32_t* loads) {
  constexpr int kEach = 8;
  const auto lane = static_cast<int>(threadIdx.x % 32);
  const auto expert = static_cast<int>(blockIdx.x * (kTile / 32) + threadIdx.x / 32);
  if (expert >= experts) return;
  int all = 0;
  for (int base = 0; base < count; base += 32 * kEach) {
    const int first = base + lane * kEach;
    int here[kEach], mine = 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) here[i] = first + i < count ? parts[int64_t{first + i} * experts + expert] : 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) mine += here[i];
    int until = mine;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const int other = __shfl_up_sync(kAllLanes, until, step);
      if (lane >= step) until += other;
    }
    int before = all + until - mine;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (first + i < count) parts[int64_t{first + i} * experts + expert] = before;
      before += here[i];
    }
    all += __shfl_sync(kAllLanes, until, 31);
  }
  if (lane == 0) loads[expert] = all;
}

/// Bytes of shared memory that a kernel may have when it asks for them.
void allow(const void* kernel, size_t bytes) {
  if (bytes <= 48 * 1024) return;
  CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
}

/// Length of a block's part of the sequence: at most kMostParts of them, which `before_kernel` scans quickly.
int64_t part_of(int64_t count) {
  return std::max<int64_t>(kPart * kPartWarps, ceil_div(ceil_div(count, kMostParts), 32) * 32);
}

/// What positions are made of.
struct Places {
  int64_t tokens, experts, k;
  bool prioritized;
  const float* scores;
  const int32_t* choices;
  int32_t* targets;
  int sent;
  int32_t* positions;
  int32_t* loads;
};

void place(const Places& p, const Context& context) {
  int device = 0, shared = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  CUDA_CHECK(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  const int64_t room = shared / static_cast<int64_t>(sizeof(int)) / p.experts;
  if (room == 0) {
    fail(SCHEMOE_UNSUPPORTED, p.experts, " experts; on this GPU there can be ",
         shared / static_cast<int64_t>(sizeof(int)));
  }
  const int64_t count = p.tokens * p.k;
  const bool alone = count <= kMostWarps * kPart;
  const int64_t each = part_of(count), parts = alone ? 0 : ceil_div(count, each);
  const int64_t ordered = p.prioritized ? p.tokens : 0;
  auto* counts = context.scratch.get<int32_t>(static_cast<size_t>(parts * p.experts + 2 * ordered), context.stream);
  int32_t* order = nullptr;
  if (ordered > 0) {
    order = counts + parts * p.experts;
    auto* best = reinterpret_cast<float*>(order + ordered);
    const unsigned grid = grid_of(ceil_div(p.tokens, kTile));
    LAUNCH(context.stream, grid, kTile, 0, best_kernel, p.tokens, p.experts, p.scores, best);
    LAUNCH(context.stream, grid, kTile, 0, order_kernel, p.tokens, best, order);
  }
  const Sequence s{p.tokens, count, static_cast<int>(p.experts), static_cast<int>(p.k), order,
                   p.choices, p.targets, p.sent};
  const auto bytes_of = [&](int64_t warps) { return static_cast<size_t>(warps * p.experts) * sizeof(int); };
  if (alone) {
    const int64_t warps = std::clamp<int64_t>(std::min(room, ceil_div(count, 64)), 1, kMostWarps);
    allow(reinterpret_cast<const void*>(positions_kernel), bytes_of(warps));
    LAUNCH(context.stream, 1, static_cast<unsigned>(32 * warps), bytes_of(warps), positions_kernel, s, p.positions, p.loads,
           context.report());
    return;
  }
  const int64_t warps = std::clamp<int64_t>(room, 1, kPartWarps);
  const auto grid = static_cast<unsigned>(parts);
  allow(reinterpret_cast<const void*>(count_part_kernel), bytes_of(1));
  allow(reinterpret_cast<const void*>(place_part_kernel), bytes_of(warps));
  LAUNCH(context.stream, grid, 32 * kPartWarps, bytes_of(1), count_part_kernel, s, each, counts, context.report());
  LAUNCH(context.stream, grid_of(ceil_div(p.experts, kTile / 32)), kTile, 0, before_kernel, s.experts,
         static_cast<int>(parts), counts, p.loads);
  LAUNCH(context.stream, grid, static_cast<unsigned>(32 * warps), bytes_of(warps), place_part_kernel, s, each, counts,
         p.positions, context.report());
}

}  // namespace

void run(const Positions& p, const Context& context) {
  if (p.experts == 0) return;
  place({p.tokens, p.experts, p.k, p.prioritized, context.at<const float>(p.scores), context.at<const int32_t>(p.choices),
         nullptr, 0, context.at<int32_t>(p.positions), context.at<int32_t>(p.loads)}, context);
}

void run(const PlaceChoices& p, const Context& context) {
  auto* loads = context.at<int32_t>(p.loads);
  if (p.tokens == 0 || p.k == 0) {
    CUDA_CHECK(cudaMemsetAsync(loads, 0, static_cast<size_t>(p.rows) * 4, context.stream));
    return;
  }
  place({p.tokens, p.rows, p.k, p.prioritized, context.at<const float>(p.scores), context.at<const int32_t>(p.choices),
         context.at<int32_t>(p.targets), static_cast<int>(p.experts), context.at<int32_t>(p.positions), loads}, context);
}

}  // namespace schemoe::cuda
