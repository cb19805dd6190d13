// Products by the tensor cores of a Hopper GPU: 64 x N sums in the registers of a warpgroup, of bfloat16
// factors in shared memory. Source: the PTX ISA, chapter on wgmma.
#pragma once

#include "cuda/hopper/factors.cuh"

namespace schemoe::cuda::hopper {

__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Until at most so many groups of products are under way.
template <int kLeft>
__device__ inline void await_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLeft) : "memory");
}

/// Sums are in their registers from here on, and not before: the compiler knows nothing of products under way.
template <int N>
__device__ inline void settle(float (&d)[N][4]) {
#pragma unroll
  for (int j = 0; j < N; ++j) asm volatile("" : "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])::"memory");
}
/// The same of factors that products will read from registers.
template <int N>
__device__ inline void settle(uint32_t (&a)[N][4]) {
#pragma unroll
  for (int i = 0; i < N; ++i) asm volatile("" : "+r"(a[i][0]), "+r"(a[i][1]), "+r"(a[i][2]), "+r"(a[i][3])::"memory");
}

#define SCHEMOE_SUMS_2(d, j) \
  "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3]), "+f"(d[j + 1][0]), "+f"(d[j + 1][1]), \
      "+f"(d[j + 1][2]), "+f"(d[j + 1][3])
#define SCHEMOE_SUMS_8(d, j) \
  SCHEMOE_SUMS_2(d, j), SCHEMOE_SUMS_2(d, j + 2), SCHEMOE_SUMS_2(d, j + 4), SCHEMOE_SUMS_2(d, j + 6)
#define SCHEMOE_NAMES_0 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, " \
  "%23, %24, %25, %26, %27, %28, %29, %30, %31"
#define SCHEMOE_NAMES_32 \
  ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, " \
  "%52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define SCHEMOE_NAMES_64 \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, " \
  "%84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define SCHEMOE_NAMES_96 \
  ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, " \
  "%113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
/// `a`, `b`, `add`, `ta`, `tb`: names of the operands after the sums.
#define SCHEMOE_WGMMA(n, names, a_name, b_name, add_name, ta, tb, ...)                                      \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, " add_name ", 0;\n"                                  \
               "wgmma.mma_async.sync.aligned.m64n" n "k16.f32.bf16.bf16 {" names "}, " a_name ", " b_name   \
               ", adds, 1, 1, " ta ", " tb ";\n}\n"                                                        \
               : __VA_ARGS__                                                                                \
               : "l"(a), "l"(b), "r"(add), "n"(int{kAcrossA}), "n"(int{kAcrossB}))

/// Adds the products of 16 along k to the sums, or puts them there.
template <int N, bool kAcrossA, bool kAcrossB>
__device__ inline void multiply(Sums<N>& d, uint64_t a, uint64_t b, int32_t add) {
  static_assert(N == 64 || N == 128 || N == 192 || N == 256);
  if constexpr (N == 64) {
    SCHEMOE_WGMMA("64", SCHEMOE_NAMES_0, "%32", "%33", "%34", "%35", "%36", SCHEMOE_SUMS_8(d, 0));
  } else if constexpr (N == 128) {
    SCHEMOE_WGMMA("128", SCHEMOE_NAMES_0 SCHEMOE_NAMES_32, "%64", "%65", "%66", "%67", "%68", SCHEMOE_SUMS_8(d, 0),
                  SCHEMOE_SUMS_8(d, 8));
  } else if constexpr (N == 192) {
    SCHEMOE_WGMMA("192", SCHEMOE_NAMES_0 SCHEMOE_NAMES_32 SCHEMOE_NAMES_64, "%96", "%97", "%98", "%99", "%100",
                  SCHEMOE_SUMS_8(d, 0), SCHEMOE_SUMS_8(d, 8), SCHEMOE_SUMS_8(d, 16));
  } else {
    SCHEMOE_WGMMA("256", SCHEMOE_NAMES_0 SCHEMOE_NAMES_32 SCHEMOE_NAMES_64 SCHEMOE_NAMES_96, "%128", "%129", "%130",
                  "%131", "%132", SCHEMOE_SUMS_8(d, 0), SCHEMOE_SUMS_8(d, 8), SCHEMOE_SUMS_8(d, 16),
                  SCHEMOE_SUMS_8(d, 24));
  }
}

#define SCHEMOE_WGMMA_ROWS(n, names, a0, a1, a2, a3, b_name, add_name, tb, ...)                              \
  asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, " add_name ", 0;\n"                                  \
               "wgmma.mma_async.sync.aligned.m64n" n "k16.f32.bf16.bf16 {" names "}, {" a0 ", " a1 ", " a2    \
               ", " a3 "}, " b_name ", adds, 1, 1, " tb ";\n}\n"                                              \
               : __VA_ARGS__                                                                                \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add), "n"(int{kAcrossB}))

/// The same with the first factor in registers: of a thread's rows two elements each at 2 (lane % 4), then eight further.
template <int N, bool kAcrossB>
__device__ inline void multiply(Sums<N>& d, const uint32_t (&a)[4], uint64_t b, int32_t add) {
  static_assert(N == 64 || N == 128);
  if constexpr (N == 64) {
    SCHEMOE_WGMMA_ROWS("64", SCHEMOE_NAMES_0, "%32", "%33", "%34", "%35", "%36", "%37", "%38", SCHEMOE_SUMS_8(d, 0));
  } else {
    SCHEMOE_WGMMA_ROWS("128", SCHEMOE_NAMES_0 SCHEMOE_NAMES_32, "%64", "%65", "%66", "%67", "%68", "%69", "%70",
                       SCHEMOE_SUMS_8(d, 0), SCHEMOE_SUMS_8(d, 8));
  }
}

#undef SCHEMOE_WGMMA_ROWS
#undef SCHEMOE_WGMMA
#undef SCHEMOE_NAMES_96
#undef SCHEMOE_NAMES_64
#undef SCHEMOE_NAMES_32
#undef SCHEMOE_NAMES_0
#undef SCHEMOE_SUMS_8
#undef SCHEMOE_SUMS_2

}  // namespace schemoe::cuda::hopper
