// Tensor cores by warps: tiles of bfloat16 in shared memory and fragments of them.
#pragma once

#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/mma_instructions.cuh"

namespace schemoe::cuda::mma {

/// A tile of rows of D elements in shared memory; 16 bytes are placed so that 8 rows at one column touch all banks.
template <int D>
struct SharedTile {
  uint32_t base;

  __device__ uint32_t at(int row, int column) const {
    return base + static_cast<uint32_t>(row * D * 2 + ((column / 8) ^ (row & 7)) * 16);
  }
  /// Begins to copy ROWS rows from global memory, those from `valid` on as zeros; all threads of a block take part.
  template <int ROWS, int THREADS>
  __device__ void copy(const bf16* from, int64_t ld, int64_t valid) const {
#pragma unroll
    for (int i = 0; i < ROWS * D / 8; i += THREADS) {
      const int item = i + static_cast<int>(threadIdx.x), row = item / (D / 8), column = item % (D / 8) * 8;
      const bool there = row < valid;
      const bf16* source = there ? from + row * ld + column : from;
      copy_sixteen(at(row, column), source, there);
    }
  }
  /// Rows row .. row + 15 as the columns of two b: {b0, b1} of the first 8, then of the others; elements k .. k + 15 of each.
  __device__ void columns(uint32_t (&b)[4], int row, int k) const {
    const int lane = static_cast<int>(threadIdx.x % 32);
    load_four(b, at(row + (lane & 7) + (lane & 16) / 2, k + (lane & 8)));
  }
  /// Rows row .. row + 15 as the rows of two b, whose columns are elements n .. n + 7 and n + 8 .. n + 15.
  __device__ void rows(uint32_t (&b)[4], int row, int n) const {
    const int lane = static_cast<int>(threadIdx.x % 32);
    load_four_transposed(b, at(row + (lane & 15), n + (lane & 16) / 2));
  }
};

/// a of elements k .. k + 15 of rows first .. first + 15 in global memory; rows from `valid` on are zeros.
__device__ inline void load_rows(uint32_t (&a)[4], const bf16* from, int64_t ld, int64_t first, int64_t valid, int k) {
  const int lane = static_cast<int>(threadIdx.x % 32), t = lane % 4;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int64_t row = first + lane / 4 + (i & 1) * 8;
    const int column = k + 2 * t + (i & 2) * 4;
    a[i] = row < valid ? *reinterpret_cast<const uint32_t*>(from + row * ld + column) : 0u;
  }
}

/// a [16, 16] of two c [16, 8] beside each other, rounded.
__device__ inline void as_rows(uint32_t (&a)[4], const float (&left)[4], const float (&right)[4]) {
  a[0] = pack(left[0], left[1]), a[1] = pack(left[2], left[3]);
  a[2] = pack(right[0], right[1]), a[3] = pack(right[2], right[3]);
}

/// Sum or maximum over the four lanes that share rows of c.
template <class Combine>
__device__ inline float over_row(float value, Combine&& combine) {
  value = combine(value, __shfl_xor_sync(kAllLanes, value, 1));
  return combine(value, __shfl_xor_sync(kAllLanes, value, 2));
}

}  // namespace schemoe::cuda::mma
