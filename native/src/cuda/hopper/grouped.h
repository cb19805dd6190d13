// Products of groups with numbers of rows of their own, in bfloat16, by one kernel for Hopper GPUs.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <span>

namespace schemoe::cuda::hopper {

/// The groups of `Grouped` that have rows.
struct Groups {
  std::span<const int32_t> first;  // row of the matrices that have rows
  std::span<const int32_t> rows;   // at least 1
  std::span<const int32_t> number;  // rising: which of the matrices without rows, and of the biases
};

/// C = relu?(alpha op(A) op(B) + beta C + bias) for each group, row-major, all bfloat16.
struct Grouped {
  /// Without it the rows are those of A and C, and B [k x n] or with trans_b [n x k] of each group lies
  /// `stride` elements after the one before; with it they are those of A [rows x m] and B [rows x n], are
  /// summed over, and C [m x n] of each group lies `stride` elements after the one before.
  bool trans_a;
  bool trans_b;  // not with trans_a
  int64_t m, n, k;  // m with trans_a only, k without only
  const void* a;
  const void* b;
  void* c;
  int64_t lda, ldb, ldc, stride;
  const void* bias;  // n of each group, or nullptr
  int64_t bias_stride;
  float alpha, beta;
  bool relu;
};

/// Whether the kernel does products of that form: by their alignment, not their numbers of rows.
bool fits(const Grouped& product);

/// Enqueues it on up to `multiprocessors` of a GPU of compute capability 9.0, without workspace. Sums are
/// in an order that depends on k alone: a row's results do not depend on its place or on other rows.
/// Rows, columns and groups must be fewer than 2^30.
void run(const Grouped& product, const Groups& groups, int multiprocessors, cudaStream_t stream);

}  // namespace schemoe::cuda::hopper
