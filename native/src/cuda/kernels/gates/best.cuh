// The first few of a row: larger keys, then larger second keys, then lower numbers first.
#pragma once

#include "cuda/kernels/gates/rows.cuh"

namespace schemoe::cuda::gates {

/// One of a row, and what is known of it.
struct alignas(16) Candidate {
  uint32_t key, second;
  float score;
  int32_t number;
};

__device__ inline bool before(const Candidate& a, const Candidate& b) {
  if (a.key != b.key) return a.key > b.key;
  if (a.second != b.second) return a.second > b.second;
  return a.number < b.number;
}

/// Candidates of a warp that are compared with one another.
inline constexpr int kSlots = 64;

/// A number that at least k of 32 are not below, one a lane: the k-th largest, by a bitonic sort, or for a few the k-th
/// largest of those that differ.
__device__ inline uint32_t bound_of_lanes(uint32_t mine, int k, int lane) {
  if (k <= 8) {
    uint32_t most = 0;
    for (int i = 0; i < k; ++i) {
      most = __reduce_max_sync(kAllLanes, mine);
      if (mine == most) mine = 0;
    }
    return most;
  }
#pragma unroll
  for (int size = 2; size <= 32; size *= 2) {
#pragma unroll
    for (int step = size / 2; step > 0; step /= 2) {
      const uint32_t other = __shfl_xor_sync(kAllLanes, mine, step);
      const bool larger = ((lane & step) == 0) == ((lane & size) == 0);
      mine = larger ? max(mine, other) : min(mine, other);
    }
  }
  return __shfl_sync(kAllLanes, mine, k - 1);
}

/// For elements that their keys alone order: equal ones have equal second keys.
struct NoSecond {
  __device__ uint32_t operator()(int) const { return 0; }
};

/// Second keys from a row in memory, if there is one; of few elements they are looked up.
struct SecondOf {
  const float* row;
  __device__ uint32_t operator()(int e) const { return row ? key_of(row[e]) : 0; }
};

/// Puts all that may be among the `count` <= 32 first of a row into `slots`; returns how many, or -1 if they do not
/// fit. The count-th largest of the lanes' maxima is a bound: that many elements are not below it.
template <int N, int V, class Second>
__device__ int gather(int rows, int lane, int count, Candidate* slots, Own<N, V, uint32_t>& keys, Own<N, V>& scores,
                      Second second) {
  uint32_t most = 0;
  each(rows, lane, [&](int, uint32_t& key) { most = max(most, key); }, keys);
  const uint32_t least = max(bound_of_lanes(most, count, lane), 1u);
  int mine = 0;
  each(rows, lane, [&](int, uint32_t& key) { mine += key >= least; }, keys);
  int until = mine;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(kAllLanes, until, step);
    if (lane >= step) until += other;
  }
  const int total = __shfl_sync(kAllLanes, until, 31);
  if (total > kSlots) return -1;
  int at = until - mine;
  __syncwarp();  // the slots of the row before may still be read
  each(rows, lane, [&](int e, uint32_t& key, float& score) {
    if (key >= least) slots[at++] = {key, second(e), score, e};
  }, keys, scores);
  __syncwarp();
  return total;
}

/// Lane i gets the i-th of `total` candidates, of which there are at least `count`; i < count <= 32.
__device__ inline Candidate ranked(Candidate* slots, int total, int count, int lane) {
  const Candidate none{0, 0, 0, INT32_MAX};
  const Candidate a = lane < total ? slots[lane] : none, b = lane + 32 < total ? slots[lane + 32] : none;
  int of_a = 0, of_b = 0;
  for (int i = 0; i < total; ++i) {
    const Candidate other = slots[i];
    of_a += before(other, a);
    if (total > 32) of_b += before(other, b);
  }
  __syncwarp();
  if (lane < total && of_a < count) slots[of_a] = a;
  if (lane + 32 < total && of_b < count) slots[of_b] = b;
  __syncwarp();
  return lane < count ? slots[lane] : none;
}

/// The number of the first of what is left of a row, which is taken from it. Its cost is that of going through the row.
template <int N, int V, class Second>
__device__ int take_first(int rows, int lane, Own<N, V, uint32_t>& keys, Second second) {
  uint32_t most = 0, next = 0, first = INT32_MAX;
  each(rows, lane, [&](int, uint32_t& key) { most = max(most, key); }, keys);
  most = __reduce_max_sync(kAllLanes, most);
  if (most == 0) return 0;
  each(rows, lane, [&](int e, uint32_t& key) {
    if (key == most) next = max(next, second(e));
  }, keys);
  next = __reduce_max_sync(kAllLanes, next);
  each(rows, lane, [&](int e, uint32_t& key) {
    if (key == most && second(e) == next) first = min(first, static_cast<uint32_t>(e));
  }, keys);
  first = __reduce_min_sync(kAllLanes, first);
  // A Program that writes the row meanwhile may leave none; any will do then, but it must exist.
  if (first >= static_cast<uint32_t>(rows)) first = 0;
  each(rows, lane, [&](int e, uint32_t& key) {
    if (static_cast<uint32_t>(e) == first) key = 0;
  }, keys);
  return static_cast<int>(first);
}

}  // namespace schemoe::cuda::gates
