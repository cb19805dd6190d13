// Tensor cores by warps: fragments of 16 x 16 and 16 x 8 tiles of bfloat16, and tiles in shared memory.
#pragma once

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::mma {

/// c += a b: a [16, 16] by rows, b [16, 8] by columns, c [16, 8]. Lane 4 g + t holds of c rows g and g + 8, columns 2 t and 2 t + 1.
__device__ inline void multiply(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Four 8 x 8 matrices; each lane gives the address of one row.
__device__ inline void load_four(uint32_t (&to)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}
__device__ inline void load_four_transposed(uint32_t (&to)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address));
}

__device__ inline void commit() { asm volatile("cp.async.commit_group;"); }
template <int Left>
__device__ inline void wait() { asm volatile("cp.async.wait_group %0;" ::"n"(Left)); }

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
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(at(row, column)), "l"(source),
                   "r"(there ? 16 : 0));
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
