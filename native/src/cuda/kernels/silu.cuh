// SiLU and its derivative, for kernels that have it in their epilogue too.
#pragma once

namespace schemoe::cuda {

/// kQuick: some of the last bits are wrong, which bfloat16 does not keep; a few instructions instead of
/// so many that they and not memory would set the pace.
template <bool kQuick>
struct Silu {
  static __device__ float sigmoid(float x) {
    if constexpr (kQuick) return __fdividef(1.0f, 1.0f + __expf(-x));
    return 1.0f / (1.0f + expf(-x));
  }
  static __device__ float value(float x) { return x * sigmoid(x); }
  static __device__ float slope(float x) {
    const float s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
  }
};

}  // namespace schemoe::cuda
