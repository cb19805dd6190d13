// Products of groups with numbers of rows of their own, in bfloat16, by one kernel for Hopper GPUs.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <span>

namespace schemoe::cuda::hopper {

/// Whether a group's matrix of that many elements is small enough that sums over rows are this kernel's, that products
/// are worth doing together, and that many groups are worth one launch: measured on an H200 up to 4096 x 1024. Larger
/// ones are read or written about once, in longer lines by the library and in fewer places by smaller launches
/// (7168 x 2048, 128 rows a group).
constexpr bool is_fine(int64_t elements) { return elements <= int64_t{4096} * 1024; }

/// Groups of `Grouped`.
struct Groups {
  std::span<const int32_t> first;  // row of the matrices that have rows
  std::span<const int32_t> rows;   // at least 1, or with trans_a at least 0
  std::span<const int32_t> number;  // without trans_a rising: which of the matrices without rows, and of the biases
};

/// C = relu?(alpha op(A) op(B) + beta C + bias) for each group, row-major, all bfloat16.
/// Without trans_a the rows are those of A [rows x k] and C [rows x n], and B [k x n] or with trans_b [n x k] of each
/// group lies `stride` elements after that of the one before. With it, and without trans_b, they are those of
/// A [rows x m] and B [rows x n], are summed over, and C [m x n] of each group lies `stride` elements after that of
/// the one before.
struct Grouped {
  bool trans_a, trans_b;
  int64_t m, n, k;  // m with trans_a, k without
  const void* a;
  const void* b;
  void* c;
  int64_t lda, ldb, ldc, stride;
  const void* bias;  // n of each group, or nullptr
  int64_t bias_stride;
  float alpha, beta;
  bool relu;
  // With trans_a, C2 = alpha op(A) B2 + beta C2, which lie as the first.
  // Without trans_a, either the product of a second pair, which lies as the first, is added to it:
  const void* a2 = nullptr;
  const void* b2 = nullptr;
  // or C2 = alpha A B2 and `gated` = silu(C) C2, elementwise, of numbers as they are stored; without trans_b, beta, bias.
  void* c2 = nullptr;
  void* gated = nullptr;
  int64_t ld_gated = 0;
  // or, with trans_b, without beta and bias: C is what comes back from silu(x1) x3, and in its place is written the
  // gradient of x1; that of x3 goes to d3.
  const void* x1 = nullptr;
  const void* x3 = nullptr;
  void* d3 = nullptr;
  int64_t ld_x1 = 0, ld_x3 = 0, ld_d3 = 0;
};

/// Whether the kernel does products of that form: by their alignment, not their numbers of rows.
bool fits(const Grouped& product);

/// Enqueues it on up to `multiprocessors` of a GPU of compute capability 9.0, without workspace. Sums are
/// in an order that depends on k alone, or on the number of rows summed over: results do not depend on a row's or
/// group's place or on other rows.
/// Rows, columns and groups must be fewer than 2^30.
void run(const Grouped& product, const Groups& groups, int multiprocessors, cudaStream_t stream);

}  // namespace schemoe::cuda::hopper
