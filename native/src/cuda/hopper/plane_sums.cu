// Rows of bfloat16 times the planes of a float32 matrix. A block has 192 rows of C, 64 for each of three warpgroups,
// and up to 128 columns; one thread of a fourth has tiles of the factors copied into a ring of stages.
#include "cuda/hopper/planes.h"
#include "cuda/hopper/ptx.cuh"
#include "cuda/hopper/ring.cuh"
#include "cuda/hopper/tensor_map.h"
#include "cuda/hopper/wgmma.cuh"
#include "cuda/kernels/split_parts.cuh"

namespace schemoe::cuda::hopper {

namespace {

constexpr uint32_t kDepth = 64;  // of a stage, along k
constexpr uint32_t kTile = 64 * 128;  // bytes of a copied tile: 64 x 64 elements
constexpr uint32_t kGroups = 3, kRows = 64 * kGroups;
constexpr uint32_t kThreads = 128 * (kGroups + 1);
constexpr uint32_t kPlanes = split::kPlanes;
constexpr uint32_t kAlign = 1024;
/// Blocks that occupy a GPU: k is cut into parts for as many.
constexpr int64_t kEnough = 132;

template <int N>
struct Shared {
  static constexpr uint32_t kStageBytes = (kGroups + kPlanes * N / 64) * kTile;
  static constexpr uint32_t kStages = N == 128 ? 3 : 4;
  static constexpr uint32_t kFull = kStages * kStageBytes, kEmpty = kFull + kStages * 8;
  static constexpr uint32_t kBytes = kEmpty + kStages * 8 + kAlign;

  uint32_t base;
  __device__ uint32_t rows(uint32_t stage) const { return base + stage * kStageBytes; }
  __device__ uint32_t plane(uint32_t stage, uint32_t p) const { return rows(stage) + (kGroups + p * (N / 64)) * kTile; }
  __device__ Barrier full(uint32_t stage) const { return {base + kFull + stage * 8}; }
  __device__ Barrier empty(uint32_t stage) const { return {base + kEmpty + stage * 8}; }
};

struct Arguments {
  CUtensorMap x, planes;
  int32_t m, n, k;
  int32_t each;  // of k, for a block
  float* c;      // or the parts, which are summed later
  int64_t ldc, part;  // from one part to the next, 0 where there is one
  float alpha, beta;
};

template <bool kAcross, int N>
__global__ void __launch_bounds__(kThreads, 1) plane_sums_kernel(const __grid_constant__ Arguments p) {
  using S = Shared<N>;
  DYNAMIC_SHARED(uint8_t, memory);
  const S shared{(shared_address(memory) + kAlign - 1) / kAlign * kAlign};
  if (threadIdx.x == 0) {
    for (uint32_t stage = 0; stage < S::kStages; ++stage) {
      shared.full(stage).init(1);
      shared.empty(stage).init(kGroups);
    }
    fence_barriers();
  }
  __syncthreads();
  const auto row0 = static_cast<int32_t>(blockIdx.x * kRows), column0 = static_cast<int32_t>(blockIdx.z * N);
  const auto begin = static_cast<int32_t>(blockIdx.y) * p.each;
  const int32_t end = min(begin + p.each, p.k);
  RingTurn<S::kStages> turn;
  if (threadIdx.x < 128) {
    give_registers<24>();
    if (threadIdx.x == 0) {
      for (int32_t k = begin; k < end; k += static_cast<int32_t>(kDepth), turn.advance()) {
        shared.empty(turn.stage).wait(turn.parity ^ 1);
        const Barrier full = shared.full(turn.stage);
        full.expect(S::kStageBytes);
        for (uint32_t i = 0; i < kGroups; ++i) {
          const int32_t row = row0 + static_cast<int32_t>(64 * i);
          load_tile(shared.rows(turn.stage) + i * kTile, &p.x, kAcross ? Place{row, k, 0} : Place{k, row, 0}, full);
        }
        for (uint32_t plane = 0; plane < kPlanes; ++plane) {
          for (uint32_t i = 0; i < N / 64; ++i) {
            const int32_t column = column0 + static_cast<int32_t>(64 * i), number = static_cast<int32_t>(plane);
            load_tile(shared.plane(turn.stage, plane) + i * kTile, &p.planes,
                      kAcross ? Place{column, k, number} : Place{k, column, number}, full);
          }
        }
      }
    }
    return;
  }
  take_registers<160>();
  // The same for all threads of a warp, as the compiler may now know.
  const uint32_t group = __shfl_sync(kAllLanes, threadIdx.x / 128 - 1, 0);
  using F = Factor<kAcross>;
  Sums<N> sums, few;
  clear<N>(sums);
  for (int32_t k = begin; k < end; k += static_cast<int32_t>(kDepth), turn.advance()) {
    shared.full(turn.stage).wait(turn.parity);
    const uint64_t rows = F::describe(shared.rows(turn.stage) + group * kTile);
    settle(few);
    begin_products();
#pragma unroll
    for (int plane = kPlanes - 1; plane >= 0; --plane) {
      const uint64_t columns = F::describe(shared.plane(turn.stage, static_cast<uint32_t>(plane)));
#pragma unroll
      for (uint32_t step = 0; step < kDepth / 16; ++step) {
        multiply<N, kAcross, kAcross>(few, rows + step * (F::kStep >> 4), columns + step * (F::kStep >> 4),
                                      plane < static_cast<int>(kPlanes) - 1 || step > 0);
      }
    }
    commit_products();
    await_products<0>();
    settle(few);
    if (threadIdx.x % 128 == 0) shared.empty(turn.stage).arrive();
#pragma unroll
    for (int j = 0; j < N / 8; ++j) {
#pragma unroll
      for (int q = 0; q < 4; ++q) sums[j][q] += few[j][q];
    }
  }
  const auto lane = static_cast<int32_t>(threadIdx.x % 32), warp = static_cast<int32_t>(threadIdx.x % 128 / 32);
  const int32_t first = row0 + static_cast<int32_t>(64 * group) + 16 * warp + lane / 4;
  float* c = p.c + blockIdx.y * p.part;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t row = first + 8 * half;
    if (row >= p.m) continue;
#pragma unroll
    for (int j = 0; j < N / 8; ++j) {
      const int32_t column = column0 + 8 * j + 2 * (lane % 4);
      if (column >= p.n) continue;
      float two[2] = {sums[j][2 * half], sums[j][2 * half + 1]};
      float* to = kAcross ? c + int64_t{column} * p.ldc + row : c + int64_t{row} * p.ldc + column;
      if (p.part == 0) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
          two[i] *= p.alpha;
          if (p.beta != 0) two[i] += p.beta * to[kAcross ? i * p.ldc : i];
        }
      }
      if constexpr (kAcross) to[0] = two[0], to[p.ldc] = two[1];
      else *reinterpret_cast<float2*>(to) = make_float2(two[0], two[1]);
    }
  }
}

int64_t width_of(const PlaneSums& s) { return s.n <= 64 ? 64 : 128; }

/// Of k, for a block: fixed for a shape.
int64_t each_of(const PlaneSums& s) {
  const int64_t blocks = ceil_div(s.m, kRows) * ceil_div(s.n, width_of(s));
  const int64_t parts = std::clamp<int64_t>(kEnough / blocks, 1, std::max<int64_t>(s.k / (4 * kDepth), 1));
  return ceil_div(ceil_div(s.k, parts), kDepth) * kDepth;
}

CUtensorMap map_of(const void* data, int64_t columns, int64_t rows, int64_t planes, int64_t ld) {
  return tensor_map({data, {columns, rows, planes}, {ld, rows * ld}, {64, 64, 1}});
}

template <bool kAcross, int N>
void launch(const PlaneSums& s, float* partial, cudaStream_t stream) {
  const int64_t each = each_of(s), parts = ceil_div(s.k, each);
  Arguments p{};
  p.x = kAcross ? map_of(s.x, s.m, s.k, 1, s.ldx) : map_of(s.x, s.k, s.m, 1, s.ldx);
  p.planes = map_of(s.planes.data, s.planes.columns, s.planes.rows, kPlanes, s.planes.columns);
  p.m = static_cast<int32_t>(s.m), p.n = static_cast<int32_t>(s.n), p.k = static_cast<int32_t>(s.k);
  p.each = static_cast<int32_t>(each);
  p.c = parts > 1 ? partial : s.c;
  p.ldc = parts > 1 ? (kAcross ? s.m : s.n) : s.ldc;
  p.part = parts > 1 ? s.m * s.n : 0;
  p.alpha = s.alpha, p.beta = s.beta;
  constexpr auto kernel = plane_sums_kernel<kAcross, N>;
  CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, Shared<N>::kBytes));
  const dim3 grid(grid_of(ceil_div(s.m, kRows)), static_cast<unsigned>(parts), static_cast<unsigned>(ceil_div(s.n, N)));
  LAUNCH(stream, grid, kThreads, Shared<N>::kBytes, kernel, p);
  if (parts == 1) return;
  const split::Sizes sizes{kAcross ? s.n : s.m, kAcross ? s.m : s.n, s.k, 0, 0, each};
  LAUNCH(stream, grid_of(std::min<int64_t>(ceil_div(s.m * s.n, 256), 4096)), 256, 0, split::add_parts_kernel<float>,
         sizes, parts, s.alpha, s.beta, partial, s.c, s.ldc);
}

}  // namespace

int64_t partial_of(const PlaneSums& s) {
  const int64_t parts = ceil_div(s.k, each_of(s));
  return parts > 1 ? parts * s.m * s.n : 0;
}

void run(const PlaneSums& s, float* partial, cudaStream_t stream) {
  if (s.across) {
    if (width_of(s) == 64) launch<true, 64>(s, partial, stream);
    else launch<true, 128>(s, partial, stream);
  } else if (width_of(s) == 64) {
    launch<false, 64>(s, partial, stream);
  } else {
    launch<false, 128>(s, partial, stream);
  }
}

}  // namespace schemoe::cuda::hopper
