// Tokens of larger best scores take the places of their experts first.
#pragma once

#include "cuda/kernels/gates/rows.cuh"
#include "cuda/kernels/sequence.cuh"

namespace schemoe::cuda::places {

/// What places are given by, in scratch memory. Choices of one expert lie side by side in `list`, in the order of the
/// sequence; those of one choice of all tokens are then ordered among themselves.
struct Priority {
  const float* scores;
  uint32_t* best;      // [tokens]: keys of best scores
  uint64_t* list;      // [tokens * k]: what is smaller goes first, and its lower half is the token
  int32_t* starts;     // [k + 1, experts]: how many choices before
  int32_t* bases;      // [experts]: where an expert's choices begin in the list
};

/// A token's key for the list.
__device__ inline uint64_t entry_of(uint32_t best, unsigned token) { return uint64_t{~best} << 32 | token; }

/// Keys of the best scores of tokens; NaN, which compares with nothing, counts as the best. `lanes` of a warp share a
/// row, V scores at a time; a block of as many as `blocks`.
template <int V>
__device__ void best_scores(const Sequence& s, const Priority& p, int lanes, int block, int blocks) {
  using Vector = typename gates::Own<V, V>::Vector;
  const auto lane = static_cast<int>(threadIdx.x) % lanes;
  const int64_t step = int64_t{blocks} * blockDim.x / lanes;
  const int64_t first = (int64_t{block} * blockDim.x + threadIdx.x) / lanes;
  // All lanes of a warp take part in the reductions.
  for (int64_t base = 0; base < s.tokens; base += step) {
    const int64_t token = base + first;
    float most = -INFINITY;
    if (token < s.tokens) {
      const float* row = p.scores + token * s.experts;
#pragma unroll 4
      for (int e = lane * V; e < s.experts; e += lanes * V) {
        const Vector scores = *reinterpret_cast<const Vector*>(row + e);
#pragma unroll
        for (int j = 0; j < V; ++j) most = fmaxf(most, isnan(scores.values[j]) ? INFINITY : scores.values[j]);
      }
    }
    for (int by = lanes / 2; by > 0; by /= 2) most = fmaxf(most, __shfl_xor_sync(kAllLanes, most, by));
    if (lane == 0 && token < s.tokens) p.best[token] = gates::key_of(most);
  }
}

/// Gives the places that those of one choice and expert have together to each by its key.
void order_by_priority(const Sequence& s, const Priority& p, int32_t* positions, const Context& context);

}  // namespace schemoe::cuda::places
