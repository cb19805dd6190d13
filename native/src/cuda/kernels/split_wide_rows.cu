// Gradient of a gate's rows where it has more than 64 experts: both factors are split once, in memory, and blocks of
// C go through them by stages that are loaded while others are multiplied.
#include "cuda/kernels/split.cuh"

namespace schemoe::cuda::split {

namespace {

constexpr int kTile = 128;         // rows and columns of C for a block
constexpr int kStage = 32;         // of k
constexpr int kStages = 3;
constexpr int kWide = 256;         // threads: warps of 64 rows and 32 columns
constexpr int kHalves = 2;         // planes: 16 bits of each factor, of which C keeps 8
/// Of a stage: both planes of a tile of either factor.
constexpr int kPlane = kTile * kStage;
constexpr size_t kStageBytes = size_t{2} * kHalves * kPlane * sizeof(bf16);

/// Planes of A [plane, rows, k], k a multiple of kStage: a thread has eight of a row.
__global__ void __launch_bounds__(256)
    split_left_kernel(int64_t count, int64_t k, int64_t deep, int64_t ld, bool wide, const float* a, bf16* planes,
                      int64_t plane) {
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count; i += int64_t{gridDim.x} * 256) {
    const int64_t row = i * 8 / deep, first = i * 8 - row * deep;
    const float* from = a + row * ld + first;
    float v[8];
    if (wide && first + 8 <= k) {
      load(v, from);
    } else {
#pragma unroll
      for (int j = 0; j < 8; ++j) v[j] = first + j < k ? from[j] : 0.0f;
    }
    uint32_t words[kHalves][4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      uint32_t two[kHalves];
      split(two, v[2 * j], v[2 * j + 1]);
      words[0][j] = two[0], words[1][j] = two[1];
    }
#pragma unroll
    for (int p = 0; p < kHalves; ++p) {
      *reinterpret_cast<uint4*>(planes + p * plane + i * 8) = make_uint4(words[p][0], words[p][1], words[p][2], words[p][3]);
    }
  }
}

/// Planes of B [plane, k, columns], columns a multiple of kTile. Of every 32 columns, tile j of eight has those that
/// make the results of a lane neighbours: its column i is i / 2 * 8 + j * 2 + i % 2.
__global__ void __launch_bounds__(256)
    split_right_kernel(int64_t count, int64_t k, int64_t n, int64_t columns, int64_t ld, const float* b, bf16* planes,
                       int64_t plane) {
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count; i += int64_t{gridDim.x} * 256) {
    const int64_t row = i * 8 / columns, first = i * 8 - row * columns;
    const int64_t base = first / 32 * 32 + first % 32 / 8 * 2;
    uint32_t words[kHalves][4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int64_t column = base + 8 * j;
      const float* from = b + row * ld + column;
      uint32_t two[kHalves];
      split(two, row < k && column < n ? from[0] : 0.0f, row < k && column + 1 < n ? from[1] : 0.0f);
      words[0][j] = two[0], words[1][j] = two[1];
    }
#pragma unroll
    for (int p = 0; p < kHalves; ++p) {
      *reinterpret_cast<uint4*>(planes + p * plane + i * 8) = make_uint4(words[p][0], words[p][1], words[p][2], words[p][3]);
    }
  }
}

__device__ inline void copy_async(bf16* to, const bf16* from) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(from) : "memory");
}

__device__ inline void load_matrices(uint32_t (&to)[4], const bf16* from) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(from));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}

/// Where eight neighbours lie: rows of A are kStage long, rows of B kTile; neighbours in a column lie in other banks.
__device__ inline int left_at(int row, int eight) { return row * kStage + (eight ^ (row / 2 & 3)) * 8; }
__device__ inline int right_at(int row, int eight) { return row * kTile + (eight ^ (row & 7)) * 8; }

struct Wide {
  int64_t m, n;
  int64_t deep, columns;  // k and n of the planes
  const bf16 *left, *right;
  float alpha, beta;
  bf16* c;
  int64_t ldc;
};

__global__ void __launch_bounds__(kWide, 2) wide_rows_kernel(Wide w) {
  extern __shared__ uint4 memory[];
  auto* shared = reinterpret_cast<bf16*>(memory);
  const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  const int64_t row0 = int64_t{blockIdx.y} * kTile, column0 = int64_t{blockIdx.x} * kTile;
  const auto stages = static_cast<int>(w.deep / kStage);

  const auto fetch = [&](int stage) {
    bf16* to = shared + stage % kStages * (2 * kHalves * kPlane);
    const int64_t k0 = int64_t{stage} * kStage;
#pragma unroll
    for (int p = 0; p < kHalves; ++p) {
#pragma unroll
      for (int i = 0; i < kPlane / 8 / kWide; ++i) {
        const int at = i * kWide + thread, row = at / (kStage / 8), eight = at % (kStage / 8);
        // Rows beyond the last repeat it, and are not written.
        copy_async(to + p * kPlane + left_at(row, eight),
                   w.left + (p * w.m + min(row0 + row, w.m - 1)) * w.deep + k0 + eight * 8);
      }
#pragma unroll
      for (int i = 0; i < kPlane / 8 / kWide; ++i) {
        const int at = i * kWide + thread, row = at / (kTile / 8), eight = at % (kTile / 8);
        copy_async(to + (kHalves + p) * kPlane + right_at(row, eight),
                   w.right + (p * w.deep + k0 + row) * w.columns + column0 + eight * 8);
      }
    }
  };

  const int rows = warp / 4 * 64, columns = warp % 4 * 32;  // of the warp, in the tile
  float sums[4][4][4] = {};
#pragma unroll
  for (int s = 0; s < kStages - 1; ++s) {
    if (s < stages) fetch(s);
    asm volatile("cp.async.commit_group;" ::: "memory");
  }
  for (int stage = 0; stage < stages; ++stage) {
    asm volatile("cp.async.wait_group %0;" ::"n"(kStages - 2) : "memory");
    __syncthreads();
    if (stage + kStages - 1 < stages) fetch(stage + kStages - 1);
    asm volatile("cp.async.commit_group;" ::: "memory");
    const bf16* left = shared + stage % kStages * (2 * kHalves * kPlane);
    const bf16* right = left + kHalves * kPlane;
#pragma unroll
    for (int h = 0; h < kStage / 16; ++h) {
      uint32_t b[kHalves][4][2];
#pragma unroll
      for (int p = 0; p < kHalves; ++p) {
#pragma unroll
        for (int j = 0; j < 4; j += 2) {
          // Along k first: both halves of one tile of columns, then of the next.
          uint32_t v[4];
          load_transposed(v, right + p * kPlane + right_at(h * 16 + lane % 16, columns / 8 + j + lane / 16));
          b[p][j][0] = v[0], b[p][j][1] = v[1], b[p][j + 1][0] = v[2], b[p][j + 1][1] = v[3];
        }
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        uint32_t a[kHalves][4];
#pragma unroll
        for (int p = 0; p < kHalves; ++p) {
          load_matrices(a[p], left + p * kPlane + left_at(rows + i * 16 + lane % 16, h * 2 + lane / 16));
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) multiply(sums[i][j], a[1], b[0][j]);
#pragma unroll
        for (int j = 0; j < 4; ++j) multiply(sums[i][j], a[0], b[1][j]);
#pragma unroll
        for (int j = 0; j < 4; ++j) multiply(sums[i][j], a[0], b[0][j]);
      }
    }
  }

  const int64_t column = column0 + columns + lane % 4 * 8;
  if (column >= w.n) return;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int64_t row = row0 + rows + i * 16 + r * 8 + lane / 4;
      if (row >= w.m) continue;
      bf16* to = w.c + row * w.ldc + column;
      float v[8], before[8] = {};
      if (w.beta != 0) load(before, to);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const float value = w.alpha * sums[i][j][r * 2 + e];
          v[j * 2 + e] = w.beta != 0 ? value + w.beta * before[j * 2 + e] : value;
        }
      }
      store(to, v);
    }
  }
}

}  // namespace

bool wide_rows(const Gemm& g, const Context& context) {
  if (g.dtypes.a != SCHEMOE_F32 || g.dtypes.b != SCHEMOE_F32 || g.dtype_c != SCHEMOE_BF16) return false;
  if (g.trans_a || g.trans_b || g.k <= 64 || g.k > 512 || g.n % 8 != 0 || !fits(context, g.c, 8)) return false;
  const int64_t deep = ceil_div(g.k, kStage) * kStage, columns = ceil_div(g.n, kTile) * kTile;
  const int64_t of_left = g.m * deep, of_right = deep * columns;
  const int64_t tiles = ceil_div(g.m, kTile);
  if (tiles > 65535) return false;
  auto* left = context.scratch.get<bf16>(static_cast<size_t>(kHalves * (of_left + of_right)), context.stream);
  bf16* right = left + kHalves * of_left;
  LAUNCH(context.stream, grid_of(std::min<int64_t>(ceil_div(of_left, 2048), 4224)), 256, 0, split_left_kernel, of_left / 8,
         g.k, deep, g.a.ld, fits(context, g.a, 4), context.at<const float>(g.a.view), left, of_left);
  LAUNCH(context.stream, grid_of(std::min<int64_t>(ceil_div(of_right, 2048), 4224)), 256, 0, split_right_kernel, of_right / 8,
         g.k, g.n, columns, g.b.ld, context.at<const float>(g.b.view), right, of_right);
  const Wide w{g.m, g.n, deep, columns, left, right, static_cast<float>(g.alpha), static_cast<float>(g.beta),
               context.at<bf16>(g.c.view), g.c.ld};
  constexpr size_t bytes = kStages * kStageBytes;
  CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(wide_rows_kernel),
                                  cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
  const dim3 grid(static_cast<unsigned>(columns / kTile), static_cast<unsigned>(tiles));
  LAUNCH(context.stream, grid, kWide, bytes, wide_rows_kernel, w);
  return true;
}

}  // namespace schemoe::cuda::split
