// Products of a gate with float32 among their factors, by the tensor cores of Hopper GPUs for bfloat16: a float32 is
// exactly the sum of three bfloat16, its planes.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <span>

#include "cuda/kernels/kernels.h"

namespace schemoe::cuda::hopper {

/// A float32 matrix as bfloat16 [plane, rows, columns], the most significant plane first.
struct Planes {
  void* data;
  int64_t rows, columns;  // multiples of 8 columns

  static size_t bytes(int64_t planes, int64_t rows, int64_t columns) {
    return static_cast<size_t>(planes * rows * columns) * 2;
  }
};

/// Writes two or three planes of a matrix.
void split(const float* from, int64_t ld, const Planes& to, int planes, cudaStream_t stream);

/// C [m, n] = alpha X P + beta C in float32: X bfloat16, and P the sum of three planes. `across`: X is [k, m], P [k, n]
/// and C is written transposed; otherwise X is [m, k] and P [n, k]. After each 64 along k float32 sums in registers take
/// over.
struct PlaneSums {
  bool across;
  int64_t m, n, k;
  const void* x;
  int64_t ldx;
  Planes planes;
  float* c;
  int64_t ldc;
  float alpha, beta;
};
/// Floats that it needs to sum parts of k; 0 where one block has all of k.
int64_t partial_of(const PlaneSums& sums);
void run(const PlaneSums& sums, float* partial, cudaStream_t stream);

/// C [m, n] = alpha A B + beta C in bfloat16, where A [m, k] and B [k, n] are the first two planes of each, of which
/// the product of both second ones is left out: C keeps 8 bits.
struct PlaneRows {
  int64_t m, n, k;  // k at most kMostDeep
  Planes a, b;
  void* c;
  int64_t ldc;
  float alpha, beta;
};
inline constexpr int64_t kMostDeep = 512;
void run(const PlaneRows& rows, cudaStream_t stream);

}  // namespace schemoe::cuda::hopper
