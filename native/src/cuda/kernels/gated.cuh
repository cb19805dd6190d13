// Gated activations and their derivatives, for kernels that have them in their epilogue too.
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

/// Functions of a and b: the product of an activation and b.
template <class F>
struct Product {
  static __device__ float value(float a, float b) { return F::value(a) * b; }
  static __device__ float grad_a(float from, float a, float b) { return from * b * F::slope(a); }
  static __device__ float grad_b(float from, float a, float) { return from * F::value(a); }
};

}  // namespace schemoe::cuda
