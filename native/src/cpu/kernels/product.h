// Matrix products inside kernels.
#pragma once

#include <cstdint>

namespace schemoe {

/// A row-major matrix, or its transpose.
struct Factor {
  const float* data;
  int64_t ld;
  bool transposed = false;
};

/// C [m, n] = alpha A [m, k] B [k, n] + beta C.
void product(int64_t m, int64_t n, int64_t k, float alpha, const Factor& a, const Factor& b, float beta, float* c,
             int64_t ld);

}  // namespace schemoe
