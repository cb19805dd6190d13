// Numbers of the first of a row, taken one by one; what other ways to find them have in common.
#pragma once

#include "cuda/kernels/gates/rows.cuh"

namespace schemoe::cuda::gates {

/// Of a row that lies in registers as many can be found at once.
inline constexpr int kMostFirst = 32;
/// For elements that their keys alone order: equal ones have equal second keys.
struct NoSecond {
  __device__ uint32_t operator()(int) const { return 0; }
};

/// Second keys from a row in memory, if there is one; of few elements they are looked up.
struct SecondOf {
  const float* row;
  __device__ uint32_t operator()(int e) const { return row ? key_of(row[e]) : 0; }
};

/// The number of the first of what is left of a row, which is taken from it. Its cost is that of going through the row.
template <int N, int V, int G, class Second>
__device__ int take_first(int rows, int lane, Own<N, V, uint32_t, G>& keys, Second second) {
  uint32_t most = 0, next = 0, first = INT32_MAX;
  each(rows, lane, [&](int, uint32_t& key) { most = max(most, key); }, keys);
  most = group_max<G>(most);
  each(rows, lane, [&](int e, uint32_t& key) {
    if (key == most) next = max(next, second(e));
  }, keys);
  next = group_max<G>(next);
  each(rows, lane, [&](int e, uint32_t& key) {
    if (key == most && second(e) == next) first = min(first, static_cast<uint32_t>(e));
  }, keys);
  first = group_min<G>(first);
  // A Program that writes the row meanwhile may leave none; any will do then, but it must exist. So if nothing is left.
  if (most == 0 || first >= static_cast<uint32_t>(rows)) first = 0;
  each(rows, lane, [&](int e, uint32_t& key) {
    if (static_cast<uint32_t>(e) == first) key = 0;
  }, keys);
  return static_cast<int>(first);
}

/// Numbers of the first k of a row: that of place c has lane c % G, at c / G.
template <int G>
struct Firsts {
  static constexpr int kEach = kMostFirst / G;
  int numbers[kEach];
  static __device__ int place(int i, int lane) { return i * G + lane; }
  __device__ void set(int c, int number, int lane) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (c == i * G + lane) numbers[i] = number;
    }
  }
  /// The number of place c, to all lanes of the row.
  __device__ int at(int c) const {
    int number = 0;
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int here = __shfl_sync(kAllLanes, numbers[i], c % G, G);
      if (c / G == i) number = here;
    }
    return number;
  }
};

/// The largest first, by a network of the fewest exchanges.
template <int N>
__device__ __forceinline__ void sort_lane(uint32_t (&values)[N]) {
  static_assert(N == 4 || N == 8);
  const auto exchange = [&](int i, int j) {
    const uint32_t a = values[i], b = values[j];
    values[i] = max(a, b), values[j] = min(a, b);
  };
  if constexpr (N == 8) {
    exchange(0, 2), exchange(1, 3), exchange(4, 6), exchange(5, 7);
    exchange(0, 4), exchange(1, 5), exchange(2, 6), exchange(3, 7);
    exchange(0, 1), exchange(2, 3), exchange(4, 5), exchange(6, 7);
    exchange(2, 4), exchange(3, 5);
    exchange(1, 4), exchange(3, 6);
    exchange(1, 2), exchange(3, 4), exchange(5, 6);
  } else {
    exchange(0, 2), exchange(1, 3);
    exchange(0, 1), exchange(2, 3);
    exchange(1, 2);
  }
}

}  // namespace schemoe::cuda::gates
