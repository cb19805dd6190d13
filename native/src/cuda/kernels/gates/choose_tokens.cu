// Each expert's tokens of largest score.
#include "cuda/kernels/gates/columns.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// Of an element [token, expert].
struct Keys {
  const float* values;
  int64_t experts;
  __device__ uint32_t operator()(int64_t token, int expert) const { return key_of(values[token * experts + expert]); }
};

/// The last that an expert takes, by score, then logit, then token; all that equal it where `second` is 0.
struct Limit {
  uint32_t key, second, token;
  __device__ bool takes(uint32_t score, int64_t at, int expert, const Keys& logits) const {
    if (score != key || second == 0) return score >= key;
    const uint32_t logit = logits(at, expert);
    return logit > second || (logit == second && at <= token);
  }
};

/// The left-th largest logit among the tokens of one score, and how many tokens of it are taken: a block has an
/// expert and reads its column, which few need to.
__device__ Found find_logit(const Search& s, int expert, const Found& score, const Keys& scores, const Keys& logits) {
  __shared__ uint32_t counts[kDigits];
  __shared__ Found found;
  uint32_t prefix = 0, left = score.left;
  for (int shift = 24; shift >= 0; shift -= 8) {
    counts[threadIdx.x] = 0;
    __syncthreads();
    for (int64_t token = threadIdx.x; token < s.rows; token += kDigits) {
      if (scores(token, expert) != score.prefix) continue;
      const uint32_t key = logits(token, expert);
      if (shift == 24 || (key ^ prefix) >> (shift + 8) == 0) atomicAdd(&counts[key >> shift & 0xffu], 1u);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      uint32_t above = 0;
      int digit = kDigits - 1;
      while (digit > 0 && above + counts[digit] < left) above += counts[digit--];
      found = {prefix | static_cast<uint32_t>(digit) << shift, left - above};
    }
    __syncthreads();
    prefix = found.prefix, left = found.left;
    __syncthreads();
  }
  return {prefix, left};
}

/// The token that is the left-th of those with that score and logit.
__device__ uint32_t find_token(const Search& s, int expert, uint32_t score, const Found& logit, const Keys& scores,
                               const Keys& logits) {
  __shared__ uint32_t sums[kDigits / 32];
  __shared__ uint32_t token_of;
  if (threadIdx.x == 0) token_of = 0xffffffffu;
  uint32_t before = 0;
  for (int64_t first = 0; first < s.rows && before < logit.left; first += kDigits) {
    const int64_t token = first + threadIdx.x;
    const bool same = token < s.rows && scores(token, expert) == score && logits(token, expert) == logit.prefix;
    const unsigned votes = __ballot_sync(kAllLanes, same);
    const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    __syncthreads();
    if (lane == 0) sums[warp] = static_cast<uint32_t>(__popc(votes));
    __syncthreads();
    uint32_t place = before + static_cast<uint32_t>(__popc(votes & ((1u << lane) - 1)));
    for (unsigned w = 0; w < kDigits / 32; ++w) {
      if (w < warp) place += sums[w];
      before += sums[w];
    }
    if (same && place + 1 == logit.left) token_of = static_cast<uint32_t>(token);
  }
  __syncthreads();
  return token_of;
}

__global__ void __launch_bounds__(kDigits) limits_kernel(Search s, Keys scores, Keys logits, Limit* limits) {
  for (int expert = static_cast<int>(blockIdx.x); expert < s.columns; expert += static_cast<int>(gridDim.x)) {
    const Found score = next_digit(s, kPasses - 1, expert, static_cast<int>(threadIdx.x % 32));
    const uint32_t equal = s.counts[(int64_t{kPasses - 1} * s.columns + expert) * kDigits + (score.prefix & 0xffu)];
    Limit limit{score.prefix, 0, 0};
    if (equal > score.left) {
      const Found logit = find_logit(s, expert, score, scores, logits);
      limit.second = logit.prefix;
      limit.token = find_token(s, expert, score.prefix, logit, scores, logits);
    }
    if (threadIdx.x == 0) limits[expert] = limit;
    __syncthreads();
  }
}

/// V experts of a token at a time.
template <int V>
__global__ void __launch_bounds__(256)
    take_kernel(uint32_t count, uint32_t experts, Keys scores, Keys logits, const Limit* limits, int32_t* choices) {
  const uint32_t step = gridDim.x * blockDim.x;
  for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count / V; i += step) {
    const uint32_t at = i * V, token = at / experts;
    const auto expert = static_cast<int>(at - token * experts);
    Own<V, V> score;
    Own<V, V, int32_t> choice;
    score.load(scores.values + at, V, 0);
#pragma unroll
    for (int j = 0; j < V; ++j) {
      const bool taken = limits[expert + j].takes(key_of(score.values[j]), token, expert + j, logits);
      choice.values[j] = taken ? expert + j : -1;
    }
    choice.store(choices + at, V, 0);
  }
}

}  // namespace

void run(const ChooseTokens& c, const Context& context) {
  const int64_t count = c.tokens * c.experts;
  if (count == 0) return;
  auto* choices = context.at<int32_t>(c.choices);
  if (c.count == 0) {
    CUDA_CHECK(cudaMemsetAsync(choices, 0xff, static_cast<size_t>(count) * 4, context.stream));
    return;
  }
  // The limits lie where the counts of the first pass are no longer needed.
  static_assert(sizeof(Limit) <= kDigits * sizeof(uint32_t));
  const Search s = search_of(c.tokens, c.experts, c.count, context);
  const Keys scores{context.at<const float>(c.scores), c.experts}, logits{context.at<const float>(c.logits), c.experts};
  search(s, scores, context);
  auto* limits = reinterpret_cast<Limit*>(s.counts);
  LAUNCH(context.stream, grid_of(c.experts), kDigits, 0, limits_kernel, s, scores, logits, limits);
  const auto take = [&](auto v) {
    LAUNCH(context.stream, grid_of(ceil_div(count, 1024)), 256, 0, take_kernel<v()>, static_cast<uint32_t>(count),
           static_cast<uint32_t>(c.experts), scores, logits, limits, choices);
  };
  if (c.experts % 4 == 0 && aligned(scores.values) && aligned(choices)) take(Int<4>{});
  else take(Int<1>{});
}

}  // namespace schemoe::cuda
