// Causal attention of bfloat16 on tensor cores: tiles of scores with a running softmax (Dao, "FlashAttention-2",
// arXiv 2307.08691). Memory is linear in the length. The gradients are two kernels, one of queries and one of keys and
// values, each of which recomputes the scores: seven products instead of five, but no sum whose order depends on timing.
#include "cuda/kernels/attention_tensor.h"

#include <cmath>

#include "cuda/kernels/mma.cuh"

namespace schemoe::cuda {

namespace {

using namespace mma;

struct Sizes {
  int64_t batch, length, heads, key_heads;
  float scale;
  __device__ int64_t queries(int dim) const { return heads * dim; }
  __device__ int64_t keys(int dim) const { return key_heads * dim; }
};

struct Pointers {
  const bf16 *q, *k, *v, *out, *dout;
  bf16 *to_out, *dq, *dk, *dv;
  const float* logsum;
  float *to_logsum, *delta;
};

constexpr float kLog2e = 1.4426950408889634f;

/// First rows of a sequence's head.
struct Head {
  int64_t queries, keys, sums;
  __device__ Head(const Sizes& s, int dim, int64_t sequence, int64_t head)
      : queries(sequence * s.length * s.queries(dim) + head * dim),
        keys(sequence * s.length * s.keys(dim) + head / (s.heads / s.key_heads) * dim),
        sums((sequence * s.heads + head) * s.length) {}
};

/// Two stages of a pair of tiles of N rows in shared memory: while one pair is used the next is copied.
template <int D, int N, int THREADS>
struct Pairs {
  uint32_t base;
  __device__ explicit Pairs(const uint8_t* shared) : base(static_cast<uint32_t>(__cvta_generic_to_shared(shared))) {}
  __device__ SharedTile<D> first(int step) const { return {base + static_cast<uint32_t>((step & 1) * 2 * N * D * 2)}; }
  __device__ SharedTile<D> second(int step) const { return {first(step).base + N * D * 2}; }
  /// Begins to copy the pair of a step; rows from `valid` on are zeros.
  __device__ void copy(int step, const bf16* a, const bf16* b, int64_t ld, int64_t valid) const {
    first(step).template copy<N, THREADS>(a, ld, valid);
    second(step).template copy<N, THREADS>(b, ld, valid);
    commit();
  }
  /// Uses the pairs of all steps in turn, which `begin` begins to copy. All threads of the block take part.
  template <class Begin, class Use>
  __device__ void each(int steps, Begin&& begin, Use&& use) const {
    begin(0);
    for (int step = 0; step < steps; ++step) {
      if (step + 1 < steps) {
        begin(step + 1);
        wait<1>();
      } else {
        wait<0>();
      }
      __syncthreads();
      use(step);
      __syncthreads();
    }
  }
};

/// A warp takes MT * 16 queries, a block WARPS warps.
template <int D, int MT, int WARPS>
__global__ void __launch_bounds__(32 * WARPS, 2 * 4 / WARPS) forward_kernel(Sizes s, Pointers p) {
  constexpr int BM = 16 * MT * WARPS, BN = 64, THREADS = 32 * WARPS;
  DYNAMIC_SHARED(__align__(128) uint8_t, shared);
  const Pairs<D, BN, THREADS> pairs(shared);  // keys and values
  const int lane = static_cast<int>(threadIdx.x % 32), g = lane / 4, t = lane % 4;
  // Blocks with most keys begin first.
  const int64_t first = (int64_t{gridDim.x} - 1 - blockIdx.x) * BM;
  const Head at(s, D, blockIdx.z, blockIdx.y);
  const int64_t ldq = s.queries(D), ldk = s.keys(D), own = first + threadIdx.x / 32 * (16 * MT);
  const bf16 *k = p.k + at.keys, *v = p.v + at.keys;
  uint32_t q[MT][D / 16][4];
#pragma unroll
  for (int m = 0; m < MT; ++m) {
#pragma unroll
    for (int i = 0; i < D / 16; ++i) load_rows(q[m][i], p.q + at.queries, ldq, own + 16 * m, s.length, 16 * i);
  }
  float out[MT][D / 8][4] = {}, most[MT][2], total[MT][2] = {};
#pragma unroll
  for (int m = 0; m < MT; ++m) most[m][0] = most[m][1] = -INFINITY;
  const int64_t end = first + BM < s.length ? first + BM : s.length;
  const int blocks = static_cast<int>((end + BN - 1) / BN);
  const float c = s.scale * kLog2e;
  const auto begin = [&](int block) {
    const int64_t row = int64_t{block} * BN;
    pairs.copy(block, k + row * ldk, v + row * ldk, ldk, s.length - row);
  };
  pairs.each(blocks, begin, [&](int block) {
    const int64_t n = int64_t{block} * BN;
    if (n < own + 16 * MT) {
      float score[MT][BN / 8][4] = {};
#pragma unroll
      for (int i = 0; i < D / 16; ++i) {
#pragma unroll
        for (int j = 0; j < BN / 16; ++j) {
          uint32_t b[4];
          pairs.first(block).columns(b, 16 * j, 16 * i);
#pragma unroll
          for (int m = 0; m < MT; ++m) {
            multiply(score[m][2 * j], q[m][i], b[0], b[1]);
            multiply(score[m][2 * j + 1], q[m][i], b[2], b[3]);
          }
        }
      }
      const bool masked = n + BN - 1 > own;
#pragma unroll
      for (int m = 0; m < MT; ++m) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int64_t row = own + 16 * m + g + 8 * half;
          float here = -INFINITY;
#pragma unroll
          for (int j = 0; j < BN / 8; ++j) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              float& x = score[m][j][2 * half + i];
              if (masked && n + 8 * j + 2 * t + i > row) x = -INFINITY;
              here = fmaxf(here, x);
            }
          }
          here = over_row(here, [](float a, float b) { return fmaxf(a, b); });
          const float higher = fmaxf(most[m][half], here), shift = higher * c;
          const float before = exp2f(most[m][half] * c - shift);
          most[m][half] = higher;
          float sum = 0;
#pragma unroll
          for (int j = 0; j < BN / 8; ++j) {
#pragma unroll
            for (int i = 0; i < 2; ++i) {
              float& x = score[m][j][2 * half + i];
              x = exp2f(x * c - shift);
              sum += x;
            }
          }
          total[m][half] = total[m][half] * before + sum;
#pragma unroll
          for (int j = 0; j < D / 8; ++j) {
            out[m][j][2 * half] *= before;
            out[m][j][2 * half + 1] *= before;
          }
        }
      }
#pragma unroll
      for (int i = 0; i < BN / 16; ++i) {
        uint32_t a[MT][4];
#pragma unroll
        for (int m = 0; m < MT; ++m) as_rows(a[m], score[m][2 * i], score[m][2 * i + 1]);
#pragma unroll
        for (int j = 0; j < D / 16; ++j) {
          uint32_t b[4];
          pairs.second(block).rows(b, 16 * i, 16 * j);
#pragma unroll
          for (int m = 0; m < MT; ++m) {
            multiply(out[m][2 * j], a[m], b[0], b[1]);
            multiply(out[m][2 * j + 1], a[m], b[2], b[3]);
          }
        }
      }
    }
  });
#pragma unroll
  for (int m = 0; m < MT; ++m) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t row = own + 16 * m + g + 8 * half;
      const float sum = over_row(total[m][half], [](float a, float b) { return a + b; }), inverse = 1 / sum;
      if (row >= s.length) continue;
      bf16* to = p.to_out + at.queries + row * ldq + 2 * t;
#pragma unroll
      for (int j = 0; j < D / 8; ++j) {
        *reinterpret_cast<uint32_t*>(to + 8 * j) = pack(out[m][j][2 * half] * inverse, out[m][j][2 * half + 1] * inverse);
      }
      if (t == 0) p.to_logsum[at.sums + row] = most[m][half] * s.scale + logf(sum);
    }
  }
}

/// Sums of dout * out of each query and head, a warp each.
template <int D>
__global__ void __launch_bounds__(256) delta_kernel(Sizes s, Pointers p) {
  const int64_t item = int64_t{blockIdx.x} * 8 + threadIdx.x / 32;
  if (item >= s.batch * s.length * s.heads) return;
  const int64_t token = item / s.heads, head = item % s.heads;
  const int64_t begin = token * s.queries(D) + head * D + threadIdx.x % 32 * (D / 32);
  float sum = 0;
#pragma unroll
  for (int i = 0; i < D / 32; ++i) sum += to_float(p.dout[begin + i]) * to_float(p.out[begin + i]);
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) p.delta[(token / s.length * s.heads + head) * s.length + token % s.length] = sum;
}

/// Gradients of queries: 16 a warp, 64 a block.
template <int D, int BN>
__global__ void __launch_bounds__(128, 2) query_grad_kernel(Sizes s, Pointers p) {
  constexpr int BM = 64, THREADS = 128;
  DYNAMIC_SHARED(__align__(128) uint8_t, shared);
  const Pairs<D, BN, THREADS> pairs(shared);  // keys and values
  const int lane = static_cast<int>(threadIdx.x % 32), g = lane / 4, t = lane % 4;
  const int64_t first = (int64_t{gridDim.x} - 1 - blockIdx.x) * BM;
  const Head at(s, D, blockIdx.z, blockIdx.y);
  const int64_t ldq = s.queries(D), ldk = s.keys(D), own = first + threadIdx.x / 32 * 16;
  const bf16 *k = p.k + at.keys, *v = p.v + at.keys;
  uint32_t q[D / 16][4], dout[D / 16][4];
#pragma unroll
  for (int i = 0; i < D / 16; ++i) {
    load_rows(q[i], p.q + at.queries, ldq, own, s.length, 16 * i);
    load_rows(dout[i], p.dout + at.queries, ldq, own, s.length, 16 * i);
  }
  float logsum[2], delta[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t row = own + g + 8 * half;
    logsum[half] = row < s.length ? p.logsum[at.sums + row] * kLog2e : 0.0f;
    delta[half] = row < s.length ? p.delta[at.sums + row] : 0.0f;
  }
  float dq[D / 8][4] = {};
  const int64_t end = first + BM < s.length ? first + BM : s.length;
  const int blocks = static_cast<int>((end + BN - 1) / BN);
  const float c = s.scale * kLog2e;
  const auto begin = [&](int block) {
    const int64_t row = int64_t{block} * BN;
    pairs.copy(block, k + row * ldk, v + row * ldk, ldk, s.length - row);
  };
  pairs.each(blocks, begin, [&](int block) {
    const int64_t n = int64_t{block} * BN;
    if (n < own + 16) {
      float score[BN / 8][4] = {}, grad[BN / 8][4] = {};
#pragma unroll
      for (int i = 0; i < D / 16; ++i) {
#pragma unroll
        for (int j = 0; j < BN / 16; ++j) {
          uint32_t b[4];
          pairs.first(block).columns(b, 16 * j, 16 * i);
          multiply(score[2 * j], q[i], b[0], b[1]);
          multiply(score[2 * j + 1], q[i], b[2], b[3]);
          pairs.second(block).columns(b, 16 * j, 16 * i);
          multiply(grad[2 * j], dout[i], b[0], b[1]);
          multiply(grad[2 * j + 1], dout[i], b[2], b[3]);
        }
      }
      const bool masked = n + BN - 1 > own;
#pragma unroll
      for (int j = 0; j < BN / 8; ++j) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int64_t row = own + g + 8 * (i / 2), column = n + 8 * j + 2 * t + i % 2;
          const float probability = masked && column > row ? 0.0f : exp2f(score[j][i] * c - logsum[i / 2]);
          grad[j][i] = probability * (grad[j][i] - delta[i / 2]);
        }
      }
      if (n + own + g + t == 0) grad[0][0] -= grad[0][0];  // of the first query's only score
#pragma unroll
      for (int i = 0; i < BN / 16; ++i) {
        uint32_t a[4];
        as_rows(a, grad[2 * i], grad[2 * i + 1]);
#pragma unroll
        for (int j = 0; j < D / 16; ++j) {
          uint32_t b[4];
          pairs.first(block).rows(b, 16 * i, 16 * j);
          multiply(dq[2 * j], a, b[0], b[1]);
          multiply(dq[2 * j + 1], a, b[2], b[3]);
        }
      }
    }
  });
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t row = own + g + 8 * half;
    if (row >= s.length) continue;
    bf16* to = p.dq + at.queries + row * ldq + 2 * t;
#pragma unroll
    for (int j = 0; j < D / 8; ++j) {
      *reinterpret_cast<uint32_t*>(to + 8 * j) = pack(dq[j][2 * half] * s.scale, dq[j][2 * half + 1] * s.scale);
    }
  }
}

/// Gradients of keys and values: 16 keys a warp, 64 a block; SUB queries at a time, whose scores are transposed.
template <int D, int BQ, int SUB>
__global__ void __launch_bounds__(128, D == 64 ? 2 : 1) key_grad_kernel(Sizes s, Pointers p) {
  constexpr int BM = 64, THREADS = 128;
  static_assert(BQ <= THREADS && BQ % SUB == 0);
  DYNAMIC_SHARED(__align__(128) uint8_t, shared);
  __shared__ float sums[2][BQ], deltas[2][BQ];
  const Pairs<D, BQ, THREADS> pairs(shared);  // queries and gradients of outputs
  const int lane = static_cast<int>(threadIdx.x % 32), g = lane / 4, t = lane % 4;
  const int64_t first = int64_t{blockIdx.x} * BM, group = s.heads / s.key_heads;
  const int64_t ldq = s.queries(D), ldk = s.keys(D), own = first + threadIdx.x / 32 * 16;
  const int64_t of_keys = Head(s, D, blockIdx.z, blockIdx.y * group).keys;
  uint32_t k[D / 16][4], v[D / 16][4];
#pragma unroll
  for (int i = 0; i < D / 16; ++i) {
    load_rows(k[i], p.k + of_keys, ldk, own, s.length, 16 * i);
    load_rows(v[i], p.v + of_keys, ldk, own, s.length, 16 * i);
  }
  float dk[D / 8][4] = {}, dv[D / 8][4] = {};
  const float c = s.scale * kLog2e;
  const int from = static_cast<int>(first / BQ), each = static_cast<int>((s.length + BQ - 1) / BQ) - from;
  const int steps = each * static_cast<int>(group);
  const auto begin = [&](int step) {
    const Head at(s, D, blockIdx.z, blockIdx.y * group + step / each);
    const int64_t row = int64_t{from + step % each} * BQ;
    pairs.copy(step, p.q + at.queries + row * ldq, p.dout + at.queries + row * ldq, ldq, s.length - row);
    if (threadIdx.x < BQ) {
      const int64_t query = row + threadIdx.x;
      sums[step & 1][threadIdx.x] = query < s.length ? p.logsum[at.sums + query] * kLog2e : 0.0f;
      deltas[step & 1][threadIdx.x] = query < s.length ? p.delta[at.sums + query] : 0.0f;
    }
  };
  pairs.each(steps, begin, [&](int step) {
    const int stage = step & 1;
    const int64_t row = int64_t{from + step % each} * BQ;
#pragma unroll
    for (int sub = 0; sub < BQ; sub += SUB) {
      if (row + sub + SUB <= own) continue;  // all queries are before the keys
      float score[SUB / 8][4] = {}, grad[SUB / 8][4] = {};
#pragma unroll
      for (int i = 0; i < D / 16; ++i) {
#pragma unroll
        for (int j = 0; j < SUB / 16; ++j) {
          uint32_t b[4];
          pairs.first(stage).columns(b, sub + 16 * j, 16 * i);
          multiply(score[2 * j], k[i], b[0], b[1]);
          multiply(score[2 * j + 1], k[i], b[2], b[3]);
          pairs.second(stage).columns(b, sub + 16 * j, 16 * i);
          multiply(grad[2 * j], v[i], b[0], b[1]);
          multiply(grad[2 * j + 1], v[i], b[2], b[3]);
        }
      }
      const bool masked = row + sub < own + 16;
#pragma unroll
      for (int j = 0; j < SUB / 8; ++j) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int place = sub + 8 * j + 2 * t + i % 2;
          const bool before = masked && row + place < own + g + 8 * (i / 2);
          score[j][i] = before ? 0.0f : exp2f(score[j][i] * c - sums[stage][place]);
          grad[j][i] = score[j][i] * (grad[j][i] - deltas[stage][place]);
        }
      }
      if (row + sub + own + g + t == 0) grad[0][0] -= grad[0][0];  // of the first query's only score
#pragma unroll
      for (int i = 0; i < SUB / 16; ++i) {
        uint32_t probability[4], slope[4];
        as_rows(probability, score[2 * i], score[2 * i + 1]);
        as_rows(slope, grad[2 * i], grad[2 * i + 1]);
#pragma unroll
        for (int j = 0; j < D / 16; ++j) {
          uint32_t b[4];
          pairs.second(stage).rows(b, sub + 16 * i, 16 * j);
          multiply(dv[2 * j], probability, b[0], b[1]);
          multiply(dv[2 * j + 1], probability, b[2], b[3]);
          pairs.first(stage).rows(b, sub + 16 * i, 16 * j);
          multiply(dk[2 * j], slope, b[0], b[1]);
          multiply(dk[2 * j + 1], slope, b[2], b[3]);
        }
      }
    }
  });
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t key = own + g + 8 * half;
    if (key >= s.length) continue;
    const int64_t to = of_keys + key * ldk + 2 * t;
#pragma unroll
    for (int j = 0; j < D / 8; ++j) {
      *reinterpret_cast<uint32_t*>(p.dk + to + 8 * j) = pack(dk[j][2 * half] * s.scale, dk[j][2 * half + 1] * s.scale);
      *reinterpret_cast<uint32_t*>(p.dv + to + 8 * j) = pack(dv[j][2 * half], dv[j][2 * half + 1]);
    }
  }
}

bool fits(const AttentionSizes& s, schemoe_dtype dtype, std::initializer_list<const void*> data) {
  for (const void* at : data) {
    if (!aligned(at)) return false;
  }
  constexpr int64_t kMost = 65535;  // blocks of a grid in y and z
  return dtype == SCHEMOE_BF16 && (s.dim == 64 || s.dim == 128) && s.heads <= kMost && s.batch <= kMost &&
         s.length < int64_t{1} << 30;
}

/// Calls body with the columns of a head.
template <class Body>
void with_dim(const AttentionSizes& s, Body&& body) {
  if (s.dim == 64) body(std::integral_constant<int, 64>{});
  else body(std::integral_constant<int, 128>{});
}

dim3 grid_for(int64_t blocks, int64_t heads, int64_t batch) {
  return dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(heads), static_cast<unsigned>(batch));
}

template <class Kernel>
void allow(Kernel* kernel, int bytes) {
  CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
}

}  // namespace

bool run_on_tensor_cores(const Attention& a, const Context& context) {
  Pointers p{};
  p.q = context.at<const bf16>(a.q), p.k = context.at<const bf16>(a.k), p.v = context.at<const bf16>(a.v);
  p.to_out = context.at<bf16>(a.out), p.to_logsum = context.at<float>(a.logsum);
  if (!fits(a.sizes, a.dtype, {p.q, p.k, p.v, p.to_out})) return false;
  const AttentionSizes& of = a.sizes;
  const Sizes s{of.batch, of.length, of.heads, of.key_heads, static_cast<float>(a.scale)};
  with_dim(of, [&](auto dim) {
    constexpr int D = dim(), MT = D == 64 ? 2 : 1, WARPS = D == 64 ? 4 : 8, kBytes = 4 * 64 * D * 2;
    allow(forward_kernel<D, MT, WARPS>, kBytes);
    LAUNCH(context.stream, grid_for(ceil_div(s.length, 128), s.heads, s.batch), 32 * WARPS, kBytes,
           (forward_kernel<D, MT, WARPS>), s, p);
  });
  return true;
}

bool run_on_tensor_cores(const AttentionGrad& a, const Context& context) {
  Pointers p{};
  p.q = context.at<const bf16>(a.q), p.k = context.at<const bf16>(a.k), p.v = context.at<const bf16>(a.v);
  p.out = context.at<const bf16>(a.out), p.dout = context.at<const bf16>(a.dout);
  p.logsum = context.at<const float>(a.logsum);
  p.dq = context.at<bf16>(a.dq), p.dk = context.at<bf16>(a.dk), p.dv = context.at<bf16>(a.dv);
  if (!fits(a.sizes, a.dtype, {p.q, p.k, p.v, p.out, p.dout, p.dq, p.dk, p.dv})) return false;
  const AttentionSizes& of = a.sizes;
  const Sizes s{of.batch, of.length, of.heads, of.key_heads, static_cast<float>(a.scale)};
  const int64_t items = s.batch * s.length * s.heads;
  p.delta = context.scratch.get<float>(static_cast<size_t>(items), context.stream);
  with_dim(of, [&](auto dim) {
    constexpr int D = dim(), BN = D == 64 ? 64 : 32, SUB = D == 64 ? 32 : 16, kBytes = 4 * BN * D * 2;
    LAUNCH(context.stream, grid_of(ceil_div(items, 8)), 256, 0, delta_kernel<D>, s, p);
    LAUNCH(context.stream, grid_for(ceil_div(s.length, 64), s.heads, s.batch), 128, kBytes, (query_grad_kernel<D, BN>), s, p);
    LAUNCH(context.stream, grid_for(ceil_div(s.length, 64), s.key_heads, s.batch), 128, kBytes,
           (key_grad_kernel<D, BN, SUB>), s, p);
  });
  return true;
}

}  // namespace schemoe::cuda
