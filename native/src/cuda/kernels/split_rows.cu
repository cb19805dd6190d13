// Gradient of a gate's rows, in bfloat16: float32 gradients of logits times a float32 weight.
#include "cuda/kernels/split.cuh"

namespace schemoe::cuda::split {

namespace {

/// Gradient of the rows: A [m, k] float32 times B [k, n] float32 to C [m, n] bfloat16, with k at most
/// 32 K. Two bfloat16 of each factor hold 16 bits, of which C keeps 8. A warp has 32 columns, whose part
/// of B stays in registers, and goes through rows 16 at a time.
template <int K>
__global__ void __launch_bounds__(kThreads)
    rows_kernel(Sizes s, float alpha, float beta, const float* a, const float* b, bf16* c, int64_t ldc, int64_t rows_each) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, g = lane / 4, t = lane % 4;
  const int64_t column0 = int64_t{blockIdx.x} * kThreads + warp * 32;
  const auto right_at = [&](int64_t k, int64_t n) { return k < s.k && n < s.n ? b[k * s.ldb + n] : 0.0f; };
  uint32_t right[K][4][2][2][2];  // [32 of k][tile of columns][16 of k][plane][register]
#pragma unroll
  for (int q = 0; q < K; ++q) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      // Tiles interleave columns so that a lane's results are neighbours.
      const int64_t n = column0 + g / 2 * 8 + j * 2 + g % 2;
#pragma unroll
      for (int h = 0; h < 2; ++h) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const int64_t k = q * 32 + t * 8 + h * 4 + e * 2;
          uint32_t planes[2];
          split(planes, right_at(k, n), right_at(k + 1, n));
          right[q][j][h][0][e] = planes[0], right[q][j][h][1][e] = planes[1];
        }
      }
    }
  }
  const int64_t begin = blockIdx.y * rows_each, end = min(begin + rows_each, s.m);
  const int64_t column = column0 + t * 8;
  for (int64_t row0 = begin; row0 < end; row0 += 16) {
    float sums[4][4] = {};
#pragma unroll
    for (int q = 0; q < K; ++q) {
      uint32_t left[2][2][4];  // [plane][16 of k][register]
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float* from = a + min(row0 + g + r * 8, s.m - 1) * s.lda;
        float v[8];
        const int64_t k = q * 32 + t * 8;
        if (k + 8 <= s.k && s.lda % 4 == 0) {
          load(v, from + k);
        } else {
#pragma unroll
          for (int i = 0; i < 8; ++i) v[i] = k + i < s.k ? from[k + i] : 0.0f;
        }
#pragma unroll
        for (int h = 0; h < 2; ++h) {
#pragma unroll
          for (int e = 0; e < 2; ++e) {
            uint32_t planes[2];
            split(planes, v[h * 4 + e * 2], v[h * 4 + e * 2 + 1]);
            left[0][h][e * 2 + r] = planes[0], left[1][h][e * 2 + r] = planes[1];
          }
        }
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int h = 0; h < 2; ++h) {
          multiply(sums[j], left[1][h], right[q][j][h][0]);
          multiply(sums[j], left[0][h], right[q][j][h][1]);
          multiply(sums[j], left[0][h], right[q][j][h][0]);
        }
      }
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const int64_t row = row0 + g + r * 8;
      if (row >= end || column >= s.n) continue;
      bf16* to = c + row * ldc + column;
      float v[8], before[8] = {};
      if (beta != 0) load(before, to);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          const float value = alpha * sums[j][r * 2 + e];
          v[j * 2 + e] = beta != 0 ? value + beta * before[j * 2 + e] : value;
        }
      }
      store(to, v);
    }
  }
}

}  // namespace

bool rows(const Gemm& g, const Context& context) {
  const bool half_a = g.dtypes.a == SCHEMOE_BF16, half_b = g.dtypes.b == SCHEMOE_BF16;
  const Sizes s{g.m, g.n, g.k, g.a.ld, g.b.ld, 0};
  if (!half_a && !half_b && g.dtype_c == SCHEMOE_BF16 && !g.trans_a && !g.trans_b && g.k <= 64 && g.n % 8 == 0 &&
      fits(context, g.c, 8) && aligned(context.at<void>(g.a.view))) {
    const int64_t columns = ceil_div(g.n, kThreads);
    const int64_t parts = std::clamp<int64_t>(1056 / columns, 1, std::min<int64_t>(ceil_div(g.m, 64), 65535));
    const int64_t each = ceil_div(ceil_div(g.m, parts), 16) * 16;
    const dim3 grid(grid_of(columns), static_cast<unsigned>(ceil_div(g.m, each)));
    const auto alpha = static_cast<float>(g.alpha), beta = static_cast<float>(g.beta);
    const auto* a = context.at<const float>(g.a.view);
    const auto* b = context.at<const float>(g.b.view);
    auto* c = context.at<bf16>(g.c.view);
    if (g.k <= 32) LAUNCH(context.stream, grid, kThreads, 0, rows_kernel<1>, s, alpha, beta, a, b, c, g.c.ld, each);
    else LAUNCH(context.stream, grid, kThreads, 0, rows_kernel<2>, s, alpha, beta, a, b, c, g.c.ld, each);
    return true;
  }
  return false;
}

}  // namespace schemoe::cuda::split
