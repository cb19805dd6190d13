// Logits of a gate: rows of bfloat16 times a float32 weight.
#include "cuda/kernels/split_parts.cuh"

namespace schemoe::cuda::split {

namespace {

/// Rows of scores: A [m, k] bfloat16 times B [n, k] float32, both along k in memory. A warp has 16 rows
/// and N columns over a part of k; lane t of four takes 8 neighbours along k of every 32, which both
/// factors agree on.
template <int N>
__global__ void __launch_bounds__(kThreads) scores_kernel(Sizes s, const bf16* a, const float* b, float* partial) {
  constexpr int kStage = 64, kTiles = N / 8;
  constexpr int kRow = kStage + 32;  // of bfloat16: rows two apart share banks, neighbours do not
  __shared__ alignas(16) bf16 right[kPlanes][N][kRow];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int64_t row = int64_t{blockIdx.x} * (kThreads / 2) + warp * 16 + g, column0 = int64_t{blockIdx.z} * N;
  const int64_t begin = blockIdx.y * s.each, end = min(begin + s.each, s.k);
  const bf16* rows[2] = {a + min(row, s.m - 1) * s.lda, a + min(row + 8, s.m - 1) * s.lda};

  uint4 left[2][2];  // [half of the stage][row]
  constexpr int kFours = N * kStage / 4 / kThreads;  // float4 of B for a thread
  float4 next[kFours];
  const auto fetch = [&](int64_t k0) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const int64_t k = k0 + h * 32 + t * 8;
        left[h][r] = k < end ? *reinterpret_cast<const uint4*>(rows[r] + k) : make_uint4(0, 0, 0, 0);
      }
    }
#pragma unroll
    for (int i = 0; i < kFours; ++i) {
      const int at = i * kThreads + static_cast<int>(threadIdx.x);
      const int64_t n = column0 + at / (kStage / 4), k = k0 + at % (kStage / 4) * 4;
      next[i] = n < s.n && k < end ? *reinterpret_cast<const float4*>(b + n * s.ldb + k) : make_float4(0, 0, 0, 0);
    }
  };
  float sums[kTiles][4] = {};
  fetch(begin);
  for (int64_t k0 = begin; k0 < end; k0 += kStage) {
    __syncthreads();  // the stage before may still be read
#pragma unroll
    for (int i = 0; i < kFours; ++i) {
      const int at = i * kThreads + static_cast<int>(threadIdx.x);
      uint32_t first[kPlanes], second[kPlanes];
      split(first, next[i].x, next[i].y);
      split(second, next[i].z, next[i].w);
#pragma unroll
      for (int p = 0; p < kPlanes; ++p) {
        *reinterpret_cast<uint2*>(&right[p][at / (kStage / 4)][at % (kStage / 4) * 4]) = make_uint2(first[p], second[p]);
      }
    }
    uint4 now[2][2];
#pragma unroll
    for (int h = 0; h < 2; ++h) now[h][0] = left[h][0], now[h][1] = left[h][1];
    __syncthreads();
    if (k0 + kStage < end) fetch(k0 + kStage);
#pragma unroll
    for (int j = 0; j < kTiles; ++j) {
      float few[4] = {};
#pragma unroll
      for (int p = kPlanes - 1; p >= 0; --p) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          const uint4 v = *reinterpret_cast<const uint4*>(&right[p][j * 8 + g][h * 32 + t * 8]);
          const uint4 x = now[h][0], y = now[h][1];
          multiply(few, {x.x, y.x, x.y, y.y}, {v.x, v.y});
          multiply(few, {x.z, y.z, x.w, y.w}, {v.z, v.w});
        }
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[j][i] += few[i];
    }
  }
  float* to = partial + blockIdx.y * s.m * s.n;
#pragma unroll
  for (int j = 0; j < kTiles; ++j) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int64_t r = row + i / 2 * 8, c = column0 + j * 8 + t * 2 + i % 2;
      if (r < s.m && c < s.n) to[r * s.n + c] = sums[j][i];
    }
  }
}

}  // namespace

bool scores(const Gemm& g, const Context& context) {
  const bool half_a = g.dtypes.a == SCHEMOE_BF16, half_b = g.dtypes.b == SCHEMOE_BF16;
  const Sizes s{g.m, g.n, g.k, g.a.ld, g.b.ld, 0};
  if (half_a && !half_b && !g.trans_a && g.trans_b && g.n <= 512 && g.k % 8 == 0 && fits(context, g.a, 8) &&
      fits(context, g.b, 4)) {
    const auto* a = context.at<const bf16>(g.a.view);
    const auto* b = context.at<const float>(g.b.view);
    const int64_t n = g.n <= 8 ? 8 : 32, columns = ceil_div(g.n, n), rows = ceil_div(g.m, kThreads / 2);
    in_parts(g, s, context, rows * columns, 64, [&](const Sizes& sizes, unsigned parts, float* partial) {
      const dim3 grid(grid_of(rows), parts, static_cast<unsigned>(columns));
      if (n == 8) LAUNCH(context.stream, grid, kThreads, 0, scores_kernel<8>, sizes, a, b, partial);
      else LAUNCH(context.stream, grid, kThreads, 0, scores_kernel<32>, sizes, a, b, partial);
    });
    return true;
  }
  return false;
}

}  // namespace schemoe::cuda::split
