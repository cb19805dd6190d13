// Gradients of a gate's rows. A block keeps its columns of B in shared memory and goes through rows of A, each of its
// two warpgroups through tiles of 64 of its own, so that one multiplies while the other writes.
#include "cuda/hopper/attention_parts.cuh"
#include "cuda/hopper/planes.h"

namespace schemoe::cuda::hopper {

namespace {

constexpr uint32_t kDepth = 64;  // of a stage, along k
constexpr uint32_t kTile = 64 * 128;  // bytes of a copied tile: 64 x 64 elements
constexpr uint32_t kConsumers = 2, kThreads = 128 * (kConsumers + 1);
constexpr uint32_t kPlanes = 2;
constexpr uint32_t kStages = 3;
/// Elements of B that a block keeps.
constexpr int64_t kKept = 128 * 256;
/// Blocks that stay on a GPU's multiprocessors.
constexpr int64_t kBlocks = 132;

struct Shared {
  static constexpr uint32_t kKeptBytes = kPlanes * kKept * 2;
  static constexpr uint32_t kStageBytes = kPlanes * kTile;
  static constexpr uint32_t kRing = kKeptBytes + kConsumers * kStages * kStageBytes;
  static constexpr uint32_t kBytes = kRing + kConsumers * Ring<kStages>::kBytes + kAlign;

  uint32_t base;
  /// The tiles of 64 of k by N columns that one plane has.
  __device__ uint32_t kept(uint32_t tile) const { return base + tile * kTile; }
  __device__ uint32_t rows(uint32_t consumer, uint32_t stage) const {
    return base + kKeptBytes + (consumer * kStages + stage) * kStageBytes;
  }
  __device__ Ring<kStages> ring(uint32_t consumer) const { return {base + kRing + consumer * Ring<kStages>::kBytes}; }
};

struct Arguments {
  CUtensorMap a, b;
  int32_t m, n, k, columns;  // of tiles across
  bf16* c;
  int64_t ldc;
  float alpha, beta;
};

/// The thread's two rows of 64 x D sums, times alpha and added to beta times what was there.
template <int D>
__device__ void write(const Arguments& p, int32_t row, int32_t column0, const Sums<D>& sums) {
  const auto t = static_cast<int32_t>(threadIdx.x % 4);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t at = row + 8 * half;
    bf16* to = p.c + at * p.ldc + column0 + 8 * t;
#pragma unroll
    for (int j = 0; j < D / 32; ++j) {
      const bool inside = at < p.m && column0 + 32 * j + 8 * t < p.n;
      uint32_t words[4];
      if (p.beta == 0) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          words[i] = pack(p.alpha * sums[4 * j + i][2 * half], p.alpha * sums[4 * j + i][2 * half + 1]);
        }
        const uint4 eight = turn_over(words);
        if (inside) *reinterpret_cast<uint4*>(to + 32 * j) = eight;
        continue;
      }
      float eight[8], before[8] = {};
#pragma unroll
      for (int odd = 0; odd < 2; ++odd) {
#pragma unroll
        for (int i = 0; i < 4; ++i) words[i] = __float_as_uint(sums[4 * j + i][2 * half + odd]);
        const uint4 turned = turn_over(words);
        eight[odd] = __uint_as_float(turned.x), eight[2 + odd] = __uint_as_float(turned.y);
        eight[4 + odd] = __uint_as_float(turned.z), eight[6 + odd] = __uint_as_float(turned.w);
      }
      if (!inside) continue;
      load(before, to + 32 * j);
#pragma unroll
      for (int i = 0; i < 8; ++i) eight[i] = p.alpha * eight[i] + p.beta * before[i];
      store(to + 32 * j, eight);
    }
  }
}

template <int N>
__global__ void __launch_bounds__(kThreads, 1) plane_rows_kernel(const __grid_constant__ Arguments p) {
  DYNAMIC_SHARED(uint8_t, memory);
  const Shared shared{aligned_shared(memory)};
  for (uint32_t consumer = 0; consumer < kConsumers; ++consumer) shared.ring(consumer).init(4);
  constexpr uint32_t kAcross = N / 64;
  const auto column0 = static_cast<int32_t>(blockIdx.x % static_cast<uint32_t>(p.columns) * N);
  const auto deep = static_cast<uint32_t>(p.k + kDepth - 1) / kDepth;
  const int32_t tiles = (p.m + 63) / 64;
  const auto step = static_cast<int32_t>(gridDim.x / static_cast<uint32_t>(p.columns) * kConsumers);
  const auto first = static_cast<int32_t>(blockIdx.x / static_cast<uint32_t>(p.columns) * kConsumers);
  RingTurn<kStages> turn;
  if (threadIdx.x < 128) {
    give_registers<24>();
    const uint32_t consumer = threadIdx.x / 32;
    if (threadIdx.x == 0) {
      const Barrier kept = shared.ring(0).resident();
      kept.expect(kPlanes * deep * kAcross * kTile);
      for (uint32_t plane = 0; plane < kPlanes; ++plane) {
        for (uint32_t d = 0; d < deep; ++d) {
          for (uint32_t i = 0; i < kAcross; ++i) {
            load_tile(shared.kept((plane * deep + d) * kAcross + i), &p.b,
                      {column0 + static_cast<int32_t>(64 * i), static_cast<int32_t>(d * kDepth), static_cast<int32_t>(plane)}, kept);
          }
        }
      }
    }
    if (threadIdx.x % 32 == 0 && consumer < kConsumers) {
      const Ring<kStages> ring = shared.ring(consumer);
      for (int32_t tile = first + static_cast<int32_t>(consumer); tile < tiles; tile += step) {
        for (uint32_t d = 0; d < deep; ++d, turn.advance()) {
          ring.empty(turn.stage).wait(turn.parity ^ 1);
          const Barrier full = ring.full(turn.stage);
          full.expect(Shared::kStageBytes);
          for (uint32_t plane = 0; plane < kPlanes; ++plane) {
            load_tile(shared.rows(consumer, turn.stage) + plane * kTile, &p.a,
                      {static_cast<int32_t>(d * kDepth), 64 * tile, static_cast<int32_t>(plane)}, full);
          }
        }
      }
    }
    return;
  }
  take_registers<240>();
  // The same for all threads of a warp, as the compiler may now know.
  const uint32_t consumer = __shfl_sync(kAllLanes, threadIdx.x / 128 - 1, 0);
  const Ring<kStages> ring = shared.ring(consumer);
  const int32_t mine = static_cast<int32_t>(threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4);
  shared.ring(0).resident().wait(0);
  Sums<N> sums;
  for (int32_t tile = first + static_cast<int32_t>(consumer); tile < tiles; tile += step) {
    uint32_t before = 0;
    for (uint32_t d = 0; d < deep; ++d) {
      ring.full(turn.stage).wait(turn.parity);
      settle(sums);
      begin_products();
      // Of each factor the plane; the smallest products first.
      constexpr uint32_t kPairs[3][2] = {{1, 0}, {0, 1}, {0, 0}};
#pragma unroll
      for (uint32_t pair = 0; pair < 3; ++pair) {
        const uint64_t left = Factor<false>::describe(shared.rows(consumer, turn.stage) + kPairs[pair][0] * kTile);
        const uint64_t right = Factor<true>::describe(shared.kept((kPairs[pair][1] * deep + d) * kAcross));
#pragma unroll
        for (uint32_t step = 0; step < kDepth / 16; ++step) {
          multiply<N, false, true>(sums, left + step * (Factor<false>::kStep >> 4), right + step * (Factor<true>::kStep >> 4),
                                   d > 0 || pair > 0 || step > 0);
        }
      }
      commit_products();
      if (d > 0) {
        await_products<1>();
        ring.release(before);
      }
      before = turn.stage;
      turn.advance();
    }
    await_products<0>();
    settle(sums);
    ring.release(before);
    write<N>(p, 64 * tile + mine, column0, sums);
  }
}

CUtensorMap map_of(const Planes& planes) {
  const auto [data, rows, columns] = planes;
  return tensor_map({data, {columns, rows, kPlanes}, {columns, rows * columns}, {64, 64, 1}});
}

template <int N>
void launch_rows(const PlaneRows& r, cudaStream_t stream) {
  const int64_t columns = ceil_div(r.n, N);
  const Arguments p{map_of(r.a), map_of(r.b), static_cast<int32_t>(r.m), static_cast<int32_t>(r.n),
                    static_cast<int32_t>(r.k), static_cast<int32_t>(columns), static_cast<bf16*>(r.c), r.ldc, r.alpha, r.beta};
  const int64_t along = std::clamp<int64_t>(kBlocks / columns, 1, ceil_div(r.m, 64 * kConsumers));
  launch<plane_rows_kernel<N>>(columns * along, 1, 1, kThreads, Shared::kBytes, stream, p);
}

}  // namespace

void run(const PlaneRows& r, cudaStream_t stream) {
  const int64_t deep = ceil_div(r.k, kDepth) * kDepth;
  if (deep * 256 <= kKept) launch_rows<256>(r, stream);
  else if (deep * 128 <= kKept) launch_rows<128>(r, stream);
  else launch_rows<64>(r, stream);
}

}  // namespace schemoe::cuda::hopper
