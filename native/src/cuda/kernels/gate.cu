// The gate forward: scores, and the auxiliary loss.
#include "cuda/kernels/gates/scores.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// G lanes per row.
template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads) softmax_kernel(int64_t rows, int columns, const float* x, float* y) {
  const auto lane = static_cast<int>(threadIdx.x % G);
  for (RowOf<G> row(rows); row.any(); row.next()) {
    Own<N, V, float, G> from, to;
    from.load(x + row.index * columns, columns, lane);
    to.place(y + row.index * columns);
    const float most = largest(columns, lane, from);
    double sum = 0;
    each(columns, lane, [&](int, float& logit, float& value) { sum += value = expf(logit - most); }, from, to);
    const double inverse = 1 / group_sum<G>(sum);
    each(columns, lane, [&](int, float& value) { value = static_cast<float>(value * inverse); }, to);
    if (row.has) to.store(y + row.index * columns, columns, lane);
  }
}

constexpr int kExperts = 128;  // experts at a time
constexpr int kLossBlocks = 256;
constexpr int kLossWarps = 8;

/// Each block sums the scores and counts the first choices of a range of tokens.
__global__ void __launch_bounds__(32 * kLossWarps)
    loss_parts_kernel(int64_t tokens, int64_t experts, int64_t k, const float* scores, const int32_t* choices,
                      double* sums, double* firsts, Report report) {
  __shared__ double part[kLossWarps][kExperts];
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
      for (int64_t token = begin + warp; token < end; token += kLossWarps) sum += scores[token * experts + base + e];
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
      for (int w = 0; w < kLossWarps; ++w) sum += part[w][e];
      sums[blockIdx.x * experts + base + e] = sum;
      firsts[blockIdx.x * experts + base + e] = count[e];
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(32 * kLossWarps)
    loss_kernel(int blocks, int64_t tokens, int64_t experts, const double* sums, const double* firsts, float* loss) {
  // A warp has every eighth expert; its lanes share the blocks.
  __shared__ double products[kLossWarps];
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  double mine = 0;
  for (int64_t e = warp; e < experts; e += kLossWarps) {
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
  const auto* x = context.at<const float>(s.x);
  auto* y = context.at<float>(s.y);
  with_row(s.columns, {x, y}, [&](auto n, auto v, auto g) {
    LAUNCH(context.stream, row_blocks(s.rows, s.columns, g()), kThreads, 0, (softmax_kernel<n(), v(), g()>), s.rows,
           static_cast<int>(s.columns), x, y);
  });
}

void run(const AuxLoss& a, const Context& context) {
  const auto blocks = static_cast<unsigned>(std::clamp<int64_t>(ceil_div(a.tokens, 64), 1, kLossBlocks));
  auto* sums = context.scratch.get<double>(static_cast<size_t>(2 * kLossBlocks * a.experts), context.stream);
  auto* firsts = sums + kLossBlocks * a.experts;
  LAUNCH(context.stream, blocks, 32 * kLossWarps, 0, loss_parts_kernel, a.tokens, a.experts, a.k,
         context.at<const float>(a.scores), context.at<const int32_t>(a.choices), sums, firsts, context.report());
  LAUNCH(context.stream, 1, 32 * kLossWarps, 0, loss_kernel, static_cast<int>(blocks), a.tokens, a.experts, sums, firsts,
         context.at<float>(a.loss));
}

}  // namespace schemoe::cuda
