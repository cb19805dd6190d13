// Gradient of a gate's weight: float32 gradients of logits times rows of bfloat16.
#include "cuda/kernels/split_parts.cuh"

namespace schemoe::cuda::split {

namespace {

/// Gradient of the weights: A [k, m] float32 transposed times B [k, n] bfloat16, both across k in memory.
/// A block has M rows and 128 columns over a part of k, a warp 32 of the columns.
template <int M>
__global__ void __launch_bounds__(kThreads) weights_kernel(Sizes s, const float* a, const bf16* b, float* partial) {
  constexpr int kStage = 32, kColumns = kThreads, kTiles = M / 16;
  constexpr int kLeft = M + 8, kRight = kColumns + 8;  // rows begin 4 banks after each other, modulo 32
  __shared__ alignas(16) bf16 left[kPlanes][kStage][kLeft];
  __shared__ alignas(16) bf16 right[kStage][kRight];
  const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
  const int64_t row0 = int64_t{blockIdx.z} * M, column0 = int64_t{blockIdx.x} * kColumns;
  const int64_t begin = blockIdx.y * s.each, end = min(begin + s.each, s.k);

  constexpr int kPairs = kStage * M / 2 / kThreads, kEights = kStage * kColumns / 8 / kThreads;
  float2 a_next[kPairs];
  uint4 b_next[kEights];
  const auto fetch = [&](int64_t k0) {
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int at = i * kThreads + thread;
      const int64_t k = k0 + at / (M / 2), m = row0 + at % (M / 2) * 2;
      const float* from = a + k * s.lda + m;
      a_next[i] = make_float2(k < end && m < s.m ? from[0] : 0.0f, k < end && m + 1 < s.m ? from[1] : 0.0f);
    }
#pragma unroll
    for (int i = 0; i < kEights; ++i) {
      const int at = i * kThreads + thread;
      const int64_t k = k0 + at / (kColumns / 8), n = column0 + at % (kColumns / 8) * 8;
      b_next[i] = k < end && n < s.n ? *reinterpret_cast<const uint4*>(b + k * s.ldb + n) : make_uint4(0, 0, 0, 0);
    }
  };
  float sums[kTiles][4][4] = {};
  fetch(begin);
  for (int64_t k0 = begin; k0 < end; k0 += kStage) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kPairs; ++i) {
      const int at = i * kThreads + thread;
      uint32_t planes[kPlanes];
      split(planes, a_next[i].x, a_next[i].y);
#pragma unroll
      for (int p = 0; p < kPlanes; ++p) *reinterpret_cast<uint32_t*>(&left[p][at / (M / 2)][at % (M / 2) * 2]) = planes[p];
    }
#pragma unroll
    for (int i = 0; i < kEights; ++i) {
      const int at = i * kThreads + thread;
      *reinterpret_cast<uint4*>(&right[at / (kColumns / 8)][at % (kColumns / 8) * 8]) = b_next[i];
    }
    __syncthreads();
    if (k0 + kStage < end) fetch(k0 + kStage);
    // Lane i gives the address of row i % 8 of the eight by eight matrix i / 8.
    const int down = lane % 8 + lane / 16 * 8, across = lane / 8 % 2 * 8;
#pragma unroll
    for (int i = 0; i < kTiles; ++i) {
      float few[4][4] = {};
#pragma unroll
      for (int p = kPlanes - 1; p >= 0; --p) {
#pragma unroll
        for (int h = 0; h < kStage / 16; ++h) {
          uint32_t u[4];
          load_transposed(u, &left[p][h * 16 + down][i * 16 + across]);
#pragma unroll
          for (int j = 0; j < 4; j += 2) {
            // Along k first: both halves of one tile of columns, then of the next.
            uint32_t v[4];
            load_transposed(v, &right[h * 16 + lane % 16][warp * 32 + j * 8 + lane / 16 * 8]);
            multiply(few[j], u, {v[0], v[1]});
            multiply(few[j + 1], u, {v[2], v[3]});
          }
        }
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[i][j][e] += few[j][e];
      }
    }
  }
  float* to = partial + blockIdx.y * s.m * s.n;
#pragma unroll
  for (int i = 0; i < kTiles; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int64_t r = row0 + i * 16 + lane / 4 + e / 2 * 8;
        const int64_t c = column0 + warp * 32 + j * 8 + lane % 4 * 2 + e % 2;
        if (r < s.m && c < s.n) to[r * s.n + c] = sums[i][j][e];
      }
    }
  }
}

}  // namespace

bool weights(const Gemm& g, const Context& context) {
  const bool half_a = g.dtypes.a == SCHEMOE_BF16, half_b = g.dtypes.b == SCHEMOE_BF16;
  const Sizes s{g.m, g.n, g.k, g.a.ld, g.b.ld, 0};
  if (!half_a && half_b && g.trans_a && !g.trans_b && g.m <= 512 && g.n % 8 == 0 && fits(context, g.b, 8)) {
    const auto* a = context.at<const float>(g.a.view);
    const auto* b = context.at<const bf16>(g.b.view);
    const int64_t m = g.m <= 16 ? 16 : 32, rows = ceil_div(g.m, m), columns = ceil_div(g.n, kThreads);
    in_parts(g, s, context, rows * columns, 32, [&](const Sizes& sizes, unsigned parts, float* partial) {
      const dim3 grid(grid_of(columns), parts, static_cast<unsigned>(rows));
      if (m == 16) LAUNCH(context.stream, grid, kThreads, 0, weights_kernel<16>, sizes, a, b, partial);
      else LAUNCH(context.stream, grid, kThreads, 0, weights_kernel<32>, sizes, a, b, partial);
    });
    return true;
  }
  return false;
}

}  // namespace schemoe::cuda::split
