// Launching, and loads and stores of several elements at once.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "cuda/check.h"
#include "cuda/kernels/kernels.h"
#include "cuda/kernels/preload.h"

#ifndef LAUNCH  // the tests' emulation on the CPU has these in its way
/// Launches on the context's stream and checks that it could be.
#define LAUNCH(stream, grid, block, shared, kernel, ...)                       \
  do {                                                                         \
    kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__);              \
    ::schemoe::cuda::check(cudaGetLastError(), #kernel, __FILE__, __LINE__);   \
  } while (false)
/// The same of a kernel with __cluster_dims__, clusters of so many blocks.
#define LAUNCH_CLUSTERS(blocks, ...) LAUNCH(__VA_ARGS__)
/// Declares the shared memory that a launch asks for.
#define DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#endif

namespace schemoe::cuda {

namespace {

/// By this one all kernels of the source file that includes this header are found.
__global__ void first_kernel() {}
[[maybe_unused]] const bool kNoted = note_kernels(reinterpret_cast<const void*>(&first_kernel));

}  // namespace

using bf16 = __nv_bfloat16;

inline constexpr unsigned kAllLanes = 0xffffffffu;

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// A grid of at most 2^31 - 1 blocks; kernels are grid-stride loops.
inline unsigned grid_of(int64_t blocks) {
  return static_cast<unsigned>(std::clamp<int64_t>(blocks, 1, INT32_MAX));
}

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(bf16 x) { return __bfloat162float(x); }
__device__ inline void from_float(float& to, float x) { to = x; }
__device__ inline void from_float(bf16& to, float x) { to = __float2bfloat16_rn(x); }

/// N elements from memory aligned to all of them (up to 16 bytes), or one.
template <int N>
__device__ inline void load(float (&to)[N], const float* from) {
  if constexpr (N % 4 == 0) {
#pragma unroll
    for (int i = 0; i < N / 4; ++i) {
      const float4 v = reinterpret_cast<const float4*>(from)[i];
      to[4 * i] = v.x, to[4 * i + 1] = v.y, to[4 * i + 2] = v.z, to[4 * i + 3] = v.w;
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = from[i];
  }
}

__device__ inline float2 halves_of(uint32_t word) {
  return make_float2(__uint_as_float(word << 16), __uint_as_float(word & 0xffff0000u));
}

template <int N>
__device__ inline void load(float (&to)[N], const bf16* from) {
  if constexpr (N % 8 == 0) {
#pragma unroll
    for (int i = 0; i < N / 8; ++i) {
      const uint4 v = reinterpret_cast<const uint4*>(from)[i];
      const uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float2 pair = halves_of(words[j]);
        to[8 * i + 2 * j] = pair.x, to[8 * i + 2 * j + 1] = pair.y;
      }
    }
  } else if constexpr (N == 4) {
    const uint2 v = *reinterpret_cast<const uint2*>(from);
    const float2 a = halves_of(v.x), b = halves_of(v.y);
    to[0] = a.x, to[1] = a.y, to[2] = b.x, to[3] = b.y;
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = __bfloat162float(from[i]);
  }
}

template <int N>
__device__ inline void store(float* to, const float (&from)[N]) {
  if constexpr (N % 4 == 0) {
#pragma unroll
    for (int i = 0; i < N / 4; ++i) {
      reinterpret_cast<float4*>(to)[i] = make_float4(from[4 * i], from[4 * i + 1], from[4 * i + 2], from[4 * i + 3]);
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = from[i];
  }
}

__device__ inline uint32_t pack(float a, float b) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(a, b);
  return *reinterpret_cast<const uint32_t*>(&pair);
}

template <int N>
__device__ inline void store(bf16* to, const float (&from)[N]) {
  if constexpr (N % 8 == 0) {
#pragma unroll
    for (int i = 0; i < N / 8; ++i) {
      const float* f = from + 8 * i;
      reinterpret_cast<uint4*>(to)[i] =
          make_uint4(pack(f[0], f[1]), pack(f[2], f[3]), pack(f[4], f[5]), pack(f[6], f[7]));
    }
  } else if constexpr (N == 4) {
    *reinterpret_cast<uint2*>(to) = make_uint2(pack(from[0], from[1]), pack(from[2], from[3]));
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = __float2bfloat16_rn(from[i]);
  }
}

/// V elements as they lie in memory, so that loads can be under way while others are.
template <class T, int V>
struct Raw {
  static_assert(V == 1 || V * sizeof(T) == 16);
  using Bits = std::conditional_t<V == 1, T, uint4>;
  Bits bits;
  __device__ void read(const T* from) { bits = *reinterpret_cast<const Bits*>(from); }
  __device__ void write(T* to) const { *reinterpret_cast<Bits*>(to) = bits; }
  __device__ void unpack(float (&to)[V]) const {
    if constexpr (V == 1) {
      to[0] = to_float(bits);
    } else if constexpr (sizeof(T) == 4) {
      to[0] = __uint_as_float(bits.x), to[1] = __uint_as_float(bits.y);
      to[2] = __uint_as_float(bits.z), to[3] = __uint_as_float(bits.w);
    } else {
      const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 pair = halves_of(words[i]);
        to[2 * i] = pair.x, to[2 * i + 1] = pair.y;
      }
    }
  }
};

/// Elements in 16 bytes.
template <class T>
inline constexpr int kVector = 16 / sizeof(T);

/// Whether rows of elements of a matrix can be moved 16 bytes at a time.
inline bool aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }

/// Calls `body` with an element of the type.
template <class Body>
void with_type(schemoe_dtype dtype, Body&& body) {
  if (dtype == SCHEMOE_BF16) body(bf16{});
  else body(float{});
}

/// Calls body(type, elements that are moved at a time).
template <class Body>
void with_vectors(schemoe_dtype dtype, int64_t columns, std::initializer_list<const void*> data, Body&& body) {
  with_type(dtype, [&](auto like) {
    using T = decltype(like);
    bool wide = columns % kVector<T> == 0;
    for (const void* at : data) wide = wide && aligned(at);
    if (wide) body(like, std::integral_constant<int, kVector<T>>{});
    else body(like, std::integral_constant<int, 1>{});
  });
}

template <class T>
__device__ inline T warp_sum(T value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}

}  // namespace schemoe::cuda
