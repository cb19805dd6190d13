// Rows of groups, which may have numbers of rows of their own.
#pragma once

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

/// Groups of rows in memory.
template <class T>
struct Grid {
  T* data;
  int64_t ld, stride;
  __device__ T* at(int64_t group, int64_t row, int64_t column) const {
    return data + group * stride + row * ld + column;
  }
};

template <class T>
Grid<T> grid(const Context& context, const Matrix& matrix) {
  return {context.at<T>(matrix.view), matrix.ld, matrix.stride};
}

template <class T>
bool fits(const Grid<T>& grid) {
  return !grid.data || (aligned(grid.data) && grid.ld % kVector<T> == 0 && grid.stride % kVector<T> == 0);
}

/// Where the lines of a block lie: `rows` of each group, or where groups are ragged as device memory says.
struct Lines {
  int64_t count, rows, groups;
  const int32_t* ragged;
  /// Group and row of a line.
  __device__ void find(int64_t line, int64_t& group, int64_t& row) const {
    if (!ragged) {
      group = line / rows;
      row = line - group * rows;
      return;
    }
    int64_t low = 0, high = groups;
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      (ragged[middle] <= line ? low : high) = middle;
    }
    group = low;
    row = ragged[groups + 1 + low] + (line - ragged[low]);
  }
};

inline Lines lines_of(const Block& block, const Context& context) {
  const bool ragged = block.ranges.ragged();
  return {ragged ? block.all_rows() : block.groups * block.rows, block.rows, block.groups, ragged ? context.bounds : nullptr};
}

}  // namespace schemoe::cuda
