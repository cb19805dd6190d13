// Choices of tokens in whole tiles of each expert.
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

/// A block has an expert: where too many chose it the first of them stay, otherwise the first of the others come.
__global__ void __launch_bounds__(kDigits) round_kernel(RoundChoices c, const float* scores, const float* logits, int32_t* choices) {
  __shared__ unsigned chosen;
  for (auto expert = static_cast<int32_t>(blockIdx.x); expert < c.experts; expert += static_cast<int32_t>(gridDim.x)) {
    const auto at = [&](int64_t token) { return token * c.experts + expert; };
    if (threadIdx.x == 0) chosen = 0;
    __syncthreads();
    unsigned mine = 0;
    for (int64_t token = threadIdx.x; token < c.tokens; token += kDigits) mine += choices[at(token)] == expert;
    if (mine > 0) atomicAdd(&chosen, mine);
    __syncthreads();
    const int64_t count = chosen, rounded = in_tiles(count, c.tile, c.tokens);
    const bool fewer = rounded < count;
    const auto left = static_cast<uint32_t>(fewer ? rounded : rounded - count);
    // Of those who chose it, or of the others; the numbers of all threads of a block are the same.
    const auto concerned = [&](int64_t token) { return (choices[at(token)] == expert) == fewer; };
    Found score{0, 0, 0}, logit{0, 0, 0}, last{0, 0, 0};
    bool tied = false;
    if (left > 0) {
      score = find_among(c.tokens, left, [&](int64_t token, uint32_t& value) {
        value = key_of(scores[at(token)]);
        return concerned(token);
      });
      tied = score.equal > score.left;
    }
    const auto equal = [&](int64_t token) { return concerned(token) && key_of(scores[at(token)]) == score.value; };
    if (tied) {
      logit = find_among(c.tokens, score.left, [&](int64_t token, uint32_t& value) {
        value = key_of(logits[at(token)]);
        return equal(token);
      });
      last = find_among(c.tokens, logit.left, [&](int64_t token, uint32_t& value) {
        value = ~static_cast<uint32_t>(token);
        return equal(token) && key_of(logits[at(token)]) == logit.value;
      });
    }
    for (int64_t token = threadIdx.x; token < c.tokens && count != rounded; token += kDigits) {
      if (!concerned(token)) continue;
      const uint32_t key = key_of(scores[at(token)]);
      bool taken = left > 0 && key >= score.value;
      if (tied && key == score.value) {
        const uint32_t next = key_of(logits[at(token)]);
        taken = next > logit.value || (next == logit.value && ~static_cast<uint32_t>(token) >= last.value);
      }
      choices[at(token)] = taken ? expert : -1;
    }
    __syncthreads();
  }
}

}  // namespace

void run(const RoundChoices& c, const Context& context) {
  const int64_t count = c.tokens * c.experts;
  if (count == 0) return;
  auto* choices = context.at<int32_t>(c.choices);
  CUDA_CHECK(cudaMemsetAsync(choices, 0xff, static_cast<size_t>(count) * 4, context.stream));
  if (c.k > 0) {
    LAUNCH(context.stream, grid_of(ceil_div(c.tokens * c.k, 256)), 256, 0, mark_kernel, c,
           context.at<const int32_t>(c.best), choices, context.report());
  }
  LAUNCH(context.stream, grid_of(c.experts), kDigits, 0, round_kernel, c, context.at<const float>(c.scores),
         context.at<const float>(c.logits), choices);
}

}  // namespace schemoe::cuda
