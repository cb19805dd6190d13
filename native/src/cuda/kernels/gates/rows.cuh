// Rows of a matrix that lie in the registers of a warp.
#pragma once

#include <type_traits>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::gates {

/// Of a block, unless a kernel says otherwise.
inline constexpr int kWarps = 4;
inline constexpr int kThreads = 32 * kWarps;

/// What a lane has of a row of at most G * N numbers that G lanes of a warp share, V of them side by side. N = 0: a
/// row of any length, which stays in memory.
template <int N, int V, class T = float, int G = 32>
struct Own {
  static_assert(N % V == 0);
  T values[N];
  static __device__ int number(int i, int lane) { return i / V * (G * V) + lane * V + i % V; }
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

template <class T, int G>
struct Own<0, 1, T, G> {
  T* values;
  __device__ void load(const T* from, int, int) { values = const_cast<T*>(from); }
  __device__ void store(T*, int, int) const {}
  __device__ void place(T* at) { values = at; }
};

/// Calls `body` with the number of each element of this lane and the elements themselves.
template <int N, int V, int G, class Body, class... T>
__device__ __forceinline__ void each(int rows, int lane, Body&& body, Own<N, V, T, G>&... own) {
  if constexpr (N == 0) {
    for (int e = lane; e < rows; e += G) body(e, own.values[e]...);
  } else {
#pragma unroll
    for (int i = 0; i < N; i += V) {
      const int e = Own<N, V, float, G>::number(i, lane);
      if (e >= rows) continue;  // rows are a multiple of V
#pragma unroll
      for (int j = 0; j < V; ++j) body(e + j, own.values[i + j]...);
    }
  }
}

/// The rows of a warp, one after another, for G lanes each. Lanes without a row have the last one, whose results they
/// must not write: all lanes take part in what a warp does together.
template <int G>
struct RowOf {
  int64_t count, first, index;
  bool has;
  __device__ explicit RowOf(int64_t rows)
      : count(rows), first((int64_t{blockIdx.x} * (blockDim.x / 32) + threadIdx.x / 32) * (32 / G)) {
    find();
  }
  __device__ void find() {
    index = first + threadIdx.x % 32 / G;
    has = index < count;
    index = has ? index : count - 1;
  }
  __device__ bool any() const { return first < count; }
  __device__ void next() {
    first += int64_t{gridDim.x} * (blockDim.x / 32) * (32 / G);
    find();
  }
};

/// Of what a lane has of a row: few in registers, any number in memory.
template <int N>
using Sum = std::conditional_t<N == 0, double, float>;

template <int G>
__device__ inline float group_max(float value) {
#pragma unroll
  for (int step = G / 2; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(kAllLanes, value, step));
  return value;
}

template <int G, class T>
__device__ inline T group_sum(T value) {
#pragma unroll
  for (int step = G / 2; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}

template <int G>
__device__ inline uint32_t group_max(uint32_t value) {
  if constexpr (G == 32) {
    return __reduce_max_sync(kAllLanes, value);
  } else {
#pragma unroll
    for (int step = G / 2; step > 0; step /= 2) value = max(value, __shfl_xor_sync(kAllLanes, value, step));
    return value;
  }
}

template <int G>
__device__ inline uint32_t group_min(uint32_t value) {
  return ~group_max<G>(~value);
}

/// Larger for what goes first: NaN, then larger numbers. Never 0; both zeros have the same.
__device__ inline uint32_t key_of(float x) {
  // -0 becomes 0, and every NaN the one of all ones.
  const uint32_t bits = __float_as_uint(__fadd_rn(x, 0.0f));
  return bits ^ (static_cast<uint32_t>(static_cast<int32_t>(bits) >> 31) | 0x80000000u);
}

__device__ inline float number_of(uint32_t key) {
  return __uint_as_float(key == 0xffffffffu ? 0x7fc00000u : key & 0x80000000u ? key ^ 0x80000000u : ~key);
}

template <int N>
using Int = std::integral_constant<int, N>;

/// Calls `body` with N, V and G for rows of that length, of matrices that begin at `data`.
template <class Body>
void with_row(int64_t rows, std::initializer_list<const void*> data, Body&& body) {
  const bool wide = rows % 4 == 0 && std::all_of(data.begin(), data.end(), aligned);
  if (rows > 1024) return body(Int<0>{}, Int<1>{}, Int<32>{});
  if (wide) {
    if (rows <= 32) return body(Int<4>{}, Int<4>{}, Int<8>{});
    if (rows <= 64) return body(Int<8>{}, Int<4>{}, Int<8>{});
    if (rows <= 128) return body(Int<8>{}, Int<4>{}, Int<16>{});
    if (rows <= 256) return body(Int<8>{}, Int<4>{}, Int<32>{});
    if (rows <= 512) return body(Int<16>{}, Int<4>{}, Int<32>{});
    return body(Int<32>{}, Int<4>{}, Int<32>{});
  }
  if (rows <= 32) return body(Int<4>{}, Int<1>{}, Int<8>{});
  if (rows <= 128) return body(Int<8>{}, Int<1>{}, Int<16>{});
  if (rows <= 512) return body(Int<16>{}, Int<1>{}, Int<32>{});
  return body(Int<32>{}, Int<1>{}, Int<32>{});
}

/// Most that are chosen from rows whose lanes have them by fours (`few.cuh`).
inline constexpr int kMostFew = 8;

/// Whether so many of a row's lanes have it by fours.
template <int N, int V, int G>
inline constexpr bool kByFours = V == 4 && N >= 16 && G <= 16;

/// Calls `body` with N, V and G for rows as `with_row` does, but with fewer lanes for each, of Most numbers at most, where
/// they have fours: what a row costs beside its numbers is then shared by more rows of a warp.
template <int Most, class Body>
void with_few_lanes(int64_t rows, std::initializer_list<const void*> data, Body&& body) {
  static_assert(Most == 16 || Most == 32);
  const bool wide = rows % 4 == 0 && std::all_of(data.begin(), data.end(), aligned);
  if (!wide || rows <= 32 || rows > 16 * Most) return with_row(rows, data, body);
  if (rows <= 64) return body(Int<16>{}, Int<4>{}, Int<4>{});
  if (rows <= 128) return body(Int<Most>{}, Int<4>{}, Int<128 / Most>{});
  if (rows <= 256) return body(Int<Most>{}, Int<4>{}, Int<256 / Most>{});
  if constexpr (Most == 32) return body(Int<Most>{}, Int<4>{}, Int<16>{});
}

/// The same for rows of which k are chosen.
template <int Most, class Body>
void with_chosen(int64_t rows, int64_t k, std::initializer_list<const void*> data, Body&& body) {
  if (k <= kMostFew) with_few_lanes<Most>(rows, data, body);
  else with_row(rows, data, body);
}

/// Words of shared memory for a row: rows side by side, which 4 lanes have each, begin in different banks.
__host__ __device__ inline int row_words(int rows, int lanes) { return (rows + 3) / 4 * 4 + (lanes == 4 ? 16 : 0); }

/// Blocks for G lanes per row; rows that stay in memory have scratch memory for each warp, so there are fewer.
inline unsigned row_blocks(int64_t count, int64_t rows, int lanes) {
  const int64_t blocks = ceil_div(count, kWarps * (32 / lanes));
  return grid_of(rows > 1024 ? std::min<int64_t>(blocks, 264) : blocks);
}

/// Numbers of a row in shared memory, so that each row begins where vectors can.
__host__ __device__ inline int64_t stride_of(int64_t rows) { return (rows + 3) / 4 * 4; }

/// The first of as many bytes of shared memory as the launch asked for.
__device__ inline uint4* shared_memory() {
  DYNAMIC_SHARED(uint4, memory);
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
