// Where the rows of tokens lie at the experts.
#pragma once

#include "cuda/kernels/launch.cuh"
#include "runtime/arguments_gates.h"

namespace schemoe::cuda::routing {

/// Of a block.
inline constexpr int kWarps = 8;

/// Chunk bounds in device memory, and the first rows of ragged chunks; see `Rows`.
struct Places {
  const int32_t* bounds;
  const int32_t* firsts;
  int chunks;
  int64_t experts;
  __device__ int64_t capacity() const { return bounds[chunks]; }
};

inline Places places_of(const Rows& rows, const Context& context) {
  const int32_t* firsts = rows.ragged() ? context.bounds + rows.bounds.size() : nullptr;
  return {context.bounds, firsts, static_cast<int>(rows.chunks()), rows.experts};
}

/// Binary search: the last chunk whose begin is `not_after` the row or place looked for.
template <class NotAfter>
__device__ inline int find_chunk(const Places& p, NotAfter not_after) {
  int low = 0, high = p.chunks;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (not_after(p.bounds[middle]) ? low : high) = middle;
  }
  return low;
}

__device__ inline int64_t row_of(const Places& p, int64_t expert, int64_t place) {
  const int chunk = find_chunk(p, [&](int64_t begin) { return begin <= place; });
  const int64_t begin = p.bounds[chunk], end = p.bounds[chunk + 1];
  return p.experts * begin + expert * (end - begin) + (place - begin);
}

/// The row of a choice where only places that are taken have one: each choice has, goes nowhere, or makes no sense.
__device__ inline int64_t ragged_row(const Places& p, int64_t expert, int64_t place, const Report& report) {
  if (place == kNoPlace) return -1;
  if (!report.checked(Data::positions, place, p.capacity())) return -1;
  const int chunk = find_chunk(p, [&](int64_t begin) { return begin <= place; });
  const int32_t* first = p.firsts + chunk * p.experts + expert;
  const int64_t begin = p.bounds[chunk];
  if (!report.checked(Data::positions, place, begin + (first[1] - first[0]))) return -1;
  return first[0] + (place - begin);
}

/// The row that a choice went to, or -1 if it was dropped or makes no sense.
__device__ inline int64_t row_of_choice(const Places& p, int32_t choice, int32_t position, const Report& report) {
  if (!report.checked(Data::choices, choice, p.experts)) return -1;
  if (!report.checked(Data::positions, position, INT32_MAX)) return -1;
  if (p.firsts) return ragged_row(p, choice, position, report);
  return position < p.capacity() ? row_of(p, choice, position) : -1;
}

/// The token of a choice: by few instructions where numbers are small, as a warp asks for little more.
__device__ inline int64_t token_of(int64_t choice, int32_t k) {
  if (choice > INT32_MAX) return choice / k;
  return static_cast<uint32_t>(choice) / static_cast<uint32_t>(k);
}

/// As much of a row as a warp reads at once, from element j of this lane on.
template <class T, int V>
struct RowPart {
  static constexpr int kUnroll = 4;
  static constexpr int64_t kStep = 32 * V, kWhole = kUnroll * kStep;
  Raw<T, V> raw[kUnroll];

  __device__ void read(const T* from, int64_t j, int64_t columns) {
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      if (j + u * kStep < columns) raw[u].read(from + j + u * kStep);
    }
  }
  /// Calls body(u, j) for each raw[u] that has been read, of elements from j on.
  template <class Body>
  __device__ void each(int64_t j, int64_t columns, Body&& body) const {
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) {
      if (j + u * kStep < columns) body(u, j + u * kStep);
    }
  }
};

}  // namespace schemoe::cuda::routing
