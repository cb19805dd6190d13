// The largest scores of each token, and weights of them.
#include "cuda/kernels/gates/best.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// G lanes per token, scores and logits (or nullptr) [tokens, experts]: NaN, then the largest score, then the largest
/// logit, then the lowest expert first. More choices than kMostFirst are found one by one.
template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    top_k_kernel(int64_t tokens, int experts, int k, bool normalize, const float* logits, const float* scores,
                 int32_t* choices, float* weights, uint32_t* scratch) {
  __shared__ Slots slots[kWarps];
  const auto lane = static_cast<int>(threadIdx.x % G), warp = static_cast<int>(threadIdx.x / 32);
  for (RowOf<G> row(tokens); row.any(); row.next()) {
    const float* from = scores + row.index * experts;
    const SecondOf second{logits ? logits + row.index * experts : nullptr};
    int32_t* choice = choices + row.index * k;
    float* weight = weights + row.index * k;
    Own<N, V, float, G> s;
    Own<N, V, uint32_t, G> keys;
    s.load(from, experts, lane);
    keys.place(scratch + (int64_t{blockIdx.x} * kWarps + warp) * experts);
    set_keys(experts, lane, keys, [](int, float score) { return key_of(score); }, s);
    double sum = 0;  // in the order of choices, as on the CPU
    if (k <= kMostFirst) {
      const Firsts<G> firsts = find_first(experts, lane, k, slots[warp], keys, second);
      float mine[Firsts<G>::kEach];
#pragma unroll
      for (int i = 0; i < Firsts<G>::kEach; ++i) mine[i] = i * G + lane < k ? from[firsts.numbers[i]] : 0.0f;
      if (normalize && k > 1) {
#pragma unroll
        for (int i = 0; i < Firsts<G>::kEach; ++i) {
          for (int j = 0; j < G && i * G + j < k; ++j) sum += __shfl_sync(kAllLanes, mine[i], j, G);
        }
      }
#pragma unroll
      for (int i = 0; i < Firsts<G>::kEach; ++i) {
        const int c = i * G + lane;
        if (c >= k || !row.has) continue;
        choice[c] = firsts.numbers[i];
        weight[c] = normalize && k > 1 ? static_cast<float>(mine[i] / sum) : mine[i];
      }
      continue;
    }
    for (int c = 0; c < k; ++c) {
      const int e = take_first(experts, lane, keys, second);
      const float score = from[e];
      sum += score;
      if (lane > 0 || !row.has) continue;
      choice[c] = e;
      weight[c] = score;
    }
    __syncwarp();
    if (!normalize || k < 2 || !row.has) continue;
    for (int c = lane; c < k; c += G) weight[c] = static_cast<float>(weight[c] / sum);
  }
}

}  // namespace

void run(const TopK& t, const Context& context) {
  if (t.tokens == 0 || t.k == 0) return;
  const auto* scores = context.at<const float>(t.scores);
  with_row(t.experts, {scores}, [&](auto n, auto v, auto g) {
    const unsigned grid = row_blocks(t.tokens, t.experts, g());
    uint32_t* scratch = nullptr;
    if (n() == 0) scratch = context.scratch.get<uint32_t>(static_cast<size_t>(grid * kWarps * t.experts), context.stream);
    LAUNCH(context.stream, grid, kThreads, 0, (top_k_kernel<n(), v(), g()>), t.tokens, static_cast<int>(t.experts),
           static_cast<int>(t.k), t.normalize, context.at<const float>(t.logits), scores, context.at<int32_t>(t.choices),
           context.at<float>(t.weights), scratch);
  });
}

}  // namespace schemoe::cuda
