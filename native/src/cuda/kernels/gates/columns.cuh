// The n-th largest of each column of a matrix, digit by digit: how many elements have each digit is counted by all
// blocks, each for 32 columns and a range of rows.
#pragma once

#include "cuda/kernels/gates/rows.cuh"

namespace schemoe::cuda::gates {

inline constexpr int kDigits = 256, kPasses = 4;
/// Elements that a thread loads before it uses the first.
inline constexpr int kAhead = 8;

/// What is known of a column's n-th largest key.
struct Found {
  uint32_t prefix;  // its upper digits
  uint32_t left;    // its place among the elements that have these, from 1 on
};

/// In scratch memory: [kPasses][columns][kDigits], and what is known before each pass [kPasses + 1][columns].
struct Search {
  uint32_t* counts;
  Found* found;
  int64_t rows, each;  // rows of a block
  int columns;
  int64_t chunks, tiles;
  uint32_t place;  // n
};

/// Rows as a warp's 32 lanes have columns of them.
inline Search search_of(int64_t rows, int64_t columns, int64_t place, const Context& context) {
  const int64_t tiles = ceil_div(columns, 32);
  const int64_t each = std::max<int64_t>(ceil_div(ceil_div(rows * tiles, 528), 8) * 8, 64);
  const auto words = static_cast<size_t>(kPasses * columns * kDigits + 2 * (kPasses + 1) * columns);
  auto* counts = context.scratch.get<uint32_t>(words, context.stream);
  return {counts, reinterpret_cast<Found*>(counts + kPasses * columns * kDigits), rows, each, static_cast<int>(columns),
          ceil_div(rows, each), tiles, static_cast<uint32_t>(place)};
}

/// A warp finds the next digit of a column from the counts of a pass.
__device__ inline Found next_digit(const Search& s, int pass, int column, int lane) {
  constexpr int kEach = kDigits / 32;
  const Found before = pass == 0 ? Found{0, s.place} : s.found[int64_t{pass} * s.columns + column];
  const uint32_t* counts = s.counts + (int64_t{pass} * s.columns + column) * kDigits;
  // Lane 0 has the largest digits.
  uint32_t here[kEach], mine = 0;
#pragma unroll
  for (int i = 0; i < kEach; ++i) mine += here[i] = counts[kDigits - 1 - lane * kEach - i];
  uint32_t until = mine;
#pragma unroll
  for (int step = 1; step < 32; step *= 2) {
    const uint32_t other = __shfl_up_sync(kAllLanes, until, step);
    if (lane >= step) until += other;
  }
  uint32_t above = until - mine, digit = 0, left = 1;
  bool has = false;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (!has && above < before.left && before.left <= above + here[i]) {
      has = true;
      digit = static_cast<uint32_t>(kDigits - 1 - lane * kEach - i);
      left = before.left - above;
    }
    above += here[i];
  }
  const unsigned who = __ballot_sync(kAllLanes, has);
  const int from = who ? __ffs(static_cast<int>(who)) - 1 : 0;
  digit = __shfl_sync(kAllLanes, digit, from);
  left = __shfl_sync(kAllLanes, left, from);
  return {before.prefix | digit << (24 - 8 * pass), left};
}

/// Counts the digits of one pass of the elements whose digits before are those found.
template <class Key>
__global__ void __launch_bounds__(256) count_digits_kernel(Search s, int pass, Key key) {
  __shared__ uint32_t counts[kDigits][32];  // a bank for each column
  __shared__ uint32_t prefixes[32];
  const auto lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int shift = 24 - 8 * pass;
  for (int64_t work = blockIdx.x; work < s.tiles * s.chunks; work += gridDim.x) {
    const auto first = static_cast<int>(work % s.tiles * 32);
    const int64_t chunk = work / s.tiles;
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < kDigits * 32; i += 256) counts[i / 32][i % 32] = 0;
#pragma unroll
    for (int i = warp; i < 32; i += 8) {
      if (pass == 0 || first + i >= s.columns) break;
      const Found found = next_digit(s, pass - 1, first + i, lane);
      if (lane > 0) continue;
      prefixes[i] = found.prefix;
      if (chunk == 0) s.found[int64_t{pass} * s.columns + first + i] = found;
    }
    __syncthreads();
    const int column = first + lane;
    if (column < s.columns) {
      const uint32_t prefix = pass > 0 ? prefixes[lane] : 0;
      const int64_t end = min((chunk + 1) * s.each, s.rows);
      for (int64_t base = chunk * s.each + warp; base < end; base += 8 * kAhead) {
        uint32_t keys[kAhead];
#pragma unroll
        for (int u = 0; u < kAhead; ++u) keys[u] = base + 8 * u < end ? key(base + 8 * u, column) : 0;
#pragma unroll
        for (int u = 0; u < kAhead; ++u) {
          if (base + 8 * u >= end) continue;
          if (pass == 0 || (keys[u] ^ prefix) >> (shift + 8) == 0) atomicAdd(&counts[keys[u] >> shift & 0xffu][lane], 1u);
        }
      }
    }
    __syncthreads();
    for (int i = static_cast<int>(threadIdx.x); i < kDigits * 32; i += 256) {
      const uint32_t count = counts[i / 32][i % 32];
      if (count > 0) atomicAdd(&s.counts[(int64_t{pass} * s.columns + first + i % 32) * kDigits + i / 32], count);
    }
  }
}

/// Enqueues all passes; `next_digit` of the last one tells the keys.
template <class Key>
void search(const Search& s, const Key& key, const Context& context) {
  CUDA_CHECK(cudaMemsetAsync(s.counts, 0, static_cast<size_t>(kPasses) * s.columns * kDigits * 4, context.stream));
  for (int pass = 0; pass < kPasses; ++pass) {
    LAUNCH(context.stream, grid_of(s.tiles * s.chunks), 256, 0, count_digits_kernel<Key>, s, pass, key);
  }
}

}  // namespace schemoe::cuda::gates
