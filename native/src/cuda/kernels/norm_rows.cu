// RMSNorm of bfloat16 rows that a warp has in its registers, so that each number is read once: with the sum before it,
// and gradients of rows and of the weight in one go.
#include <cmath>

#include "cuda/kernels/alike.h"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8, kThreads = 32 * kWarps;
constexpr int kVector8 = 8;
/// Columns that a warp has at a time, and most of them that it keeps.
constexpr int64_t kPart = 32 * kVector8, kMostParts = 4;
/// Most blocks into which the rows of a sum are cut, whatever the GPU: the order must not depend on it.
constexpr int64_t kSplits = 512;

using Row = Raw<bf16, kVector8>;

/// y = norm(x) or, with `kAdds`, of x + `added`, which is `sum`.
template <int PARTS, bool kAdds>
__global__ void __launch_bounds__(kThreads)
    norm_rows_kernel(int64_t rows, const bf16* x, const bf16* added, bf16* sum, const float* weight, bf16* y, float2* statistics,
                     double epsilon) {
  constexpr int64_t kColumns = PARTS * kPart;
  const int64_t lane = threadIdx.x % 32, row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  const int64_t first = row * kColumns + lane * kVector8;
  Row own[PARTS], other[PARTS];
#pragma unroll
  for (int part = 0; part < PARTS; ++part) {
    own[part].read(x + first + part * kPart);
    if (kAdds) other[part].read(added + first + part * kPart);
  }
  float squares = 0, values[kVector8];
#pragma unroll
  for (int part = 0; part < PARTS; ++part) {
    own[part].unpack(values);
    if (kAdds) {
      float more[kVector8];
      other[part].unpack(more);
#pragma unroll
      for (int i = 0; i < kVector8; ++i) values[i] += more[i];
      own[part].bits = make_uint4(pack(values[0], values[1]), pack(values[2], values[3]), pack(values[4], values[5]),
                                  pack(values[6], values[7]));
      own[part].write(sum + first + part * kPart);
      own[part].unpack(values);
    }
#pragma unroll
    for (int i = 0; i < kVector8; ++i) squares += values[i] * values[i];
  }
  const auto inverse = static_cast<float>(1 / sqrt(warp_sum(squares) / static_cast<double>(kColumns) + epsilon));
  if (lane == 0) statistics[row] = make_float2(0, inverse);
#pragma unroll
  for (int part = 0; part < PARTS; ++part) {
    float by[kVector8];
    own[part].unpack(values);
    load(by, weight + lane * kVector8 + part * kPart);
#pragma unroll
    for (int i = 0; i < kVector8; ++i) values[i] = values[i] * inverse * by[i];
    store(y + first + part * kPart, values);
  }
}

struct GradRows {
  int64_t rows, each;  // of all blocks and of one
  const bf16 *dy, *x;
  const float2* statistics;
  const float* weight;
  bf16* dx;
  float* parts;  // [blocks, columns]
};

/// With `kInput` dx = or, with `kAdds`, += the gradient of x; and each block's sum of its rows' gradients of the weight.
template <int PARTS, bool kInput, bool kAdds>
__global__ void __launch_bounds__(kThreads, 2) norm_rows_grad_kernel(GradRows n) {
  constexpr int64_t kColumns = PARTS * kPart;
  __shared__ float4 of_warps[kWarps][kPart / 4];
  const int64_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, column = lane * kVector8;
  const auto begin = static_cast<int32_t>(blockIdx.x * n.each), end = static_cast<int32_t>(min(begin + n.each, n.rows));
  float sums[PARTS][kVector8] = {};
  for (int32_t row = begin + static_cast<int32_t>(warp); row < end; row += kWarps) {
    const int64_t first = row * kColumns + column;
    Row x[PARTS], g[PARTS], before[PARTS];
#pragma unroll
    for (int part = 0; part < PARTS; ++part) {
      x[part].read(n.x + first + part * kPart);
      g[part].read(n.dy + first + part * kPart);
      if (kAdds) before[part].read(n.dx + first + part * kPart);
    }
    const auto [mean, inverse] = n.statistics[row];
    float along = 0, xs[kVector8], gs[kVector8], by[kVector8];
#pragma unroll
    for (int part = 0; part < PARTS; ++part) {
      x[part].unpack(xs);
      g[part].unpack(gs);
      if (kInput) load(by, n.weight + column + part * kPart);
#pragma unroll
      for (int i = 0; i < kVector8; ++i) {
        const float normed = (xs[i] - mean) * inverse;
        if (kInput) along += gs[i] * by[i] * normed;
        sums[part][i] += gs[i] * normed;
      }
    }
    if (!kInput) continue;
    const auto a = static_cast<float>(warp_sum(along) / static_cast<double>(kColumns));
#pragma unroll
    for (int part = 0; part < PARTS; ++part) {
      float old[kVector8];
      x[part].unpack(xs);
      g[part].unpack(gs);
      load(by, n.weight + column + part * kPart);
      if (kAdds) before[part].unpack(old);
#pragma unroll
      for (int i = 0; i < kVector8; ++i) {
        const float value = inverse * (gs[i] * by[i] - (xs[i] - mean) * inverse * a);
        xs[i] = kAdds ? old[i] + value : value;
      }
      store(n.dx + first + part * kPart, xs);
    }
  }
#pragma unroll
  for (int part = 0; part < PARTS; ++part) {
    if (part > 0) __syncthreads();
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float(&s)[kVector8] = sums[part];
      of_warps[warp][2 * lane + i] = make_float4(s[4 * i], s[4 * i + 1], s[4 * i + 2], s[4 * i + 3]);
    }
    __syncthreads();
    static_assert(kPart == kThreads);
    double sum = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) sum += reinterpret_cast<const float*>(of_warps[w])[threadIdx.x];
    n.parts[blockIdx.x * kColumns + part * kPart + threadIdx.x] = static_cast<float>(sum);
  }
}

constexpr int kSumColumns = 32, kSumParts = 32;

/// Sums of all blocks, kSumParts threads a column.
__global__ void __launch_bounds__(kSumColumns* kSumParts)
    sum_blocks_kernel(int64_t blocks, int64_t columns, const float* parts, float* out) {
  __shared__ double sums[kSumParts][kSumColumns];
  const int64_t column = int64_t{blockIdx.x} * kSumColumns + threadIdx.x;
  double sum = 0;
  for (int64_t block = threadIdx.y; block < blocks; block += kSumParts) sum += parts[block * columns + column];
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0) return;
  for (int part = 1; part < kSumParts; ++part) sum += sums[part][threadIdx.x];
  out[column] = static_cast<float>(sum);
}

/// Whether rows are kept in registers.
bool fits(bool centered, schemoe_dtype dtype, int64_t rows, int64_t columns, std::initializer_list<const void*> data) {
  for (const void* at : data) {
    if (!aligned(at)) return false;
  }
  return !centered && dtype == SCHEMOE_BF16 && rows > 0 && rows <= INT32_MAX && columns > 0 && columns % kPart == 0 && columns / kPart <= kMostParts;
}

template <class Body>
void with_parts(int64_t columns, Body&& body) {
  switch (columns / kPart) {
    case 1: return body(std::integral_constant<int, 1>{});
    case 2: return body(std::integral_constant<int, 2>{});
    case 3: return body(std::integral_constant<int, 3>{});
    default: return body(std::integral_constant<int, kMostParts>{});
  }
}

}  // namespace

bool run_rows(const Norm& n, const AddTensors* sum, const Context& context) {
  const auto *x = context.at<const bf16>(sum ? sum->a : n.x), *added = sum ? context.at<const bf16>(sum->b) : nullptr;
  auto *out = sum ? context.at<bf16>(sum->out) : nullptr, *y = context.at<bf16>(n.y);
  const auto* weight = context.at<const float>(n.weight);
  if (!n.bias.null() || !fits(n.centered, n.dtype, n.rows, n.columns, {x, added, out, y, weight})) return false;
  with_parts(n.columns, [&](auto parts) {
    const auto launch = [&](auto adds) {
      LAUNCH(context.stream, grid_of(ceil_div(n.rows, kWarps)), kThreads, 0, (norm_rows_kernel<parts(), adds()>), n.rows, x,
             added, out, weight, y, context.at<float2>(n.statistics), n.epsilon);
    };
    sum ? launch(std::true_type{}) : launch(std::false_type{});
  });
  return true;
}

bool run_rows(const NormWeightGrad& n, const NormGrad* input, const Context& context) {
  const auto *dy = context.at<const bf16>(n.dy), *x = context.at<const bf16>(n.x);
  auto* dx = input ? context.at<bf16>(input->dx) : nullptr;
  const auto* weight = input ? context.at<const float>(input->weight) : nullptr;
  if (!n.bias.null() || !fits(n.centered, n.dtype, n.rows, n.columns, {dy, x, dx, weight})) return false;
  const int64_t splits = std::clamp<int64_t>(n.rows / (4 * kWarps), 1, kSplits), each = ceil_div(n.rows, splits);
  const int64_t blocks = ceil_div(n.rows, each);
  auto* sums = context.scratch.get<float>(static_cast<size_t>(blocks * n.columns), context.stream);
  const GradRows data{n.rows, each, dy, x, context.at<const float2>(n.statistics), weight, dx, sums};
  with_parts(n.columns, [&](auto parts) {
    const auto launch = [&](auto with_input, auto adds) {
      LAUNCH(context.stream, grid_of(blocks), kThreads, 0, (norm_rows_grad_kernel<parts(), with_input(), adds()>), data);
    };
    if (!input) launch(std::false_type{}, std::false_type{});
    else if (input->accumulate) launch(std::true_type{}, std::true_type{});
    else launch(std::true_type{}, std::false_type{});
  });
  LAUNCH(context.stream, grid_of(n.columns / kSumColumns), dim3(kSumColumns, kSumParts), 0, sum_blocks_kernel, blocks, n.columns,
         sums, context.at<float>(n.weight));
  return true;
}

}  // namespace schemoe::cuda
