// The first few of a row: larger keys, then larger second keys, then lower numbers first.
#pragma once

#include "cuda/kernels/gates/merged.cuh"
#include "cuda/kernels/instructions.cuh"

namespace schemoe::cuda::gates {

/// Candidates of a warp that are compared with one another.
inline constexpr int kSlots = 64;

/// What a warp has in shared memory to find the first of its rows.
struct alignas(16) Slots {
  uint32_t keys[kSlots];
  int32_t numbers[kSlots];
  uint32_t seconds[kSlots];
};

/// Several rows of a warp: each lane sorts what it has, then the largest of all lanes is taken k times. The lower bits
/// of a key give way to its number; false where that made two of them equal that had to be told apart.
template <int N, int V, int G>
__device__ bool take_sorted(int rows, int lane, int k, const Own<N, V, uint32_t, G>& keys, Firsts<G>& firsts) {
  constexpr uint32_t kNumbers = N * G - 1;
  uint32_t values[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const auto e = static_cast<uint32_t>(Own<N, V, uint32_t, G>::number(i, lane));
    values[i] = keys.values[i] == 0 ? 0 : (keys.values[i] & ~kNumbers) | (kNumbers - e);
  }
  sort_lane(values);
  bool told = true;
  uint32_t before = 0;
#pragma unroll
  for (int i = 0; i < Firsts<G>::kEach; ++i) {
    for (int j = 0; j < G && i * G + j < k; ++j) {
      const uint32_t most = group_max<G>(values[0]);
      told = told && (before ^ most) > kNumbers;
      before = most;
      if (lane == j) firsts.numbers[i] = static_cast<int>(kNumbers - (most & kNumbers));
      if (values[0] == most) {
#pragma unroll
        for (int n = 0; n + 1 < N; ++n) values[n] = values[n + 1];
        values[N - 1] = 0;
      }
    }
  }
  // The last must differ from what comes after it.
  const uint32_t next = group_max<G>(values[0]);  // of all lanes, whatever was told
  told = told && (before ^ next) > kNumbers;
  return __all_sync(kAllLanes, told);
}

/// One step of a bitonic sort over the lanes of a warp, the largest first.
__device__ inline uint32_t exchanged(uint32_t mine, int step, bool larger) {
  const uint32_t other = __shfl_xor_sync(kAllLanes, mine, step);
  return larger ? max(mine, other) : min(mine, other);
}

__device__ inline uint32_t sorted_lanes(uint32_t mine, int lane) {
#pragma unroll
  for (int size = 2; size <= 32; size *= 2) {
#pragma unroll
    for (int step = size / 2; step > 0; step /= 2) {
      mine = exchanged(mine, step, ((lane & step) == 0) == ((lane & size) == 0));
    }
  }
  return mine;
}

/// A number that at least k of 32 are not below, one a lane: of a few the k-th largest of those that differ.
__device__ inline uint32_t bound_of_lanes(uint32_t mine, int k, int lane) {
  if (k <= 10) {
    uint32_t most = 0;
    for (int i = 0; i < k; ++i) {
      most = __reduce_max_sync(kAllLanes, mine);
      if (mine == most) mine = 0;
    }
    return most;
  }
  return __shfl_sync(kAllLanes, sorted_lanes(mine, lane), k - 1);
}

/// The same of 64, two a lane.
__device__ inline uint32_t bound_of_lanes(uint32_t a, uint32_t b, int k, int lane) {
  a = sorted_lanes(a, lane), b = sorted_lanes(b, lane);
  // The 32 largest of both, as a bitonic sequence.
  a = max(a, __shfl_xor_sync(kAllLanes, b, 31));
#pragma unroll
  for (int step = 16; step > 0; step /= 2) a = exchanged(a, step, (lane & step) == 0);
  return __shfl_sync(kAllLanes, a, k - 1);
}

/// A row of a whole warp: all that may be among its first k, which largest keys of parts of the row bound from below,
/// are compared with one another. False where they are too many.
template <int N, int V, class Second>
__device__ bool rank_candidates(int rows, int lane, int k, Slots& slots, Own<N, V, uint32_t>& keys, Second second,
                                Firsts<32>& firsts) {
  uint32_t least = 0;
  if (N >= 8 && k > 12) {
    uint32_t a = 0, b = 0;
    if constexpr (N >= 8) {
#pragma unroll
      for (int i = 0; i < N; ++i) (i < N / 2 ? a : b) = max(i < N / 2 ? a : b, keys.values[i]);
    }
    least = bound_of_lanes(a, b, k, lane);
  } else {
    uint32_t most = 0;
    each(rows, lane, [&](int, uint32_t& key) { most = max(most, key); }, keys);
    least = bound_of_lanes(most, k, lane);
  }
  least = max(least, 1u);
  int mine = 0;
  each(rows, lane, [&](int, uint32_t& key) { mine += key >= least; }, keys);
  int until = mine;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const int other = __shfl_up_sync(kAllLanes, until, step);
    if (lane >= step) until += other;
  }
  const int total = __shfl_sync(kAllLanes, until, 31);
  if (total > kSlots || total < k) return false;
  int at = until - mine;
  __syncwarp();  // the slots of the row before may still be read
  each(rows, lane, [&](int e, uint32_t& key) {
    if (key < least) return;
    slots.keys[at] = key;
    slots.numbers[at++] = e;
  }, keys);
  // Four at a time are read below.
  if (const int end = total + lane; lane < 3 && end < kSlots) slots.keys[end] = 0;
  __syncwarp();

  const bool more = total > 32;
  const uint32_t a = lane < total ? slots.keys[lane] : 0, b = lane + 32 < total ? slots.keys[lane + 32] : 0;
  const int number_a = slots.numbers[lane], number_b = more ? slots.numbers[lane + 32] : 0;
  int of_a = 0, of_b = 0;
  for (int i = 0; i < total; i += 4) {
    const uint4 other = *reinterpret_cast<const uint4*>(&slots.keys[i]);
    of_a += (other.x > a) + (other.y > a) + (other.z > a) + (other.w > a);
    if (more) of_b += (other.x > b) + (other.y > b) + (other.z > b) + (other.w > b);
  }
  const auto put = [&] {
    __syncwarp();
    if (lane < total) store_one_of(slots.seconds[of_a], static_cast<uint32_t>(number_a));
    if (lane + 32 < total) store_one_of(slots.seconds[of_b], static_cast<uint32_t>(number_b));
    __syncwarp();
  };
  put();
  // Two of one place have equal keys.
  const bool lost = (lane < total && slots.seconds[of_a] != static_cast<uint32_t>(number_a)) ||
                    (lane + 32 < total && slots.seconds[of_b] != static_cast<uint32_t>(number_b));
  if (__any_sync(kAllLanes, lost)) {
    __syncwarp();
    const uint32_t second_a = lane < total ? second(number_a) : 0, second_b = lane + 32 < total ? second(number_b) : 0;
    if (lane < total) slots.seconds[lane] = second_a;
    if (lane + 32 < total) slots.seconds[lane + 32] = second_b;
    __syncwarp();
    for (int i = 0; i < total; ++i) {
      const uint32_t key = slots.keys[i], next = slots.seconds[i];
      const int number = slots.numbers[i];
      of_a += key == a && (next > second_a || (next == second_a && number < number_a));
      of_b += key == b && (next > second_b || (next == second_b && number < number_b));
    }
    put();
  }
  firsts.numbers[0] = static_cast<int>(slots.seconds[lane < total ? lane : 0]);
  return true;
}

/// Numbers of the first k <= kMostFirst of each row of a warp, of which `keys` may be left with fewer. Keys of 0 are
/// none; where fewer than k are left the row's first number stands for those that are missing.
template <int N, int V, int G, class Second>
__device__ Firsts<G> find_first(int rows, int lane, int k, Slots& slots, Own<N, V, uint32_t, G>& keys, Second second) {
  Firsts<G> firsts{};
  if constexpr (N == 8 && G < 32) {
    if (k > 2 && k <= kMostMerged) {
      if (take_merged(rows, lane, k, keys, second, firsts)) return firsts;
      for (int c = 0; c < k; ++c) firsts.set(c, take_first(rows, lane, keys, second), lane);
      return firsts;
    }
  }
  if constexpr (G < 32) {
    if (take_sorted(rows, lane, k, keys, firsts)) return firsts;
  } else {
    if (rank_candidates(rows, lane, k, slots, keys, second, firsts)) return firsts;
  }
  for (int c = 0; c < k; ++c) firsts.set(c, take_first(rows, lane, keys, second), lane);
  return firsts;
}

/// Keys of rows that lie in registers; of what is beyond a row they are 0.
template <int N, int V, int G, class Key, class... T>
__device__ __forceinline__ void set_keys(int rows, int lane, Own<N, V, uint32_t, G>& keys, Key&& key_at,
                                         Own<N, V, T, G>&... own) {
  if constexpr (N > 0) {
#pragma unroll
    for (int i = 0; i < N; ++i) keys.values[i] = 0;
  }
  each(rows, lane, [&](int e, uint32_t& key, T&... values) { key = key_at(e, values...); }, keys, own...);
}

}  // namespace schemoe::cuda::gates
