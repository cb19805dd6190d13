// Groups of experts, of which those of the largest sums are kept.
#pragma once

#include "cuda/kernels/gates/rows.cuh"

namespace schemoe::cuda::gates {

/// Groups of experts side by side.
struct Groups {
  int count, limit;
  uint32_t by_size;  // 2^32 through the size of a group
  int share;         // lanes side by side that have four experts each of a group, or 0 where groups lie otherwise
  __device__ int of(int e) const {
    return by_size == 0 ? e : static_cast<int>(__umulhi(static_cast<uint32_t>(e), by_size));
  }
};

/// Lanes that share a group, where they can by the way that a row lies; `parts` is the number of fours of a lane.
inline int shared_by(int64_t size, int parts, int lanes) {
  const int64_t share = size % 4 == 0 ? size / 4 : 0;
  const bool fits = share > 0 && (share & (share - 1)) == 0 && share <= lanes;
  return fits && (share >= parts || 2 * share == parts) ? static_cast<int>(share) : 0;
}

/// Takes the keys from all experts outside of the groups whose two largest values have the largest sums.
template <int N, int V, int G>
__device__ void keep_groups(const Groups& groups, int rows, int lane, uint32_t* values, const float* bias,
                            Own<N, V, float, G>& s, Own<N, V, uint32_t, G>& keys) {
  const int size = rows / groups.count;
  uint32_t* sums = values + rows;
  __syncwarp();
  // What keys are made of, whatever they are: by the values with their bias.
  each(rows, lane, [&](int e, float& score) { values[e] = key_of(bias ? score + bias[e] : score); }, s);
  __syncwarp();
  // A power of two of lanes shares a group.
  int share = 1;
  while (2 * share * groups.count <= G && 2 * share <= size) share *= 2;
  const int part = lane % share;
  for (int first = 0; first < groups.count; first += G / share) {
    const int group = first + lane / share;
    const uint32_t* mine = values + group * size;
    uint32_t most = 0, next = 0;
    if (group < groups.count) {
      // Groups begin at different places, which lie in different banks.
      const int steps = (size - part + share - 1) / share;
      for (int i = 0, at = group % steps; i < steps; ++i) {
        const uint32_t value = mine[part + at * share];
        next = max(next, min(most, value));
        most = max(most, value);
        at = at + 1 == steps ? 0 : at + 1;
      }
    }
    for (int step = share / 2; step > 0; step /= 2) {
      const uint32_t other = __shfl_xor_sync(kAllLanes, most, step), after = __shfl_xor_sync(kAllLanes, next, step);
      next = max(max(next, after), min(most, other));
      most = max(most, other);
    }
    if (part == 0 && group < groups.count) sums[group] = key_of(number_of(most) + (size > 1 ? number_of(next) : 0.0f));
  }
  __syncwarp();
  // One bit of each group, 32 at a time.
  for (int first = 0; first < groups.count; first += 32) {
    uint32_t kept = 0;
    for (int here = first; here < min(first + 32, groups.count); here += G) {
      const int group = here + lane;
      int place = 0;
      if (group < groups.count) {
        const uint32_t mine = sums[group];
        for (int other = 0; other < groups.count; ++other) {
          const uint32_t sum = sums[other];
          place += sum > mine || (sum == mine && other < group);
        }
      }
      const unsigned votes = __ballot_sync(kAllLanes, group < groups.count && place < groups.limit);
      const int shift = static_cast<int>(threadIdx.x % 32) - lane;
      const uint32_t of_row = G == 32 ? votes : votes >> shift & ((uint64_t{1} << G) - 1);
      kept |= of_row << (here - first);
    }
    each(rows, lane, [&](int e, uint32_t& key) {
      const int group = groups.of(e) - first;
      if (group >= 0 && group < 32 && (kept >> group & 1) == 0) key = 0;
    }, keys);
  }
}

/// The same where `share` lanes side by side, a power of two of them, have four experts each of a group. Of the two
/// largest of each group they take the fours of half of the groups from each other, until each lane has `Left` groups.
template <int Left, int N, int G>
__device__ void keep_shared_groups(const Groups& groups, int lane, const float* bias, Own<N, 4, float, G>& s,
                                   Own<N, 4, uint32_t, G>& keys) {
  constexpr int kParts = N / 4;
  const int across = G / groups.share;  // groups
  uint32_t most[kParts], next[kParts];
#pragma unroll
  for (int i = 0; i < kParts; ++i) {
    uint32_t values[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] = bias ? keys.values[4 * i + j] : key_of(s.values[4 * i + j]);
    const uint32_t a = max(values[0], values[1]), b = max(values[2], values[3]);
    most[i] = max(a, b), next[i] = max(min(a, b), max(min(values[0], values[1]), min(values[2], values[3])));
  }
  int step = groups.share / 2, part = 0;
#pragma unroll
  for (int half = kParts / 2; half >= Left; half /= 2) {
    const bool upper = (lane & step) != 0;
#pragma unroll
    for (int i = 0; i < half; ++i) {
      const uint32_t own = upper ? most[i + half] : most[i], own_next = upper ? next[i + half] : next[i];
      const uint32_t other = __shfl_xor_sync(kAllLanes, upper ? most[i] : most[i + half], step);
      const uint32_t after = __shfl_xor_sync(kAllLanes, upper ? next[i] : next[i + half], step);
      most[i] = max(own, other), next[i] = max(max(own_next, after), min(own, other));
    }
    part += upper ? half : 0;
    step /= 2;
  }
  for (; step > 0; step /= 2) {
#pragma unroll
    for (int i = 0; i < Left; ++i) {
      const uint32_t other = __shfl_xor_sync(kAllLanes, most[i], step), after = __shfl_xor_sync(kAllLanes, next[i], step);
      next[i] = max(max(next[i], after), min(most[i], other));
      most[i] = max(most[i], other);
    }
  }
  // Which lane of those that share a group has a part.
  const int apart = groups.share * Left / kParts, block = lane / groups.share;
  uint32_t sums[Left];
  int places[Left] = {};
#pragma unroll
  for (int i = 0; i < Left; ++i) sums[i] = key_of(number_of(most[i]) + number_of(next[i]));
#pragma unroll
  for (int i = 0; i < kParts; ++i) {
    for (int j = 0; j < across && i * across + j < groups.count; ++j) {
      const uint32_t other = __shfl_sync(kAllLanes, sums[i % Left], j * groups.share + i / Left * apart, G);
#pragma unroll
      for (int own = 0; own < Left; ++own) {
        const bool before = i < part + own || (i == part + own && j < block);
        places[own] += other > sums[own] || (other == sums[own] && before);
      }
    }
  }
  uint32_t kept[Left];
#pragma unroll
  for (int own = 0; own < Left; ++own) {
    kept[own] = __ballot_sync(kAllLanes, places[own] < groups.limit) >> (threadIdx.x % 32 - lane % groups.share);
  }
#pragma unroll
  for (int i = 0; i < N; ++i) {
    if ((kept[i / 4 % Left] >> (i / 4 / Left * apart) & 1) == 0) keys.values[i] = 0;
  }
}

}  // namespace schemoe::cuda::gates
