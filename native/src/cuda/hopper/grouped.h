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

/// C = relu?(alpha A op(B) + beta C + bias) for each group, row-major, all bfloat16.
struct Grouped {
  bool trans_b;
  int64_t n, k;
  const void* a;  // rows x k
  const void* b;  // [k x n] or with trans_b [n x k] of each group, `stride` elements after that of the one before
  void* c;        // rows x n
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
