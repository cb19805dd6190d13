// The first few of rows that few lanes have: the fours whose largest are the largest, then the largest of these.
#pragma once

#include "cuda/kernels/gates/best.cuh"

namespace schemoe::cuda::gates {

/// Numbers of the first k <= kMostFew of a row, at the places of a merged list.
template <int G>
struct Few {
  static constexpr int kEach = Places<G>::kEach;
  int numbers[kEach];
  /// Lanes that have none of their own have a place that is never asked for.
  static __device__ int place(int i, int lane) { return lane < 8 ? Places<G>::of(lane) + i : kMostFew; }
  __device__ void set(int c, int number, int lane) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      if (place(i, lane) == c) numbers[i] = number;
    }
  }
};

/// Whether these are the first k of the row whose keys are `held`, in their order: all of them are compared.
template <int G, class Second>
__device__ bool are_few(int rows, int lane, int k, const uint32_t* held, Second second, const Few<G>& few) {
  constexpr int kEach = Few<G>::kEach;
  const int place = Places<G>::of(lane);
  uint32_t keys[kEach], nexts[kEach];
  bool right = true;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const bool has = place + i < k && few.numbers[i] < rows;
    keys[i] = has ? held[few.numbers[i]] : 0;
    nexts[i] = has ? second(few.numbers[i]) : 0;
    right = right && (keys[i] > 0 || place + i >= k);
  }
  const int after = Places<G>::lane(min(place + kEach, 7)), owner = Places<G>::lane(k - 1);
  const bool odd = kEach == 2 && k % 2 == 0;
  const uint32_t key_after = __shfl_sync(kAllLanes, keys[0], after, G), next_after = __shfl_sync(kAllLanes, nexts[0], after, G);
  const int number_after = __shfl_sync(kAllLanes, few.numbers[0], after, G);
  const uint32_t last = __shfl_sync(kAllLanes, odd ? keys[kEach - 1] : keys[0], owner, G);
  const uint32_t last_next = __shfl_sync(kAllLanes, odd ? nexts[kEach - 1] : nexts[0], owner, G);
  const int of_last = __shfl_sync(kAllLanes, odd ? few.numbers[kEach - 1] : few.numbers[0], owner, G);
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (place + i + 1 >= k) continue;
    const bool own = i + 1 < kEach;
    right = right && goes_before(keys[i], nexts[i], few.numbers[i], own ? keys[kEach - 1] : key_after,
                                 own ? nexts[kEach - 1] : next_after, own ? few.numbers[kEach - 1] : number_after);
  }
  int count = 0;
  for (int e = lane; e < rows; e += G) {
    const uint32_t mine = held[e];
    if (mine < last || mine == 0) continue;
    count += e == of_last || goes_before(mine, mine == last ? second(e) : 0, e, last, last_next, of_last);
  }
  return group_sum<G>(count) == k && right;
}

/// The first k of one row by all lanes of a warp, one after another; where fewer are left the number 0 stands for them.
/// Second keys are in memory that is far away, and are asked for only where keys are equal. `each` is what has to
/// happen with a place and its number.
template <int Room, class Each>
__device__ void take_row(int rows, int k, const uint32_t* held, const float* seconds, Each&& each) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  uint32_t keys[Room];
#pragma unroll
  for (int i = 0; i < Room; ++i) keys[i] = i * 32 + lane < rows ? held[i * 32 + lane] : 0;
  for (int c = 0; c < k; ++c) {
    uint32_t own = 0;
#pragma unroll
    for (const uint32_t key : keys) own = max(own, key);
    const uint32_t most = __reduce_max_sync(kAllLanes, own);
    int mine = 0, first = INT32_MAX;
#pragma unroll
    for (int i = Room - 1; i >= 0; --i) {
      if (keys[i] != most) continue;
      ++mine;
      first = i * 32 + lane;
    }
    if (__reduce_add_sync(kAllLanes, static_cast<unsigned>(mine)) > 1 && seconds && most > 0) {
      uint32_t next = 0;
#pragma unroll
      for (int i = 0; i < Room; ++i) {
        if (keys[i] == most) next = max(next, key_of(seconds[i * 32 + lane]));
      }
      next = __reduce_max_sync(kAllLanes, next);
      first = INT32_MAX;
#pragma unroll
      for (int i = Room - 1; i >= 0; --i) {
        if (keys[i] == most && key_of(seconds[i * 32 + lane]) == next) first = i * 32 + lane;
      }
    }
    first = static_cast<int>(__reduce_min_sync(kAllLanes, static_cast<unsigned>(first)));
    // A Program that writes the row meanwhile may leave none; any will do then, but it must exist.
    if (most == 0 || first >= rows) first = 0;
    each(c, first);
#pragma unroll
    for (int i = 0; i < Room; ++i) {
      if (i * 32 + lane == first) keys[i] = 0;
    }
  }
}

/// Numbers of the first k of each row of a warp, 1 <= k <= kMostFew. Keys of 0 are none; where fewer than k are left
/// the number 0 stands for those that are missing. `held`: shared memory for the row's keys, `words` from that of the
/// next row.
template <int N, int G>
__device__ Few<G> find_few(int rows, int lane, int k, uint32_t* held, int words, Own<N, 4, uint32_t, G>& keys, SecondOf second) {
  constexpr uint32_t kNumbers = N * G - 1;
  constexpr int kFours = N / 4, kEach = Few<G>::kEach;
  __syncwarp();  // what was held before may still be read
  keys.store(held, rows, lane);
  // Lower bits give way to numbers, so that no two are equal; what is not above kNumbers is none.
  uint32_t tops[kFours], sorted[kFours];
#pragma unroll
  for (int i = 0; i < kFours; ++i) {
    const uint32_t* four = &keys.values[4 * i];
    const uint32_t most = max(max(four[0], four[1]), max(four[2], four[3]));
    tops[i] = sorted[i] = (most & ~kNumbers) | static_cast<uint32_t>((kFours - 1 - i) * G + G - 1 - lane);
  }
  sort_lane(sorted);
  uint32_t best[kEach];
  merge_places<G>(sorted, lane, best);
  const uint32_t eighth = __shfl_sync(kAllLanes, best[kEach - 1], Places<G>::lane(7), G);
  uint32_t left = 0;
#pragma unroll
  for (const uint32_t top : tops) left = max(left, top < eighth ? top : 0);
  __syncwarp();  // other lanes' keys are held

  uint32_t values[4 * kEach], list[kEach];
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    const uint32_t number = 4 * (best[i] & kNumbers);
    uint4 four{};
    if (best[i] > kNumbers) four = *reinterpret_cast<const uint4*>(held + (kNumbers - 3 - number));
    values[4 * i] = (four.x & ~kNumbers) | (number + 3), values[4 * i + 1] = (four.y & ~kNumbers) | (number + 2);
    values[4 * i + 2] = (four.z & ~kNumbers) | (number + 1), values[4 * i + 3] = (four.w & ~kNumbers) | number;
  }
  sort_lane(values);
  merge_places<(G < 8 ? G : 8)>(values, lane, list);

  // Where numbers changed an order, two that are side by side have all other bits in common; the last of the first k
  // must differ from what comes after it too, and from what was left out.
  const int place = Places<G>::of(lane);
  const uint32_t last = __shfl_sync(kAllLanes, kEach == 2 && k % 2 == 0 ? list[kEach - 1] : list[0], Places<G>::lane(k - 1), G);
  const uint32_t after = __shfl_sync(kAllLanes, list[0], Places<G>::lane(min(place + kEach, 7)), G);
  bool told = last > kNumbers && (left | kNumbers) < last;
  Few<G> few;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    few.numbers[i] = static_cast<int>(kNumbers - (list[i] & kNumbers));
    told = told && (place + i >= min(k, 7) || (list[i] ^ (i + 1 < kEach ? list[kEach - 1] : after)) > kNumbers);
  }
  if (k == kMostFew) {
    uint32_t below = 0;
#pragma unroll
    for (const uint32_t value : values) below = max(below, value < last ? value : 0);
    told = told && (below ^ last) > kNumbers;
  }
  unsigned unsure = __ballot_sync(kAllLanes, !told);
  if (unsure == 0) return few;
  // Of so many a token or two of each kernel is not told; where most are, as of equal scores, all may be right.
  constexpr unsigned kRow = G == 32 ? kAllLanes : (1u << G) - 1;
  if (__popc(unsure) > 16) unsure = __ballot_sync(kAllLanes, !are_few(rows, lane, k, held, second, few));
  const int own = static_cast<int>(threadIdx.x % 32) / G;
  while (unsure != 0) {
    const int row = (__ffs(static_cast<int>(unsure)) - 1) / G;
    unsure &= ~(kRow << (row * G));
    const auto seconds = reinterpret_cast<const float*>(__shfl_sync(kAllLanes, reinterpret_cast<unsigned long long>(second.row), row * G));
    take_row<N * G / 32>(rows, k, held + (row - own) * words, seconds, [&](int c, int number) {
      if (row == own) few.set(c, number, lane);
    });
  }
  return few;
}

/// The first k of each row of a warp, by the way that its lanes have it.
template <int N, int V, int G, class Second>
__device__ __forceinline__ auto first_of(int rows, int lane, int k, Slots& slots, uint32_t* held, int words,
                                         Own<N, V, uint32_t, G>& keys, Second second) {
  if constexpr (kByFours<N, V, G>) return find_few(rows, lane, k, held, words, keys, second);
  else return find_first(rows, lane, k, slots, keys, second);
}

}  // namespace schemoe::cuda::gates
