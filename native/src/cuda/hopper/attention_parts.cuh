// What attention's kernels for Hopper share: tiles and their ring in shared memory, products of tiles, rows on their way
// out. Each warpgroup of a block has 64 rows of its own, and all use the tiles that go through the ring.
#pragma once

#include "cuda/hopper/attention.h"
#include "cuda/hopper/ptx.cuh"
#include "cuda/hopper/ring.cuh"
#include "cuda/hopper/tensor_map.h"
#include "cuda/hopper/wgmma.cuh"
#include "cuda/kernels/instructions.cuh"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::hopper {

constexpr float kLog2e = 1.4426950408889634f;
constexpr uint32_t kAlign = 1024;  // of tiles

/// ROWS x D elements: columns by 64, each of ROWS lines of 128 bytes.
template <int D, int ROWS>
struct RowTile {
  static constexpr uint32_t kBytes = ROWS * D * 2;
  static constexpr uint32_t kPart = ROWS * 128;
  uint32_t base;

  /// Has it copied from the first row of a sequence; what lies behind the last one comes as zeros.
  __device__ void load(const CUtensorMap* map, int32_t column, int32_t row, int32_t sequence, Barrier arrived) const {
#pragma unroll
    for (int c = 0; c < D / 64; ++c) {
#pragma unroll
      for (int r = 0; r < ROWS / 64; ++r) {
        load_tile(base + c * kPart + r * 64 * 128, map, {column + 64 * c, row + 64 * r, sequence}, arrived);
      }
    }
  }
  /// Step of 16 columns, from a row on, as a factor that is multiplied along its columns.
  __device__ uint64_t along(int step, int row = 0) const {
    return Factor<false>::describe(base + row * 128 + step / 4 * kPart + step % 4 * Factor<false>::kStep);
  }
  /// Step of 16 rows as a factor that is multiplied along its rows.
  __device__ uint64_t across(int step) const {
    return Factor<true>::describe(base + step * Factor<true>::kStep, kPart);
  }
};

/// to = the 64 rows of a from `row` on, times the rows of b.
template <int D, int M, int N>
__device__ inline void scores(Sums<N>& to, const RowTile<D, M>& a, int row, const RowTile<D, N>& b) {
#pragma unroll
  for (int step = 0; step < D / 16; ++step) multiply<N, false, false>(to, a.along(step, row), b.along(step), step != 0);
}

/// 64 x N elements as the first factor of products.
template <int N>
using Rounded = uint32_t[N / 16][4];

/// to += a, with a row of b for each of its columns.
template <int D, int N>
__device__ inline void add_rows(Sums<D>& to, const Rounded<N>& a, const RowTile<D, N>& b) {
#pragma unroll
  for (int step = 0; step < N / 16; ++step) multiply<D, true>(to, a[step], b.across(step), 1);
}

template <int N>
__device__ inline void round(Rounded<N>& to, const Sums<N>& from) {
#pragma unroll
  for (int i = 0; i < N / 16; ++i) {
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      to[i][2 * j] = pack(from[2 * i + j][0], from[2 * i + j][1]);
      to[i][2 * j + 1] = pack(from[2 * i + j][2], from[2 * i + j][3]);
    }
  }
}

/// Maximum or sum over the four lanes that have a row.
template <class Combine>
__device__ inline float over_row(float value, Combine&& combine) {
  value = combine(value, __shfl_xor_sync(kAllLanes, value, 1));
  return combine(value, __shfl_xor_sync(kAllLanes, value, 2));
}

/// Of four lanes each has two columns of each of four times eight; turned, each has all of one eight.
__device__ inline uint4 turn_over(const uint32_t (&w)[4]) {
  const bool high = threadIdx.x & 2, odd = threadIdx.x & 1;
  const uint32_t far0 = __shfl_xor_sync(kAllLanes, high ? w[0] : w[2], 2), far1 = __shfl_xor_sync(kAllLanes, high ? w[1] : w[3], 2);
  // Of two neighbouring lanes' words, those from the lower and from the upper pair of lanes.
  const uint32_t low0 = high ? far0 : w[0], low1 = high ? far1 : w[1], up0 = high ? w[2] : far0, up1 = high ? w[3] : far1;
  const uint32_t low = __shfl_xor_sync(kAllLanes, odd ? low0 : low1, 1), up = __shfl_xor_sync(kAllLanes, odd ? up0 : up1, 1);
  return make_uint4(odd ? low : low0, odd ? low1 : low, odd ? up : up0, odd ? up1 : up);
}

/// Writes the thread's two rows, each times its factor, where they exist.
template <int D>
__device__ inline void write_rows(bf16* to, int64_t ld, int32_t row, int32_t rows, const Sums<D>& sums, const float (&by)[2]) {
  const uint32_t t = threadIdx.x % 4;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int32_t at = row + 8 * half;
#pragma unroll
    for (int j = 0; j < D / 32; ++j) {
      uint32_t words[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        words[i] = pack(sums[4 * j + i][2 * half] * by[half], sums[4 * j + i][2 * half + 1] * by[half]);
      }
      const uint4 eight = turn_over(words);
      if (at < rows) *reinterpret_cast<uint4*>(to + at * ld + 32 * j + 8 * t) = eight;
    }
  }
}

/// Barriers of a ring, and one of what stays: each stage is filled by one thread and left by all warps of the consumers.
template <uint32_t STAGES>
struct Ring {
  static constexpr uint32_t kBytes = (2 * STAGES + 1) * 8;
  uint32_t base;
  __device__ Barrier full(uint32_t stage) const { return {base + stage * 8}; }
  __device__ Barrier empty(uint32_t stage) const { return {base + (STAGES + stage) * 8}; }
  __device__ Barrier resident() const { return {base + 2 * STAGES * 8}; }
  /// By all threads of the block.
  __device__ void init(uint32_t warps) const {
    if (threadIdx.x == 0) {
      for (uint32_t stage = 0; stage < STAGES; ++stage) {
        full(stage).init(1);
        empty(stage).init(warps);
      }
      resident().init(1);
      fence_barriers();
    }
    __syncthreads();
  }
  /// By all lanes of a warp that reads the stage no more.
  __device__ void release(uint32_t stage) const {
    __syncwarp();
    if (threadIdx.x % 32 == 0) empty(stage).arrive();
  }
};

/// Threads of a block with GROUPS warpgroups that compute, of which BLOCKS are on a multiprocessor at once.
template <int GROUPS, int BLOCKS>
constexpr int kThreads = 128 * (GROUPS + (BLOCKS > 1 ? 0 : 1));

/// Who has tiles copied into a ring. Of a block that has a multiprocessor for itself, a thread of a warpgroup that does
/// nothing else and gives most of its registers to the others. Where several share it there are none to give, and others
/// compute while one waits: then a thread of the last warpgroup that computes does it in between.
template <int GROUPS, int BLOCKS, uint32_t STAGES>
struct Supply {
  static constexpr bool kApart = BLOCKS == 1;
  Ring<STAGES> ring;
  int32_t tiles;

  __device__ static bool is_mine() { return threadIdx.x == kThreads<GROUPS, BLOCKS> - 128; }

  /// `copy` is given a stage and the barrier that hears of its bytes.
  template <class Copy>
  __device__ void fill(int32_t tile, Copy&& copy) const {
    const uint32_t stage = tile % STAGES;
    ring.empty(stage).wait(tile / STAGES % 2 ^ 1);
    copy(tile, stage, ring.full(stage));
  }
  /// False for threads that do not compute.
  template <class Stay, class Copy>
  __device__ bool begin(Stay&& stay, Copy&& copy) const {
    if (is_mine()) {
      stay(ring.resident());
      const int32_t first = kApart ? 0 : min(tiles, static_cast<int32_t>(STAGES));
      for (int32_t tile = 0; tile < first; ++tile) fill(tile, copy);
    }
    if constexpr (kApart) {
      if (threadIdx.x >= 128 * GROUPS) {
        give_registers<GROUPS == 2 ? 24 : 32>();
        if (is_mine()) {
          for (int32_t tile = 0; tile < tiles; ++tile) fill(tile, copy);
        }
        return false;
      }
      take_registers<GROUPS == 2 ? 240 : 160>();
    }
    return true;
  }
  /// While a tile is used: fills the stage of the one so many tiles before, with which the thread's own warps are done and
  /// which other warpgroups that lag behind are to be done with soon.
  template <int32_t kBefore, class Copy>
  __device__ void refill(int32_t tile, Copy&& copy) const {
    if constexpr (!kApart) {
      static_assert(STAGES > kBefore);  // a stage is filled before it is awaited
      const int32_t next = tile - kBefore + static_cast<int32_t>(STAGES);
      if (is_mine() && tile >= kBefore && next < tiles) fill(next, copy);
      __syncwarp();
    }
  }
};

__device__ inline uint32_t aligned_shared(const void* memory) {
  return (shared_address(memory) + kAlign - 1) / kAlign * kAlign;
}

/// Sizes of a launch.
struct Extent {
  int32_t length, heads, group;  // heads of queries, and how many share keys
  float scale;
};
inline Extent extent_of(const Heads& h) {
  return {static_cast<int32_t>(h.length), static_cast<int32_t>(h.heads), static_cast<int32_t>(h.heads / h.key_heads), h.scale};
}

/// The queries of a block, 64 for each of GROUPS warpgroups, and the tiles of N keys that they attend to.
template <int GROUPS, int N>
struct QueryBlock {
  static constexpr int kQueries = 64 * GROUPS;
  int32_t first, head, sequence, tiles;

  /// Blocks with most keys begin first.
  __device__ explicit QueryBlock(const Extent& of)
      : first(static_cast<int32_t>((gridDim.x - 1 - blockIdx.x) * kQueries)),
        head(static_cast<int32_t>(blockIdx.y)),
        sequence(static_cast<int32_t>(blockIdx.z)),
        tiles((min(first + kQueries, of.length) + N - 1) / N) {}

  /// Has a tile of keys and values copied into a stage of the ring.
  template <int D, class Shared, class Arguments>
  __device__ void load_keys(const Shared& shared, const Arguments& p, int32_t tile, uint32_t stage, Barrier full) const {
    full.expect(2 * RowTile<D, N>::kBytes);
    shared.keys(stage).load(&p.k, head / p.of.group * D, tile * N, sequence, full);
    shared.values(stage).load(&p.v, head / p.of.group * D, tile * N, sequence, full);
  }
};

/// The 64 queries of a thread's warpgroup, its first row of them, and how many tiles have keys for them.
struct OwnQueries {
  int32_t number, own, row, mine;

  template <int GROUPS, int N>
  __device__ explicit OwnQueries(const QueryBlock<GROUPS, N>& block) {
    // The same for all threads of a warp, as the compiler may now know.
    number = static_cast<int32_t>(__shfl_sync(kAllLanes, threadIdx.x / 128, 0));
    own = block.first + 64 * number;
    row = own + static_cast<int32_t>(threadIdx.x % 128 / 32 * 16 + threadIdx.x % 32 / 4);
    mine = min(block.tiles, (own + 64 + N - 1) / N);
  }
};

/// Heads' rows by tiles of 64 x 64.
inline CUtensorMap map_of(const void* data, const Heads& h, int64_t heads) {
  const int64_t ld = heads * h.dim;
  return tensor_map({data, {ld, h.length, h.batch}, {ld, h.length * ld}, {64, 64, 1}});
}

template <auto kKernel, class... Arguments>
void launch(int64_t blocks, int64_t heads, int64_t batch, int threads, uint32_t bytes, cudaStream_t stream,
            const Arguments&... arguments) {
  CUDA_CHECK(cudaFuncSetAttribute(kKernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
  const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(heads), static_cast<unsigned>(batch));
  LAUNCH(stream, grid, threads, bytes, kKernel, arguments...);
}

}  // namespace schemoe::cuda::hopper
