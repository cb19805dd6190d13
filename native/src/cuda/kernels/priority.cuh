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
  constexpr int kAhead = 4;  // rows whose loads are under way
  // All lanes of a warp take part in the reductions.
  for (int64_t base = first; base - first < s.tokens; base += kAhead * step) {
    float most[kAhead];
#pragma unroll
    for (float& m : most) m = -INFINITY;
#pragma unroll 2
    for (int e = lane * V; e < s.experts; e += lanes * V) {
      Vector scores[kAhead];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        // A token that is not there has the last one's scores, of which nothing becomes.
        const int64_t token = min(base + u * step, s.tokens - 1);
        scores[u] = *reinterpret_cast<const Vector*>(p.scores + token * s.experts + e);
      }
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
#pragma unroll
        for (float score : scores[u].values) most[u] = fmaxf(most[u], isnan(score) ? INFINITY : score);
      }
    }
    for (int by = lanes / 2; by > 0; by /= 2) {
#pragma unroll
      for (float& m : most) m = fmaxf(m, __shfl_xor_sync(kAllLanes, m, by));
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (lane == 0 && base + u * step < s.tokens) p.best[base + u * step] = gates::key_of(most[u]);
    }
  }
}

/// Gives the places that those of one choice and expert have together to each by its key.
void order_by_priority(const Sequence& s, const Priority& p, int32_t* positions, const Context& context);

}  // namespace schemoe::cuda::places
