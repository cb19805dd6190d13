// The first few of rows whose lanes have 8 numbers each, by sorted lists that are merged over lanes.
#pragma once

#include "cuda/kernels/gates/firsts.cuh"

namespace schemoe::cuda::gates {

/// The larger or the smaller of a lane's value and another's.
__device__ inline uint32_t one_of(uint32_t mine, uint32_t other, bool larger) {
  return larger ? max(mine, other) : min(mine, other);
}

/// Where the places of a merged list of 8 are: two in each of 4 lanes, or one in each of 8.
template <int G>
struct Places {
  static constexpr int kEach = G == 4 ? 2 : 1;
  /// The first place of a lane; lanes beyond the eighth have the same places again.
  static __device__ int of(int lane) {
    const int b0 = lane & 1, b1 = lane >> 1 & 1, pair = 2 * (b0 ^ b1) + b1;
    return G > 4 && (lane & 4) != 0 ? 7 - 2 * pair : 2 * pair;
  }
  static __device__ int lane(int place) {
    const int odd = G > 4 ? place % 2 : 0, pair = (odd ? 7 - place : place) / 2;
    return odd * 4 + (pair & 1) * 2 + ((pair >> 1) ^ (pair & 1));
  }
};

/// The 8 largest of a row of G lanes that have 4 or 8 sorted values each, the largest first, at their places.
/// Lists of 8 are merged two by two: of a[0..7] and b[0..7] the largest are max(a[i], b[7 - i]), a bitonic sequence,
/// which three steps sort. A list lies in one lane, then in 2, 4 and 8, so that all of them take part.
template <int G, int L>
__device__ __forceinline__ void merge_places(const uint32_t (&own)[L], int lane, uint32_t (&merged)[Places<G>::kEach]) {
  static_assert(L == 4 || L == 8);
  const bool b0 = lane & 1, b1 = lane & 2, b2 = lane & 4;
  const auto from = [](uint32_t value, int with) { return __shfl_xor_sync(kAllLanes, value, with); };
  const auto sort = [](uint32_t& a, uint32_t& b) {
    const uint32_t least = min(a, b);
    a = max(a, b), b = least;
  };
  // Two lanes: an even one will have the places 0 to 3, an odd one 4 to 7. Two lists of 4 are as they are a bitonic one.
  uint32_t four[4], of_two[4], two[2];
#pragma unroll
  for (int j = 0; j < 4; ++j) four[j] = L == 4 ? own[j] : max(own[j], from(own[L - 1 - j], 1));
#pragma unroll
  for (int j = 0; j < 4; ++j) of_two[j] = one_of(four[j], from(four[3 - j], 1), !b0);
  sort(of_two[0], of_two[2]), sort(of_two[1], of_two[3]);
  sort(of_two[0], of_two[1]), sort(of_two[2], of_two[3]);
  // Four lanes: 0, 3, 1 and 2 will have two places each, in this order.
  two[0] = max(of_two[0], from(of_two[3], 3)), two[1] = max(of_two[1], from(of_two[2], 3));
#pragma unroll
  for (uint32_t& value : two) value = one_of(value, from(value, 1), b0 == b1);
  const uint32_t first = from(two[1], 3), second = from(two[0], 3);
  two[0] = one_of(two[0], first, !b1), two[1] = one_of(two[1], second, !b1);
  sort(two[0], two[1]);
  if constexpr (G == 4) {
    merged[0] = two[0], merged[1] = two[1];
  } else {
    // Eight lanes, of which one has the place `place`; then as many lists as there are.
    const int pair = 2 * (b0 != b1) + b1, place = b2 ? 7 - 2 * pair : 2 * pair;
    uint32_t value = max(two[0], from(two[1], 6));
#pragma unroll
    for (int lists = 8; lists <= G; lists *= 2) {
      if (lists > 8) value = max(value, from(value, lists / 2 + 4));
      value = one_of(value, from(value, 1), (place & 4) == 0);
      value = one_of(value, from(value, 3), (place & 2) == 0);
      value = one_of(value, from(value, 6), (place & 1) == 0);
    }
    merged[0] = value;
  }
}

/// The same of lanes with 8 values, one for each of 8 lanes in their order.
template <int G>
__device__ __forceinline__ uint32_t merge_lists(const uint32_t (&own)[8], int lane) {
  uint32_t value[1];
  merge_places<G>(own, lane, value);
  return __shfl_sync(kAllLanes, value[0], Places<G>::lane(lane % 8), G);
}

/// Whether one number of a row goes before another: by its key, its second key, then as the lower one.
__device__ inline bool goes_before(uint32_t a, uint32_t of_a, int e, uint32_t b, uint32_t of_b, int f) {
  return a > b || (a == b && (of_a > of_b || (of_a == of_b && e < f)));
}

/// Whether numbers of a row that lanes below k have are its first k in their order: all of them are compared.
template <int N, int V, int G, class Second>
__device__ bool are_first(int rows, int lane, int k, Own<N, V, uint32_t, G>& keys, Second second, int number) {
  const int owner = number % (G * V) / V, index = number / (G * V) * V + number % V;
  uint32_t key = 0;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const uint32_t here = __shfl_sync(kAllLanes, keys.values[i], owner, G);
    if (i == index) key = here;
  }
  const bool has = lane < k && number < rows;
  const uint32_t next = has ? second(number) : 0;
  const uint32_t key_after = __shfl_down_sync(kAllLanes, key, 1, G), next_after = __shfl_down_sync(kAllLanes, next, 1, G);
  const int after = __shfl_down_sync(kAllLanes, number, 1, G);
  const bool ordered = lane + 1 >= k || goes_before(key, next, number, key_after, next_after, after);
  const uint32_t last = __shfl_sync(kAllLanes, key, k - 1, G), last_next = __shfl_sync(kAllLanes, next, k - 1, G);
  const int of_last = __shfl_sync(kAllLanes, number, k - 1, G);
  int count = 0;
  each(rows, lane, [&](int e, uint32_t& mine) {
    if (mine < last || mine == 0) return;
    count += e == of_last || goes_before(mine, mine == last ? second(e) : 0, e, last, last_next, of_last);
  }, keys);
  return group_sum<G>(count) == k && ordered && (has || lane >= k);
}

/// The largest number of first ones that lists of 8 give.
inline constexpr int kMostMerged = 9;

/// The first k <= kMostMerged of rows whose lanes have 8 numbers each. Lower bits of keys give way to numbers; false
/// where that changed an order.
template <int V, int G, class Second>
__device__ bool take_merged(int rows, int lane, int k, Own<8, V, uint32_t, G>& keys, Second second, Firsts<G>& firsts) {
  constexpr uint32_t kNumbers = 8 * G - 1;
  uint32_t values[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const auto e = static_cast<uint32_t>(Own<8, V, uint32_t, G>::number(i, lane));
    values[i] = keys.values[i] == 0 ? 0 : (keys.values[i] & ~kNumbers) | (kNumbers - e);
  }
  sort_lane(values);
  const uint32_t mine = merge_lists<G>(values, lane);
  uint32_t last = __shfl_sync(kAllLanes, mine, min(k, 8) - 1, G);
  const uint32_t after = __shfl_down_sync(kAllLanes, mine, 1, G);
  bool told = lane + 1 >= min(k, 8) || (mine ^ after) > kNumbers;
  firsts.numbers[0] = static_cast<int>(kNumbers - (mine & kNumbers));
  if (k > 8) {
    const uint32_t before = last;
    last = 0;
#pragma unroll
    for (const uint32_t value : values) last = max(last, value < before ? value : 0);
    last = group_max<G>(last);
    told = told && (before ^ last) > kNumbers;
    firsts.set(8, static_cast<int>(kNumbers - (last & kNumbers)), lane);
  }
  // The last must differ from what comes after it.
  const uint32_t from = last & ~kNumbers, until = last & kNumbers;
#pragma unroll
  for (const uint32_t value : values) told = told && value - from >= until;
  told = told && last != 0;
  if (__all_sync(kAllLanes, told)) return true;
  if constexpr (G == 8) {
    if (k > 8) return false;
  }
  return __all_sync(kAllLanes, are_first(rows, lane, k, keys, second, firsts.numbers[0]));
}

}  // namespace schemoe::cuda::gates
