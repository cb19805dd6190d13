// Places of the choices in their experts: a stable count in one order, without float or ordering races.
#include "cuda/kernels/priority.cuh"
#include "cuda/kernels/counted_parts.cuh"
#include "cuda/kernels/lanes.cuh"
#include "runtime/failure.h"

namespace schemoe::cuda {

using namespace places;

namespace {

constexpr int kMostWarps = 32;
constexpr int kSteps = 8;           // of 32 choices, for a warp
constexpr int kWanted = 128;        // parts
constexpr int kFewParts = 32;       // up to which a launch of its own counts them sooner
constexpr int kMostParts = 128;     // of which every block adds up those before its own
constexpr int kCounters = 512;      // threads that count a part

/// Counts of a part's experts [part, expert]; blocks beyond the parts find the best scores of tokens.
__global__ void __launch_bounds__(kCounters)
    count_part_kernel(Sequence s, int* parts, Priority p, int lanes, bool wide, Report report) {
  DYNAMIC_SHARED(int, counts);
  const auto part = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  if (part >= s.parts) {
    const int block = part - s.parts, blocks = static_cast<int>(gridDim.x) - s.parts;
    if (wide) best_scores<4>(s, p, lanes, block, blocks);
    else best_scores<1>(s, p, lanes, block, blocks);
    return;
  }
  for (int e = thread; e < s.experts; e += kCounters) counts[e] = 0;
  __syncthreads();
  const int64_t end = s.end(part);
  constexpr int kAhead = 4;
  Walker walker(s, s.begin(part) + thread);
  for (int64_t base = s.begin(part) + thread; base < end; base += kAhead * kCounters) {
    int choices[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (base + u * kCounters < end) choices[u] = s.choices[walker.at()];
      walker.forward(kCounters);
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (base + u * kCounters >= end) continue;
      if (const int expert = expert_of(s, choices[u], report); expert >= 0) atomicAdd(&counts[expert], 1);
    }
  }
  __syncthreads();
  for (int e = thread; e < s.experts; e += kCounters) parts[int64_t{part} * s.experts + e] = counts[e];
}

/// One warp per expert: an exclusive prefix sum over its parts; each lane owns kEach consecutive parts.
__global__ void __launch_bounds__(256) before_kernel(int experts, int count, int* parts, int32_t* loads) {
  constexpr int kEach = 8;
  const auto lane = static_cast<int>(threadIdx.x % 32);
  const auto expert = static_cast<int>(blockIdx.x * 8 + threadIdx.x / 32);
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

/// Adds to `before` [experts] what the parts before this one have, and to `totals` what all have; groups of threads
/// share the parts, and a thread has V experts. Sums of integers: their order does not matter.
template <bool kListed, int V>
__device__ void add_parts(const Sequence& s, const int* parts, int part, int* before, int* totals) {
  using Vector = typename gates::Own<V, V, int>::Vector;
  const auto thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const int across = s.experts / V, groups = max(threads / across, 1), group = thread / across;
  if (group >= groups && groups > 1) return;
  const int last = kListed ? s.parts : part;
  for (int e = V * (groups > 1 ? thread % across : thread); e < s.experts; e += V * threads) {
    int sum[V] = {}, all[V] = {};
#pragma unroll 8
    for (int other = groups > 1 ? group : 0; other < last; other += groups) {
      const Vector here = *reinterpret_cast<const Vector*>(parts + int64_t{other} * s.experts + e);
#pragma unroll
      for (int j = 0; j < V; ++j) {
        sum[j] += other < part ? here.values[j] : 0;
        all[j] += here.values[j];
      }
    }
#pragma unroll
    for (int j = 0; j < V; ++j) {
      atomicAdd(&before[e + j], sum[j]);
      if (kListed) atomicAdd(&totals[e + j], all[j]);
    }
  }
}

template <bool kListed>
__device__ void add_parts(const Sequence& s, const int* parts, int part, int* before, int* totals) {
  // A list leaves too few registers for more than one expert a thread.
  const bool wide = !kListed && s.experts % 4 == 0 && reinterpret_cast<uintptr_t>(parts) % 16 == 0;
  if (wide) add_parts<kListed, 4>(s, parts, part, before, totals);
  else add_parts<kListed, 1>(s, parts, part, before, totals);
}

/// Where the choices of each expert begin in a list of all, in `totals` instead of their numbers.
__device__ void find_bases(const Sequence& s, int* totals) {
  __shared__ int sums[32];
  const auto thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const auto threads = static_cast<int>(blockDim.x);
  int all = 0;
  for (int first = 0; first < s.experts; first += threads) {
    const int e = first + thread, here = e < s.experts ? totals[e] : 0;
    int until = here;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const int other = __shfl_up_sync(kAllLanes, until, step);
      if (lane >= step) until += other;
    }
    __syncthreads();
    if (lane == 31) sums[warp] = until;
    __syncthreads();
    int before = all;
    for (int w = 0; w < threads / 32; ++w) {
      if (w < warp) before += sums[w];
      all += sums[w];
    }
    if (e < s.experts) totals[e] = before + until - here;
  }
  __syncthreads();
}

/// Each warp of a part ranks its choices among themselves; with what its block and the parts before have of each
/// expert these are places. `scanned`: the parts are prefix sums already, and the loads are known.
template <bool kListed>
__global__ void __launch_bounds__(32 * kMostWarps)
    place_part_kernel(Sequence s, int* parts, bool scanned, CountedParts counting, int steps, int32_t* positions, int32_t* loads,
                      Priority p, Report report) {
  DYNAMIC_SHARED(int, counts);
  const auto thread = static_cast<int>(threadIdx.x), part = counting.part();
  const auto threads = static_cast<int>(blockDim.x), warps = threads / 32, lane = thread % 32, warp = thread / 32;
  int *mine = counts + warp * s.experts, *before = counts + warps * s.experts, *totals = before + s.experts;
  const int64_t begin = s.begin(part) + int64_t{warp} * 32 * steps + lane, end = s.end(part);
  int expert[kSteps], rank[kSteps];
  const int bits = bits_below(s.experts);
  {
    Walker walker(s, begin);
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      if (i < steps && begin + 32 * i < end) expert[i] = s.choices[walker.at()];
      walker.forward(32);
    }
  }
  for (int e = thread; e < (warps + 1 + kListed) * s.experts; e += threads) counts[e] = 0;
  __syncthreads();
  if (counting.counted) {
    // Later, when this part has been counted.
  } else if (scanned) {
    for (int e = thread; e < s.experts; e += threads) {
      before[e] = parts[int64_t{part} * s.experts + e];
      if (kListed) totals[e] = loads[e];
    }
  } else {
    add_parts<kListed>(s, parts, part, before, totals);
  }
#pragma unroll
  for (int i = 0; i < kSteps; ++i) {
    if (i >= steps) break;
    expert[i] = begin + 32 * i < end ? expert_of(s, expert[i], report) : -1;
    const unsigned same = lanes_with(expert[i], bits);
    const int ahead = __popc(same & ((1u << lane) - 1));
    const int start = expert[i] >= 0 ? mine[expert[i]] : 0;
    rank[i] = start + ahead;
    __syncwarp();
    if (expert[i] >= 0 && ahead == 0) mine[expert[i]] = start + __popc(same);
    __syncwarp();
  }
  __syncthreads();
  if (counting.counted) {
    for (int e = thread; e < s.experts; e += threads) {
      int sum = 0;
#pragma unroll 8
      for (int w = 0; w < warps; ++w) sum += counts[w * s.experts + e];
      parts[int64_t{part} * s.experts + e] = sum;
    }
    counting.say(part);
    counting.wait(part);
    counting.leave();
    add_parts<kListed>(s, parts, part, before, totals);
    __syncthreads();
  }
  for (int e = thread; e < s.experts; e += threads) {
    int sum = before[e];
    if (kListed && part % s.per == 0) p.starts[int64_t{part} / s.per * s.experts + e] = sum;
    constexpr int kAhead = 8;
    for (int first = 0; first < warps; first += kAhead) {
      int here[kAhead];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) here[u] = first + u < warps ? counts[(first + u) * s.experts + e] : 0;
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        if (first + u < warps) counts[(first + u) * s.experts + e] = sum;
        sum += here[u];
      }
    }
    if (part < s.parts - 1) continue;
    if (!scanned) loads[e] = sum;
    if (kListed) p.starts[int64_t{s.k} * s.experts + e] = sum;
  }
  if (kListed) find_bases(s, totals);
  __syncthreads();
  if (kListed && part == 0) {
    for (int e = thread; e < s.experts; e += threads) p.bases[e] = totals[e];
  }
  Walker walker(s, begin);
#pragma unroll
  for (int i = 0; i < kSteps; ++i) {
    if (i < steps && begin + 32 * i < end) {
      const int at = walker.at(), e = expert[i];
      const bool has = e >= 0 && (!s.targets || e < s.sent);
      const int place = e >= 0 ? mine[e] + rank[i] : 0;
      if (s.targets) s.targets[at] = has ? e : 0;
      positions[at] = has ? place : s.targets ? kNoPlace : INT32_MAX;
      if (kListed && has) {
        const int64_t to = int64_t{totals[e]} + place;
        // Choices that change meanwhile must not lead out of the list.
        if (to >= 0 && to < s.tokens * s.k) p.list[to] = entry_of(p.best[walker.token], walker.token);
      }
    }
    walker.forward(32);
  }
}

/// What positions are made of.
struct Places {
  int64_t tokens, experts, k;
  const float* scores;  // that give priority, or nullptr
  const int32_t* choices;
  int32_t* targets;
  int sent;
  int32_t* positions;
  int32_t* loads;
};

/// Parts whose choices the warps of a block can count, kSteps at most for each.
Sequence sequence_of(const Places& p, int64_t warps, int64_t& steps) {
  Sequence s{p.tokens, static_cast<int>(p.experts), static_cast<int>(p.k), p.choices, p.targets, p.sent, 0, 0, 0, 0};
  const int64_t pieces = p.scores ? p.k : 1;
  s.length = p.tokens * p.k / pieces;
  const int64_t wanted = std::max<int64_t>(kWanted / pieces, 1);
  steps = std::clamp<int64_t>(ceil_div(s.length, wanted * warps * 32), 1, kSteps);
  s.each = warps * 32 * steps;
  s.per = static_cast<int>(ceil_div(s.length, s.each));
  s.parts = static_cast<int>(s.per * pieces);
  return s;
}

template <bool kListed>
void place(const Places& p, const Context& context) {
  int device = 0, shared = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  CUDA_CHECK(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  // A list of experts for each warp, and those of a block.
  constexpr int64_t kLists = kListed ? 2 : 1;
  const int64_t lists = (shared / static_cast<int64_t>(sizeof(int)) - 64) / p.experts;
  if (lists <= kLists) {
    fail(SCHEMOE_UNSUPPORTED, p.experts, " experts; on this GPU there can be ",
         (shared / static_cast<int64_t>(sizeof(int)) - 64) / (kLists + 1));
  }
  const int64_t warps = std::min<int64_t>(lists - kLists, kMostWarps);
  int64_t steps = 1;
  const Sequence s = sequence_of(p, warps, steps);
  const int64_t count = p.tokens * p.k;
  size_t words = static_cast<size_t>(s.parts) * p.experts;
  Priority priority{p.scores, nullptr, nullptr, nullptr, nullptr};
  if (kListed) words += static_cast<size_t>((p.k + 2) * p.experts + p.tokens + 1 + 2 * count);
  auto* parts = context.scratch.get<int32_t>(words, context.stream);
  if (kListed) {
    // The list first: it is of longer words.
    priority.list = reinterpret_cast<uint64_t*>(parts);
    priority.best = reinterpret_cast<uint32_t*>(parts + 2 * count);
    priority.starts = parts + 2 * count + p.tokens;
    priority.bases = priority.starts + (p.k + 1) * p.experts;
    parts = priority.bases + p.experts;
  }
  const auto bytes_of = [&](int64_t rows) { return static_cast<size_t>(rows * p.experts) * sizeof(int); };
  // Blocks count their own parts where this is sooner than another launch; a list needs the numbers of all parts first.
  const bool alone = s.parts == 1 && !kListed, scanned = s.parts > kMostParts;
  const bool once = !kListed && s.parts > kFewParts && !scanned;
  if (!alone && !once) {
    const bool wide = p.experts % 4 == 0 && aligned(p.scores);
    int lanes = 1;
    while (lanes < 32 && lanes * (wide ? 4 : 1) < p.experts) lanes *= 2;
    const int64_t more = kListed ? std::clamp<int64_t>(ceil_div(p.tokens * lanes, kCounters), 1, 528) : 0;
    gates::allow(count_part_kernel, bytes_of(1));
    LAUNCH(context.stream, grid_of(s.parts + more), kCounters, bytes_of(1), count_part_kernel, s, parts, priority, lanes,
           wide, context.report());
  }
  if (scanned) {
    LAUNCH(context.stream, grid_of(ceil_div(p.experts, 8)), 256, 0, before_kernel, s.experts, s.parts, parts, p.loads);
  }
  unsigned* zeros = context.scratch.zeros();
  const CountedParts counting{once ? zeros + 2 : nullptr, zeros, zeros + 1};
  gates::allow(place_part_kernel<kListed>, bytes_of(warps + kLists));
  LAUNCH(context.stream, grid_of(s.parts), static_cast<unsigned>(32 * warps), bytes_of(warps + kLists),
         place_part_kernel<kListed>, s, parts, scanned, counting, static_cast<int>(steps), p.positions, p.loads, priority,
         context.report());
  if (kListed) order_by_priority(s, priority, p.positions, context);
}

void place(const Places& p, const Context& context) {
  if (p.tokens == 0 || p.k == 0) {
    CUDA_CHECK(cudaMemsetAsync(p.loads, 0, static_cast<size_t>(p.experts) * 4, context.stream));
    return;
  }
  if (p.scores) place<true>(p, context);
  else place<false>(p, context);
}

}  // namespace

void run(const Positions& p, const Context& context) {
  if (p.experts == 0) return;
  place({p.tokens, p.experts, p.k, p.prioritized ? context.at<const float>(p.scores) : nullptr,
         context.at<const int32_t>(p.choices), nullptr, 0, context.at<int32_t>(p.positions),
         context.at<int32_t>(p.loads)}, context);
}

void run(const PlaceChoices& p, const Context& context) {
  auto* loads = context.at<int32_t>(p.loads);
  if (p.rows == 0) return;
  place({p.tokens, p.rows, p.k, p.prioritized ? context.at<const float>(p.scores) : nullptr,
         context.at<const int32_t>(p.choices), context.at<int32_t>(p.targets), static_cast<int>(p.experts),
         context.at<int32_t>(p.positions), loads}, context);
}

}  // namespace schemoe::cuda
