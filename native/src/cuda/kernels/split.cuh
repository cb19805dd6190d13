// What products share that multiply a float32 factor by tensor cores for bfloat16: a float32 is exactly the sum of
// three bfloat16, products of two bfloat16 are exact in float32, and few of them are added in a tensor core before a
// float32 sum takes over. Fixed order, so equal inputs give equal bits.
#pragma once

#include "cuda/kernels/mma.cuh"

namespace schemoe::cuda::split {

inline constexpr int kThreads = 128;
inline constexpr int kPlanes = 3;

/// Two values as pairs of bfloat16, the most significant first; what is left after P is dropped.
template <int P>
__device__ inline void split(uint32_t (&planes)[P], float a, float b) {
#pragma unroll
  for (int p = 0; p < P; ++p) {
    planes[p] = pack(a, b);
    const float2 taken = halves_of(planes[p]);
    a = __fsub_rn(a, taken.x), b = __fsub_rn(b, taken.y);
  }
}

/// c += a b: [16, 16] by [16, 8].
__device__ inline void multiply(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  mma::multiply(c, a, b[0], b[1]);
}

__device__ inline void load_transposed(uint32_t (&to)[4], const bf16* from) {
  mma::load_four_transposed(to, static_cast<uint32_t>(__cvta_generic_to_shared(from)));
}

struct Sizes {
  int64_t m, n, k;
  int64_t lda, ldb;
  int64_t each;  // of k, for a block
};

inline bool fits(const Context& context, const Matrix& matrix, int64_t by) {
  return aligned(context.at<void>(matrix.view)) && matrix.ld % by == 0;
}

/// Each is false where the product does not fit.
bool scores(const Gemm& g, const Context& context);
bool weights(const Gemm& g, const Context& context);
bool rows(const Gemm& g, const Context& context);
/// Of more than 64 experts.
bool wide_rows(const Gemm& g, const Context& context);

}  // namespace schemoe::cuda::split
