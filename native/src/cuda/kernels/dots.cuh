// Dot products of rows.
#pragma once

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

/// Part of a dot product: products of bfloat16 are exact in float32, and few are added before double takes over.
template <class T, int V>
__device__ inline void add_products(double& sum, const float (&u)[V], const float (&v)[V]) {
  if constexpr (sizeof(T) == 2) {
    float few = 0;
#pragma unroll
    for (int n = 0; n < V; ++n) few = __fmaf_rn(u[n], v[n], few);
    sum += few;
  } else {
#pragma unroll
    for (int n = 0; n < V; ++n) sum = fma(static_cast<double>(u[n]), static_cast<double>(v[n]), sum);
  }
}

}  // namespace schemoe::cuda
