// The largest scores of each token, and weights of them.
#include "cuda/kernels/gates/few.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// Writes choices that lanes have, and their scores or shares of the sum of these.
template <int G, class Chosen>
__device__ void weigh_choices(int lane, int k, bool shares, bool has, const Chosen& chosen, const float* scores,
                              int32_t* choices, float* weights) {
  float mine[Chosen::kEach];
  double sum = 0;  // of a few numbers, which it holds without rounding unless one is nothing beside another
#pragma unroll
  for (int i = 0; i < Chosen::kEach; ++i) {
    mine[i] = Chosen::place(i, lane) < k ? scores[chosen.numbers[i]] : 0.0f;
    sum += mine[i];
  }
  if (shares) sum = group_sum<G>(sum);
#pragma unroll
  for (int i = 0; i < Chosen::kEach; ++i) {
    const int c = Chosen::place(i, lane);
    if (c >= k || !has) continue;
    choices[c] = chosen.numbers[i];
    weights[c] = shares ? static_cast<float>(mine[i] / sum) : mine[i];
  }
}

/// G lanes per token, scores and logits (or nullptr) [tokens, experts]: NaN, then the largest score, then the largest
/// logit, then the lowest expert first. More choices than kMostFirst are found one by one.
template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    top_k_kernel(int64_t tokens, int experts, int k, bool normalize, const float* logits, const float* scores,
                 int32_t* choices, float* weights, uint32_t* scratch) {
  constexpr bool kFew = kByFours<N, V, G>;
  __shared__ Slots slots[kFew ? 1 : kWarps];
  const auto lane = static_cast<int>(threadIdx.x % G), warp = static_cast<int>(threadIdx.x / 32);
  uint32_t* held = kFew ? reinterpret_cast<uint32_t*>(shared_memory()) + threadIdx.x / G * row_words(experts, G) : nullptr;
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
    if (kFew || k <= kMostFirst) {
      const auto firsts = first_of(experts, lane, k, slots[kFew ? 0 : warp], held, row_words(experts, G), keys, second);
      weigh_choices<G>(lane, k, normalize && k > 1, row.has, firsts, from, choice, weight);
      continue;
    }
    if constexpr (!kFew) {
      double sum = 0;  // in the order of choices, as on the CPU
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
}

}  // namespace

void run(const TopK& t, const Context& context) {
  if (t.tokens == 0 || t.k == 0) return;
  const auto* scores = context.at<const float>(t.scores);
  with_chosen<32>(t.experts, t.k, {scores}, [&](auto n, auto v, auto g) {
    const int words = kByFours<n(), v(), g()> ? kThreads / g() * row_words(static_cast<int>(t.experts), g()) : 0;
    const unsigned grid = row_blocks(t.tokens, t.experts, g());
    uint32_t* scratch = nullptr;
    if (n() == 0) scratch = context.scratch.get<uint32_t>(static_cast<size_t>(grid * kWarps * t.experts), context.stream);
    LAUNCH(context.stream, grid, kThreads, words * sizeof(uint32_t), (top_k_kernel<n(), v(), g()>), t.tokens, static_cast<int>(t.experts),
           static_cast<int>(t.k), t.normalize, context.at<const float>(t.logits), scores, context.at<int32_t>(t.choices),
           context.at<float>(t.weights), scratch);
  });
}

}  // namespace schemoe::cuda
