// The gate forward: scores, choices, the auxiliary loss.
#include <cmath>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8;

/// One warp per row.
__global__ void __launch_bounds__(32 * kWarps) softmax_kernel(int64_t rows, int64_t columns, const float* x, float* y) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < rows; row += int64_t{gridDim.x} * kWarps) {
    const float* from = x + row * columns;
    float* to = y + row * columns;
    float most = -INFINITY;
    for (int64_t j = lane; j < columns; j += 32) most = fmaxf(most, from[j]);
#pragma unroll
    for (int step = 16; step > 0; step /= 2) most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, step));
    double sum = 0;
    for (int64_t j = lane; j < columns; j += 32) {
      const float value = expf(from[j] - most);
      to[j] = value;
      sum += value;
    }
    sum = warp_sum(sum);
    for (int64_t j = lane; j < columns; j += 32) to[j] = static_cast<float>(to[j] / sum);
  }
}

/// A number in order, NaN as the largest: below 2^32 - 1, above 0.
__device__ inline uint32_t ordered(float value) {
  if (isnan(value)) return 0xfffffffeu;
  const uint32_t bits = __float_as_uint(value + 0.0f);  // -0 is 0
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/// Where an expert comes in a token's choices: larger where it is chosen first, by its score, then its logit,
/// then its number. Those of experts are never {0, 0}.
struct Rank {
  uint64_t values;
  uint32_t first;

  __device__ static Rank of(float score, float logit, int expert) {
    return {uint64_t{ordered(score)} << 32 | ordered(logit), 0xffffffffu - static_cast<uint32_t>(expert)};
  }
  __device__ bool above(const Rank& other) const {
    return values > other.values || (values == other.values && first > other.first);
  }
  __device__ int expert() const { return static_cast<int>(0xffffffffu - first); }
};

/// One warp per token, scores and logits (or nullptr) [tokens, experts]: in each of k rounds the best of those
/// after the last one found, so each is read k times.
__global__ void __launch_bounds__(32 * kWarps)
    top_k_kernel(int64_t tokens, int experts, int k, bool normalize, const float* logits, const float* scores,
                 int32_t* choices, float* weights) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  for (int64_t token = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; token < tokens;
       token += int64_t{gridDim.x} * kWarps) {
    const float* from = scores + token * experts;
    const float* by = logits ? logits + token * experts : nullptr;
    Rank last{UINT64_MAX, UINT32_MAX};
    double sum = 0;
    for (int c = 0; c < k; ++c) {
      Rank best{0, 0};
      for (int e = lane; e < experts; e += 32) {
        const Rank candidate = Rank::of(from[e], by ? by[e] : 0.0f, e);
        if (last.above(candidate) && candidate.above(best)) best = candidate;
      }
#pragma unroll
      for (int step = 16; step > 0; step /= 2) {
        const Rank other{__shfl_xor_sync(kAllLanes, best.values, step), __shfl_xor_sync(kAllLanes, best.first, step)};
        if (other.above(best)) best = other;
      }
      last = best;
      // None is left where a Program changes scores meanwhile; any expert will do then, but it must exist.
      const int chosen = best.values == 0 ? 0 : best.expert();
      const float weight = from[chosen];
      sum += weight;
      if (lane == 0) {
        choices[token * k + c] = chosen;
        weights[token * k + c] = weight;
      }
    }
    __syncwarp();
    if (!normalize || k < 2) continue;
    for (int c = lane; c < k; c += 32) weights[token * k + c] = static_cast<float>(weights[token * k + c] / sum);
  }
}

constexpr int kExperts = 128;  // experts at a time
constexpr int kLossBlocks = 256;

/// Each block sums the scores and counts the first choices of a range of tokens.
__global__ void __launch_bounds__(32 * kWarps)
    loss_parts_kernel(int64_t tokens, int64_t experts, int64_t k, const float* scores, const int32_t* choices,
                      double* sums, double* firsts, Report report) {
  __shared__ double part[kWarps][kExperts];
  __shared__ int count[kExperts];
  const int64_t each = (tokens + gridDim.x - 1) / gridDim.x;
  const int64_t begin = blockIdx.x * each;
  const int64_t end = begin + each < tokens ? begin + each : tokens;
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  for (int64_t base = 0; base < experts; base += kExperts) {
    const auto here = static_cast<int>(experts - base < kExperts ? experts - base : kExperts);
    for (int e = static_cast<int>(threadIdx.x); e < kExperts; e += blockDim.x) count[e] = 0;
    __syncthreads();
    for (int e = lane; e < here; e += 32) {
      double sum = 0;
#pragma unroll 4
      for (int64_t token = begin + warp; token < end; token += kWarps) sum += scores[token * experts + base + e];
      part[warp][e] = sum;
    }
    for (int64_t token = begin + threadIdx.x; token < end; token += blockDim.x) {
      const int32_t choice = choices[token * k];
      if (report.checked(Data::choices, choice, experts) && choice >= base && choice < base + here) {
        atomicAdd(&count[choice - base], 1);
      }
    }
    __syncthreads();
    for (int e = static_cast<int>(threadIdx.x); e < here; e += blockDim.x) {
      double sum = 0;
      for (int w = 0; w < kWarps; ++w) sum += part[w][e];
      sums[blockIdx.x * experts + base + e] = sum;
      firsts[blockIdx.x * experts + base + e] = count[e];
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(32 * kWarps)
    loss_kernel(int blocks, int64_t tokens, int64_t experts, const double* sums, const double* firsts, float* loss) {
  // A warp has every eighth expert; its lanes share the blocks.
  __shared__ double products[kWarps];
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  double mine = 0;
  for (int64_t e = warp; e < experts; e += kWarps) {
    double sum = 0, first = 0;
    for (int b = lane; b < blocks; b += 32) {
      sum += sums[b * experts + e];
      first += firsts[b * experts + e];
    }
    mine += warp_sum(sum) * warp_sum(first);
  }
  if (lane == 0) products[warp] = mine;
  __syncthreads();
  if (threadIdx.x > 0) return;
  double total = 0;
  for (double product : products) total += product;
  const double count = tokens > 1 ? static_cast<double>(tokens) : 1.0;
  *loss = static_cast<float>(static_cast<double>(experts) * total / (count * count));
}

}  // namespace

void run(const Softmax& s, const Context& context) {
  if (s.rows == 0 || s.columns == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(s.rows, kWarps)), 32 * kWarps, 0, softmax_kernel, s.rows, s.columns,
         context.at<const float>(s.x), context.at<float>(s.y));
}

void run(const TopK& t, const Context& context) {
  if (t.tokens == 0 || t.k == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(t.tokens, kWarps)), 32 * kWarps, 0, top_k_kernel, t.tokens,
         static_cast<int>(t.experts), static_cast<int>(t.k), t.normalize, context.at<const float>(t.logits),
         context.at<const float>(t.scores), context.at<int32_t>(t.choices), context.at<float>(t.weights));
}

void run(const AuxLoss& a, const Context& context) {
  const auto blocks = static_cast<unsigned>(std::clamp<int64_t>(ceil_div(a.tokens, 64), 1, kLossBlocks));
  auto* sums = context.scratch.get<double>(static_cast<size_t>(2 * kLossBlocks * a.experts), context.stream);
  auto* firsts = sums + kLossBlocks * a.experts;
  LAUNCH(context.stream, blocks, 32 * kWarps, 0, loss_parts_kernel, a.tokens, a.experts, a.k,
         context.at<const float>(a.scores), context.at<const int32_t>(a.choices), sums, firsts, context.report());
  LAUNCH(context.stream, 1, 32 * kWarps, 0, loss_kernel, static_cast<int>(blocks), a.tokens, a.experts, sums, firsts,
         context.at<float>(a.loss));
}

}  // namespace schemoe::cuda
