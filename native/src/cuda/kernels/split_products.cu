// Products of a gate, where one factor is float32, by tensor cores that multiply bfloat16: a float32 is
// exactly the sum of three bfloat16, products of two bfloat16 are exact in float32, and few of them are
// added in a tensor core before a float32 sum takes over. Fixed order, so equal inputs give equal bits.
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 128;
constexpr int kPlanes = 3;

/// Two values as pairs of bfloat16, the most significant first; what is left after P is dropped.
template <int P>
__device__ void split(uint32_t (&planes)[P], float a, float b) {
#pragma unroll
  for (int p = 0; p < P; ++p) {
    planes[p] = pack(a, b);
    const float2 taken = halves_of(planes[p]);
    a = __fsub_rn(a, taken.x), b = __fsub_rn(b, taken.y);
  }
}

/// c += a b: [16, 16] by [16, 8].
__device__ void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ void load_transposed(uint32_t (&to)[4], const bf16* from) {
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(from));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}

struct Sizes {
  int64_t m, n, k;
  int64_t lda, ldb;
  int64_t each;  // of k, for a block
};

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

template <class C>
__global__ void __launch_bounds__(256)
    add_parts_kernel(Sizes s, int64_t parts, float alpha, float beta, const float* partial, C* c, int64_t ldc) {
  const int64_t count = s.m * s.n;
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count; i += int64_t{gridDim.x} * 256) {
    float sum = 0;
#pragma unroll 4
    for (int64_t part = 0; part < parts; ++part) sum += partial[part * count + i];
    const int64_t row = i / s.n;
    C* to = c + row * ldc + (i - row * s.n);
    float value = alpha * sum;
    if (beta != 0) value += beta * to_float(*to);
    from_float(*to, value);
  }
}

/// Parts of k that give every multiprocessor several blocks; fixed for a shape.
int64_t part_of(int64_t k, int64_t blocks, int64_t stage) {
  constexpr int64_t kEnough = 640;
  const int64_t parts = std::clamp<int64_t>(kEnough / blocks, 1, std::max<int64_t>(k / (4 * stage), 1));
  return ceil_div(ceil_div(k, parts), stage) * stage;
}

template <class Launch>
void in_parts(const Gemm& g, Sizes s, const Context& context, int64_t blocks, int64_t stage, Launch&& launch) {
  s.each = part_of(s.k, blocks, stage);
  const int64_t parts = ceil_div(s.k, s.each);
  auto* partial = context.scratch.get<float>(static_cast<size_t>(parts * s.m * s.n), context.stream);
  launch(s, static_cast<unsigned>(parts), partial);
  with_type(g.dtype_c, [&](auto element) {
    using C = decltype(element);
    LAUNCH(context.stream, grid_of(std::min<int64_t>(ceil_div(s.m * s.n, 256), 4096)), 256, 0, add_parts_kernel<C>, s,
           parts, static_cast<float>(g.alpha), static_cast<float>(g.beta), partial, context.at<C>(g.c.view), g.c.ld);
  });
}

bool fits(const Context& context, const Matrix& matrix, int64_t by) {
  return aligned(context.at<void>(matrix.view)) && matrix.ld % by == 0;
}

}  // namespace

bool run_split(const Gemm& g, const Context& context) {
  if (g.groups != 1 || !g.bias.null() || g.relu) return false;
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

}  // namespace schemoe::cuda
