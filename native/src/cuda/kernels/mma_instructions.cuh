// Instructions of a warp that CUDA C++ has no functions for: products of 16 x 16 and 16 x 8 fragments of bfloat16, loads of
// fragments, copies into shared memory that go on meanwhile. The tests' emulation has this header in its own way.
#pragma once

#include <cstdint>

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

/// Begins to copy 16 bytes into shared memory, or to write zeros there.
__device__ inline void copy_sixteen(uint32_t to, const void* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(there ? 16 : 0));
}

}  // namespace schemoe::cuda::mma
