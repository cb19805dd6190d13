// The gate forward: scores, choices, the auxiliary loss.
#include "cuda/kernels/gates/best.cuh"
#include "cuda/kernels/gates/scores.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// One warp per row.
template <int N, int V>
__global__ void __launch_bounds__(kThreads) softmax_kernel(int64_t rows, int columns, const float* x, float* y) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < rows; row += int64_t{gridDim.x} * kWarps) {
    Own<N, V> from, to;
    from.load(x + row * columns, columns, lane);
    to.place(y + row * columns);
    const float most = largest(columns, lane, from);
    double sum = 0;
    each(columns, lane, [&](int, float& logit, float& value) { sum += value = expf(logit - most); }, from, to);
    const double inverse = 1 / warp_sum(sum);
    each(columns, lane, [&](int, float& value) { value = static_cast<float>(value * inverse); }, to);
    to.store(y + row * columns, columns, lane);
  }
}

/// One warp per token, scores and logits (or nullptr) [tokens, experts]: NaN, then the largest score, then the largest
/// logit, then the lowest expert first. Of up to 32 choices each lane has one; others are found one by one.
template <int N, int V>
__global__ void __launch_bounds__(kThreads)
    top_k_kernel(int64_t tokens, int experts, int k, bool normalize, const float* logits, const float* scores,
                 int32_t* choices, float* weights, uint32_t* scratch) {
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  auto* slots = reinterpret_cast<Candidate*>(shared_memory()) + warp * kSlots;
  for (int64_t token = int64_t{blockIdx.x} * kWarps + warp; token < tokens; token += int64_t{gridDim.x} * kWarps) {
    const float* from = scores + token * experts;
    const SecondOf second{logits ? logits + token * experts : nullptr};
    int32_t* choice = choices + token * k;
    float* weight = weights + token * k;
    Own<N, V> s;
    Own<N, V, uint32_t> keys;
    s.load(from, experts, lane);
    keys.place(scratch + (int64_t{blockIdx.x} * kWarps + warp) * experts);
    each(experts, lane, [](int, uint32_t& key, float& score) { key = key_of(score); }, keys, s);
    const int total = k <= 32 ? gather(experts, lane, k, slots, keys, s, second) : -1;
    double sum = 0;  // in the order of choices, as on the CPU
    if (total >= k) {
      const Candidate mine = ranked(slots, total, k, lane);
      for (int c = 0; c < k; ++c) sum += __shfl_sync(kAllLanes, mine.score, c);
      if (lane >= k) continue;
      choice[lane] = mine.number;
      weight[lane] = normalize && k > 1 ? static_cast<float>(mine.score / sum) : mine.score;
      continue;
    }
    for (int c = 0; c < k; ++c) {
      const int e = take_first(experts, lane, keys, second);
      const float score = from[e];
      sum += score;
      if (lane > 0) continue;
      choice[c] = e;
      weight[c] = score;
    }
    __syncwarp();
    if (!normalize || k < 2) continue;
    for (int c = lane; c < k; c += 32) weight[c] = static_cast<float>(weight[c] / sum);
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
  with_row(s.columns, {x, y}, [&](auto n, auto v) {
    LAUNCH(context.stream, row_blocks(s.rows, s.columns), kThreads, 0, (softmax_kernel<n(), v()>), s.rows,
           static_cast<int>(s.columns), x, y);
  });
}

void run(const TopK& t, const Context& context) {
  if (t.tokens == 0 || t.k == 0) return;
  const auto* scores = context.at<const float>(t.scores);
  const unsigned grid = row_blocks(t.tokens, t.experts);
  with_row(t.experts, {scores}, [&](auto n, auto v) {
    uint32_t* scratch = nullptr;
    if (n() == 0) scratch = context.scratch.get<uint32_t>(static_cast<size_t>(grid * kWarps * t.experts), context.stream);
    LAUNCH(context.stream, grid, kThreads, kWarps * kSlots * sizeof(Candidate), (top_k_kernel<n(), v()>), t.tokens,
           static_cast<int>(t.experts), static_cast<int>(t.k), t.normalize, context.at<const float>(t.logits), scores, context.at<int32_t>(t.choices),
           context.at<float>(t.weights), scratch);
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
