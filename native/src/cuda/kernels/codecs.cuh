// Rows and their place in a wire, shared by the codecs.
#pragma once

#include "codecs/table.h"
#include "cuda/kernels/codecs_table.h"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::codecs {

/// Threads of a block, which codes a row or a part of one.
inline constexpr int kWarps = 8;

struct Shape {
  int64_t lines, rows, columns;  // lines of a block, and of a group
  int64_t blocks, block_stride, group_stride, row_stride, block_bytes;
  int shift = 0;  // 2^shift warps share a row
};

/// Of numbers that are not negative. Division of 64 bits takes a hundred instructions, and few need it.
__device__ inline int64_t quotient(int64_t a, int64_t b) {
  if ((a | b) >> 32 == 0) return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
  return a / b;
}

/// Where line `index` over all blocks begins in X, and its block and place in the wire.
struct Line {
  int64_t block, line, x;
  __device__ Line(const Shape& s, int64_t index) {
    block = s.blocks == 1 ? 0 : quotient(index, s.lines);
    line = index - block * s.lines;
    const int64_t group = s.rows == s.lines ? 0 : quotient(line, s.rows);
    x = block * s.block_stride + group * s.group_stride + (line - group * s.rows) * s.row_stride;
  }
};

/// Calls `body` with each line that this warp has, and its number among the warps of the line.
template <class Body>
__device__ void each_line(const Shape& s, Body&& body) {
  for (int64_t warp = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; warp >> s.shift < s.lines * s.blocks;
       warp += int64_t{gridDim.x} * kWarps) {
    body(Line(s, warp >> s.shift), warp & ((1 << s.shift) - 1));
  }
}

/// As many warps for a row as find `span` elements each, so that few rows too keep the GPU busy.
Shape shared(Shape s, int64_t span);

/// Blocks for all rows.
unsigned grid_for(const Shape& s);

/// Whether all rows and all pieces of the wire can be moved 8 elements at a time.
bool wide(const Codec& c, const Shape& s, const Context& context, int64_t wire_element);

}  // namespace schemoe::cuda::codecs
