// The n-th largest of each column of a matrix. Two keys between which it lies almost certainly come from a sample;
// one pass over the matrix counts what is above them and collects what is between, and of these few it is found.
// Where it is not between, or they are too many, a block goes through its column: slower, with the same result.
#pragma once

#include "cuda/kernels/gates/rows.cuh"

namespace schemoe::cuda::gates {

inline constexpr int kDigits = 256;
inline constexpr int kSample = 2048;  // rows
inline constexpr int kSampled = 8;    // columns whose sample a block takes: of 32 bytes of a row
inline constexpr int kTile = 64;      // columns that a block goes through
inline constexpr int kLocal = 48;     // of each that a block collects before it appends them to all

/// An element of a column that may be among its n largest.
struct Element {
  uint32_t key, row;
};

/// In scratch memory.
struct Search {
  int64_t rows;
  int columns;
  uint32_t place;            // n
  uint32_t room;             // elements of a column that can be collected
  uint32_t *low, *high;      // [columns]
  uint32_t *above, *count;   // [columns]: above `high`, and from `low` to `high`
  Element* list;             // [columns, room]
};

/// Bytes of a search, and where it lies from `at` on, which is aligned to 8.
inline size_t bytes_of_search(int64_t rows, int64_t columns, Search* s, std::byte* at, int64_t place) {
  const int64_t room = std::max<int64_t>(std::min<int64_t>(rows, 4096), ceil_div(rows, 8));
  if (s) {
    auto* list = reinterpret_cast<Element*>(at);
    auto* words = reinterpret_cast<uint32_t*>(list + room * columns);
    *s = {rows, static_cast<int>(columns), static_cast<uint32_t>(place), static_cast<uint32_t>(room), words,
          words + columns, words + 2 * columns, words + 3 * columns, list};
  }
  return static_cast<size_t>(columns) * (static_cast<size_t>(room) * sizeof(Element) + 4 * sizeof(uint32_t));
}

/// What a warp finds in counts of digits: the digit of the left-th largest, and its place among those that have it.
struct Digit {
  uint32_t digit, left;
};

__device__ inline Digit find_digit(const uint32_t* counts, uint32_t left, int lane) {
  constexpr int kEach = kDigits / 32;
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
  uint32_t above = until - mine, digit = 0, rest = 1;
  bool has = false;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    if (!has && above < left && left <= above + here[i]) {
      has = true;
      digit = static_cast<uint32_t>(kDigits - 1 - lane * kEach - i);
      rest = left - above;
    }
    above += here[i];
  }
  const unsigned who = __ballot_sync(kAllLanes, has);
  const int from = who ? __ffs(static_cast<int>(who)) - 1 : 0;
  return {__shfl_sync(kAllLanes, digit, from), __shfl_sync(kAllLanes, rest, from)};
}

/// Five standard deviations about the place that the n-th largest has in a sample.
struct Bracket {
  int high, low;  // places from 1 on; 0 for none
};

inline Bracket bracket_of(int64_t rows, int64_t place) {
  const double share = static_cast<double>(place) / static_cast<double>(rows);
  const double middle = kSample * share, width = 5 * std::sqrt(kSample * share * (1 - share)) + 3;
  const auto high = static_cast<int>(std::floor(middle - width)), low = static_cast<int>(std::ceil(middle + width));
  return {high > 0 ? high : 0, low <= kSample ? low : 0};
}

constexpr size_t kBoundsBytes = (kSampled * kSample + 2 * kSampled * kDigits) * sizeof(uint32_t);

/// Bounds of each column by a sample; of few rows all are collected. A warp has a column and one of its bounds.
template <class Key>
__global__ void __launch_bounds__(64 * kSampled) bounds_kernel(Search s, Bracket places, Key key) {
  DYNAMIC_SHARED(uint4, memory);
  auto* keys = reinterpret_cast<uint32_t*>(memory);
  const auto thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const int first = static_cast<int>(blockIdx.x) * kSampled, mine = first + warp / 2;
  if (thread < kSampled && first + thread < s.columns) s.above[first + thread] = s.count[first + thread] = 0;
  const bool sampled = s.rows > static_cast<int64_t>(s.room);
  const int place = warp % 2 == 0 ? places.high : places.low;
  uint32_t bound = warp % 2 == 0 ? 0xffffffffu : 0;
  if (sampled) {
    const int column = first + thread % kSampled;
    const auto each = static_cast<uint32_t>(s.rows / kSample);
#pragma unroll 16
    for (int i = thread / kSampled; i < kSample; i += 64) {
      // Anywhere in a range of its own, lest it meets what repeats in the rows.
      const uint32_t within = (static_cast<uint32_t>(i) * 2654435761u >> 8) % each;
      const int64_t row = i * s.rows / kSample + within;
      keys[thread % kSampled * kSample + i] = column < s.columns ? key(row, column) : 0;
    }
    __syncthreads();
    if (place > 0) {
      const uint32_t* own = keys + warp / 2 * kSample;
      uint32_t* counts = keys + kSampled * kSample + warp * kDigits;
      uint32_t prefix = 0, left = static_cast<uint32_t>(place);
      // The lowest digit may be anything.
      for (int shift = 24; shift > 0; shift -= 8) {
        for (int i = lane; i < kDigits; i += 32) counts[i] = 0;
        __syncwarp();
#pragma unroll 8
        for (int i = lane; i < kSample; i += 32) {
          const uint32_t value = own[i];
          if (shift == 24 || (value ^ prefix) >> (shift + 8) == 0) atomicAdd(&counts[value >> shift & 0xffu], 1u);
        }
        __syncwarp();
        const Digit found = find_digit(counts, left, lane);
        prefix |= found.digit << shift, left = found.left;
        __syncwarp();
      }
      bound = warp % 2 == 0 ? prefix | 0xffu : prefix;
    }
  }
  if (lane == 0 && mine < s.columns) (warp % 2 == 0 ? s.high : s.low)[mine] = bound;
}

/// Goes through the matrix once, V columns of a row a thread. `visit` is told of each V elements which are above.
template <int V, class Key, class Visit>
__global__ void __launch_bounds__(256) sweep_kernel(Search s, int64_t each, Key key, Visit visit) {
  constexpr int kAcross = kTile / V, kRows = 256 / kAcross, kAhead = 4;
  __shared__ Element local[kTile][kLocal];
  __shared__ uint32_t counts[kTile], aboves[kTile], bases[kTile];
  const auto thread = static_cast<int>(threadIdx.x);
  const int tile = static_cast<int>(blockIdx.x) * kTile, own = thread % kAcross * V, column = tile + own;
  if (thread < kTile) counts[thread] = aboves[thread] = 0;
  __syncthreads();
  const bool inside = column < s.columns;
  uint32_t low[V], high[V], above[V] = {};
#pragma unroll
  for (int j = 0; j < V; ++j) {
    low[j] = inside ? s.low[column + j] : 0xffffffffu;
    high[j] = inside ? s.high[column + j] : 0xffffffffu;
  }
  const int64_t end = min((blockIdx.y + int64_t{1}) * each, s.rows);
  for (int64_t base = blockIdx.y * each + thread / kAcross; inside && base < end; base += kRows * kAhead) {
    Own<V, V> values[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (base + u * kRows < end) key.load(values[u], base + u * kRows, column);
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const int64_t row = base + u * kRows;
      if (row >= end) continue;
      bool is_above[V];
#pragma unroll
      for (int j = 0; j < V; ++j) {
        const uint32_t here = key.of(values[u].values[j], row);
        is_above[j] = here > high[j];
        above[j] += is_above[j];
        if (is_above[j] || here < low[j]) continue;
        const Element element{here, static_cast<uint32_t>(row)};
        const uint32_t at = atomicAdd(&counts[own + j], 1u);
        if (at < kLocal) {
          local[own + j][at] = element;
        } else {
          const uint32_t to = atomicAdd(&s.count[column + j], 1u);
          if (to < s.room) s.list[int64_t{column + j} * s.room + to] = element;
        }
      }
      visit(row, column, is_above);
    }
  }
#pragma unroll
  for (int j = 0; j < V; ++j) {
    if (above[j] > 0) atomicAdd(&aboves[own + j], above[j]);
  }
  __syncthreads();
  if (thread < kTile && tile + thread < s.columns) {
    const uint32_t count = min(counts[thread], static_cast<uint32_t>(kLocal));
    if (aboves[thread] > 0) atomicAdd(&s.above[tile + thread], aboves[thread]);
    bases[thread] = count > 0 ? atomicAdd(&s.count[tile + thread], count) : 0;
  }
  __syncthreads();
  for (int i = thread; i < kTile * kLocal; i += 256) {
    const int here = i / kLocal, at = i % kLocal;
    if (static_cast<uint32_t>(at) >= counts[here]) continue;
    const uint32_t to = bases[here] + static_cast<uint32_t>(at);
    if (to < s.room) s.list[int64_t{tile + here} * s.room + to] = local[here][at];
  }
}

/// The left-th largest of the values that `at` gives of `count` elements, if it gives one: all threads of a block of
/// kDigits take part. Its place among those that equal it, and how many these are.
struct Found {
  uint32_t value, left, equal;
};

template <class At>
__device__ Found find_among(int64_t count, uint32_t left, At at) {
  __shared__ uint32_t counts[kDigits];
  __shared__ Digit digit;
  __shared__ uint32_t equal;
  uint32_t prefix = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    counts[threadIdx.x] = 0;
    __syncthreads();
#pragma unroll 4
    for (int64_t i = threadIdx.x; i < count; i += kDigits) {
      uint32_t value = 0;
      if (!at(i, value)) continue;
      if (shift == 24 || (value ^ prefix) >> (shift + 8) == 0) atomicAdd(&counts[value >> shift & 0xffu], 1u);
    }
    __syncthreads();
    if (threadIdx.x < 32) {
      const Digit found = find_digit(counts, left, static_cast<int>(threadIdx.x));
      if (threadIdx.x == 0) digit = found, equal = counts[found.digit];
    }
    __syncthreads();
    prefix |= digit.digit << shift, left = digit.left;
    __syncthreads();
  }
  return {prefix, left, equal};
}

/// A column's elements that have to be looked at, and which of them is looked for.
struct Rest {
  bool whole;  // the column itself
  int64_t count;
  uint32_t left;
};

__device__ inline Rest rest_of(const Search& s, int column) {
  const uint32_t above = s.above[column], count = s.count[column];
  if (above < s.place && s.place - above <= count && count <= s.room) return {false, count, s.place - above};
  return {true, s.rows, s.place};
}

/// Enqueues what finds the bounds and goes through the matrix; a kernel of one block for each column is to follow.
template <class Key, class Visit>
void sweep(const Search& s, const Key& key, const Visit& visit, bool wide, const Context& context) {
  allow(bounds_kernel<Key>, kBoundsBytes);
  const Bracket places = bracket_of(s.rows, s.place);
  LAUNCH(context.stream, grid_of(ceil_div(s.columns, kSampled)), 64 * kSampled, kBoundsBytes, bounds_kernel<Key>, s, places,
         key);
  const int64_t tiles = ceil_div(s.columns, kTile);
  const int64_t each = std::max<int64_t>(ceil_div(ceil_div(s.rows * tiles, 528), 16) * 16, ceil_div(s.rows, 65535));
  const dim3 grid(static_cast<unsigned>(tiles), static_cast<unsigned>(ceil_div(s.rows, each)));
  if (wide) LAUNCH(context.stream, grid, 256, 0, (sweep_kernel<4, Key, Visit>), s, each, key, visit);
  else LAUNCH(context.stream, grid, 256, 0, (sweep_kernel<1, Key, Visit>), s, each, key, visit);
}

}  // namespace schemoe::cuda::gates
