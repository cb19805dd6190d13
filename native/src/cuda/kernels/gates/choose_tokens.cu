// Each expert's tokens of largest score.
#include "cuda/hopper/columns.h"
#include "cuda/kernels/gates/columns.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// Of an element [token, expert].
struct Keys {
  const float* values;
  int64_t experts;
  template <int V>
  __device__ void load(Own<V, V>& to, int64_t token, int expert) const {
    to.load(values + token * experts + expert, V, 0);
  }
  __device__ uint32_t of(float value, int64_t) const { return key_of(value); }
  __device__ uint32_t operator()(int64_t token, int expert) const { return key_of(values[token * experts + expert]); }
};

/// Writes choices [token, expert]: those of scores above the others are certain.
struct Certain {
  int32_t* choices;
  int64_t experts;
  template <int V>
  __device__ void operator()(int64_t token, int expert, const bool (&above)[V]) const {
    Own<V, V, int32_t> choice;
#pragma unroll
    for (int j = 0; j < V; ++j) choice.values[j] = above[j] ? expert + j : -1;
    choice.store(choices + token * experts + expert, V, 0);
  }
};

/// Of what is left of an expert's tokens: the largest scores, of equal ones the largest logits, then the first tokens.
__global__ void __launch_bounds__(kDigits) choose_kernel(Search s, Keys scores, Keys logits, int32_t* choices) {
  for (int expert = static_cast<int>(blockIdx.x); expert < s.columns; expert += static_cast<int>(gridDim.x)) {
    const Rest rest = rest_of(s, expert);
    const Element* list = s.list + int64_t{expert} * s.room;
    const auto element = [&](int64_t i) {
      return rest.whole ? Element{scores(i, expert), static_cast<uint32_t>(i)} : list[i];
    };
    const Found score = find_among(rest.count, rest.left, [&](int64_t i, uint32_t& value) {
      value = element(i).key;
      return true;
    });
    Found logit{0, 0, 0};
    uint32_t token = 0;
    const bool tied = score.equal > score.left;
    if (tied) {
      logit = find_among(rest.count, score.left, [&](int64_t i, uint32_t& value) {
        const Element e = element(i);
        if (e.key != score.value) return false;
        value = logits(e.row, expert);
        return true;
      });
      const Found last = find_among(rest.count, logit.left, [&](int64_t i, uint32_t& value) {
        const Element e = element(i);
        value = ~e.row;
        return e.key == score.value && logits(e.row, expert) == logit.value;
      });
      token = ~last.value;
    }
    for (int64_t i = threadIdx.x; i < rest.count; i += kDigits) {
      const Element e = element(i);
      bool taken = e.key >= score.value;
      if (tied && e.key == score.value) {
        const uint32_t key = logits(e.row, expert);
        taken = key > logit.value || (key == logit.value && e.row <= token);
      }
      if (rest.whole || taken) choices[int64_t{e.row} * s.columns + expert] = taken ? expert : -1;
    }
    __syncthreads();
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
  if (run_on_hopper(c, context)) return;
  const Keys scores{context.at<const float>(c.scores), c.experts}, logits{context.at<const float>(c.logits), c.experts};
  const size_t bytes = bytes_of_search(c.tokens, c.experts, nullptr, nullptr, c.count);
  Search s;
  bytes_of_search(c.tokens, c.experts, &s, context.scratch.get<std::byte>(bytes, context.stream), c.count);
  const bool wide = c.experts % 4 == 0 && aligned(scores.values) && aligned(choices);
  sweep(s, scores, Certain{choices, c.experts}, wide, context);
  LAUNCH(context.stream, grid_of(c.experts), kDigits, 0, choose_kernel, s, scores, logits, choices);
}

}  // namespace schemoe::cuda
