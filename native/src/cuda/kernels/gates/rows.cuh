// Rows of a matrix that lie in the registers of a warp.
#pragma once

#include <type_traits>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::gates {

/// Of a block, unless a kernel says otherwise.
inline constexpr int kWarps = 4;
inline constexpr int kThreads = 32 * kWarps;

/// What a lane has of a row of at most 32 * N numbers, V of them side by side. N = 0: a row of any length, which
/// stays in memory.
template <int N, int V, class T = float>
struct Own {
  static_assert(N % V == 0);
  T values[N];
  static __device__ int number(int i, int lane) { return i / V * (32 * V) + lane * V + i % V; }
  struct alignas(V * sizeof(T)) Vector {
    T values[V];
  };
  /// A row whose length is a multiple of V, aligned to as many; beyond it are zeros.
  __device__ void load(const T* from, int rows, int lane) {
#pragma unroll
    for (int i = 0; i < N; i += V) {
      const int e = number(i, lane);
      Vector vector{};
      if (e < rows) vector = *reinterpret_cast<const Vector*>(from + e);
#pragma unroll
      for (int j = 0; j < V; ++j) values[i + j] = vector.values[j];
    }
  }
  __device__ void store(T* to, int rows, int lane) const {
#pragma unroll
    for (int i = 0; i < N; i += V) {
      const int e = number(i, lane);
      Vector vector;
#pragma unroll
      for (int j = 0; j < V; ++j) vector.values[j] = values[i + j];
      if (e < rows) *reinterpret_cast<Vector*>(to + e) = vector;
    }
  }
  /// Where a row lies that stays in memory.
  __device__ void place(T*) {}
};

template <class T>
struct Own<0, 1, T> {
  T* values;
  __device__ void load(const T* from, int, int) { values = const_cast<T*>(from); }
  __device__ void store(T*, int, int) const {}
  __device__ void place(T* at) { values = at; }
};

/// Calls `body` with the number of each element of this lane and the elements themselves.
template <int N, int V, class Body, class... T>
__device__ __forceinline__ void each(int rows, int lane, Body&& body, Own<N, V, T>&... own) {
  if constexpr (N == 0) {
    for (int e = lane; e < rows; e += 32) body(e, own.values[e]...);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const int e = Own<N, V>::number(i, lane);
      if (e < rows) body(e, own.values[i]...);
    }
  }
}

/// Of what a lane has of a row: few in registers, any number in memory.
template <int N>
using Sum = std::conditional_t<N == 0, double, float>;

__device__ inline float warp_max(float value) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, step));
  return value;
}

/// Larger for what goes first: NaN, then larger numbers. Never 0; both zeros have the same.
__device__ inline uint32_t key_of(float x) {
  if (x != x) return 0xffffffffu;
  const uint32_t bits = __float_as_uint(x + 0.0f);  // -0 is 0
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

__device__ inline float number_of(uint32_t key) {
  return __uint_as_float(key == 0xffffffffu ? 0x7fc00000u : key & 0x80000000u ? key ^ 0x80000000u : ~key);
}

template <int N>
using Int = std::integral_constant<int, N>;

/// Calls `body` with N and V for rows of that length, of matrices that begin at `data`.
template <class Body>
void with_row(int64_t rows, std::initializer_list<const void*> data, Body&& body) {
  const bool wide = std::all_of(data.begin(), data.end(), aligned);
  if (rows > 1024) return body(Int<0>{}, Int<1>{});
  if (rows <= 32) return body(Int<1>{}, Int<1>{});
  if (wide && rows == 64) return body(Int<2>{}, Int<2>{});
  if (wide && rows % 4 == 0) {
    if (rows <= 128) return body(Int<4>{}, Int<4>{});
    if (rows <= 256) return body(Int<8>{}, Int<4>{});
    if (rows <= 512) return body(Int<16>{}, Int<4>{});
    return body(Int<32>{}, Int<4>{});
  }
  if (rows <= 128) return body(Int<4>{}, Int<1>{});
  if (rows <= 512) return body(Int<16>{}, Int<1>{});
  return body(Int<32>{}, Int<1>{});
}

/// Blocks for a warp per row; rows that stay in memory have scratch memory for each warp, so there are fewer.
inline unsigned row_blocks(int64_t count, int64_t rows) {
  const int64_t blocks = ceil_div(count, kWarps);
  return grid_of(rows > 1024 ? std::min<int64_t>(blocks, 264) : blocks);
}

/// The first of as many bytes of shared memory as the launch asked for.
__device__ inline uint4* shared_memory() {
  extern __shared__ uint4 memory[];
  return memory;
}

/// Shared memory beyond what a kernel has without asking.
template <class Kernel>
void allow(Kernel* kernel, size_t bytes) {
  if (bytes <= 48 * 1024) return;
  CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(bytes)));
}

}  // namespace schemoe::cuda::gates
