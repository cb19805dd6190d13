// In place of the header of that name in src.
#pragma once

#include <cuda_runtime.h>

#include "cuda/hopper/factors.cuh"
#include "hopper.h"

namespace schemoe::cuda::hopper {

inline void begin_products() {}
inline void commit_products() { ::emulated::commit_products(); }
template <int kLeft>
inline void await_products(WHERE) { ::emulated::await_products(kLeft, where); }
template <class T, int N>
inline void settle(T (&)[N][4]) {}

template <int N, bool kAcrossA, bool kAcrossB>
inline void multiply(Sums<N>& d, uint64_t a, uint64_t b, int32_t add, WHERE) {
  ::emulated::multiply({N, kAcrossA, kAcrossB, add != 0, a, b, nullptr, d[0]}, where);
}
template <int N, bool kAcrossB>
inline void multiply(Sums<N>& d, const uint32_t (&a)[4], uint64_t b, int32_t add, WHERE) {
  ::emulated::multiply({N, false, kAcrossB, add != 0, 0, b, a, d[0]}, where);
}

}  // namespace schemoe::cuda::hopper
