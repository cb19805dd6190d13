// Choices of tokens in whole tiles of each expert.
#include "cuda/hopper/columns.h"
#include "cuda/kernels/gates/columns.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// A thread has a choice, and notes the expert among the token's own.
__global__ void __launch_bounds__(256) mark_kernel(RoundChoices c, const int32_t* best, int32_t* choices, Report report) {
  const int64_t step = int64_t{gridDim.x} * 256;
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < c.tokens * c.k; i += step) {
    const int32_t expert = best[i];
    if (expert == -1 || !report.checked(Data::choices, expert, c.experts)) continue;
    choices[i / c.k * c.experts + expert] = expert;
  }
}

constexpr int kSide = 32;  // of a tile

/// Keys of scores by expert, and a bit of each token: whether it chose the expert. A block has a tile of both.
__global__ void __launch_bounds__(kSide * 8)
    turn_kernel(int64_t tokens, int experts, int64_t words, const float* scores, const int32_t* choices, uint32_t* keys,
                uint32_t* chosen) {
  __shared__ uint32_t of_scores[kSide][kSide + 1];
  __shared__ bool own[kSide][kSide + 1];
  const auto x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int first = static_cast<int>(blockIdx.y) * kSide;
  for (int64_t base = int64_t{blockIdx.x} * kSide; base < tokens; base += int64_t{gridDim.x} * kSide) {
#pragma unroll
    for (int i = 0; i < kSide; i += 8) {
      const int64_t token = base + y + i;
      const int expert = first + x;
      const bool inside = token < tokens && expert < experts;
      const int64_t at = token * experts + expert;
      of_scores[y + i][x] = inside ? key_of(scores[at]) : 0;
      own[y + i][x] = inside && choices[at] == expert;
    }
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kSide; i += 8) {
      const int expert = first + y + i;
      const unsigned bits = __ballot_sync(kAllLanes, own[x][y + i]);
      if (expert >= experts) continue;
      if (base + x < tokens) keys[int64_t{expert} * tokens + base + x] = of_scores[x][y + i];
      if (x == 0) chosen[int64_t{expert} * words + base / kSide] = bits;
    }
    __syncthreads();
  }
}

/// A block has an expert: where too many chose it the first of them stay, otherwise the first of the others come.
__global__ void __launch_bounds__(kDigits)
    round_kernel(RoundChoices c, int64_t words, const uint32_t* all_keys, const uint32_t* all_chosen, const float* logits,
                 int32_t* choices) {
  __shared__ unsigned chosen;
  for (auto expert = static_cast<int32_t>(blockIdx.x); expert < c.experts; expert += static_cast<int32_t>(gridDim.x)) {
    const uint32_t *keys = all_keys + expert * c.tokens, *bits = all_chosen + expert * words;
    const auto at = [&](int64_t token) { return token * c.experts + expert; };
    if (threadIdx.x == 0) chosen = 0;
    __syncthreads();
    unsigned mine = 0;
    for (int64_t word = threadIdx.x; word < words; word += kDigits) mine += __popc(bits[word]);
    if (mine > 0) atomicAdd(&chosen, mine);
    __syncthreads();
    const int64_t count = chosen, rounded = in_tiles(count, c.tile, c.tokens);
    const bool fewer = rounded < count;
    const auto left = static_cast<uint32_t>(fewer ? rounded : rounded - count);
    // Of those who chose it, or of the others; the numbers of all threads of a block are the same.
    const auto concerned = [&](int64_t token) { return (bits[token / 32] >> (token % 32) & 1u) == (fewer ? 1u : 0u); };
    Found score{0, 0, 0}, logit{0, 0, 0}, last{0, 0, 0};
    bool tied = false;
    if (left > 0) {
      score = find_among(c.tokens, left, [&](int64_t token, uint32_t& value) {
        value = keys[token];
        return concerned(token);
      });
      tied = score.equal > score.left;
    }
    const auto equal = [&](int64_t token) { return concerned(token) && keys[token] == score.value; };
    if (tied) {
      logit = find_among(c.tokens, score.left, [&](int64_t token, uint32_t& value) {
        if (!equal(token)) return false;
        value = key_of(logits[at(token)]);
        return true;
      });
      last = find_among(c.tokens, logit.left, [&](int64_t token, uint32_t& value) {
        value = ~static_cast<uint32_t>(token);
        return equal(token) && key_of(logits[at(token)]) == logit.value;
      });
    }
    // What a token chose lies there already: only what changes is written.
#pragma unroll 4
    for (int64_t token = threadIdx.x; token < c.tokens; token += kDigits) {
      if (count == rounded || !concerned(token)) continue;
      const uint32_t key = keys[token];
      bool taken = left > 0 && key >= score.value;
      if (tied && key == score.value) {
        const uint32_t next = key_of(logits[at(token)]);
        taken = next > logit.value || (next == logit.value && ~static_cast<uint32_t>(token) >= last.value);
      }
      if (taken != fewer) choices[at(token)] = taken ? expert : -1;
    }
    __syncthreads();
  }
}

}  // namespace

void run(const RoundChoices& c, const Context& context) {
  const int64_t count = c.tokens * c.experts;
  if (count == 0 || run_on_hopper(c, context)) return;
  auto* choices = context.at<int32_t>(c.choices);
  CUDA_CHECK(cudaMemsetAsync(choices, 0xff, static_cast<size_t>(count) * 4, context.stream));
  if (c.k > 0) {
    LAUNCH(context.stream, grid_of(ceil_div(c.tokens * c.k, 256)), 256, 0, mark_kernel, c,
           context.at<const int32_t>(c.best), choices, context.report());
  }
  const auto* scores = context.at<const float>(c.scores);
  const auto experts = static_cast<int>(c.experts);
  const int64_t words = ceil_div(c.tokens, kSide);
  auto* keys = context.scratch.get<uint32_t>(static_cast<size_t>(count + c.experts * words), context.stream);
  uint32_t* chosen = keys + count;
  const dim3 grid(static_cast<unsigned>(std::min<int64_t>(words, 65536)), static_cast<unsigned>(ceil_div(c.experts, kSide)));
  LAUNCH(context.stream, grid, dim3(kSide, 8), 0, turn_kernel, c.tokens, experts, words, scores, choices, keys, chosen);
  LAUNCH(context.stream, grid_of(c.experts), kDigits, 0, round_kernel, c, words, keys, chosen,
         context.at<const float>(c.logits), choices);
}

}  // namespace schemoe::cuda
