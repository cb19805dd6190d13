// What kernels use of CUDA C++: its words, and what the lanes of a warp and of a block do together.
#pragma once

#include <cuda_runtime_api.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "block.h"
#include "memory.h"

#define __CUDACC__
#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __grid_constant__
#define __cluster_dims__(...)
#define __align__(bytes)

#define threadIdx (::emulated::running.index)
#define blockIdx (::emulated::running.block)
#define blockDim (::emulated::running.threads)
#define gridDim (::emulated::running.blocks)

struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) ulonglong2 { unsigned long long x, y; };
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline ulonglong2 make_ulonglong2(unsigned long long x, unsigned long long y) { return {x, y}; }

namespace emulated {

template <class T>
EMULATED uint64_t word_of(T value) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  uint64_t word = 0;
  __builtin_memcpy(&word, &value, sizeof value);
  return word;
}
template <class T>
EMULATED T value_of(uint64_t word) {
  T value;
  __builtin_memcpy(&value, &word, sizeof value);
  return value;
}

template <class T>
EMULATED T shuffle(unsigned mask, T value, unsigned from, Where where) {
  return value_of<T>(gather(Together::shuffle, mask, word_of(value), where)[from % 32]);
}

template <class T, class Two>
EMULATED T reduce(unsigned mask, T value, Where where, Two two) {
  const uint64_t* words = gather(Together::reduce, mask, word_of(value), where);
  T all = value_of<T>(words[0]);
  for (int i = 1; i < 32; ++i) all = two(all, value_of<T>(words[i]));
  return all;
}

EMULATED unsigned vote(unsigned mask, bool mine, Where where) {
  const uint64_t* words = gather(Together::vote, mask, mine, where);
  unsigned votes = 0;
  for (int i = 0; i < 32; ++i) votes |= static_cast<unsigned>(words[i]) << i;
  return votes;
}

template <class T, class Next>
EMULATED T change(T* at, Next next) {
  use(at, sizeof(T), Access::atomic, __builtin_return_address(0));
  const T before = *at;
  *at = next(before);
  return before;
}

}  // namespace emulated

#define WHERE ::emulated::Where where = ::emulated::Where::current()

EMULATED void __syncthreads(WHERE) { ::emulated::sync_block(where); }
EMULATED int __syncthreads_or(int mine, WHERE) {
  static int any[2], turn = 0;  // the first one of a turn clears it for the next
  static int come = 0;
  if (come++ == 0) any[turn] = 0;
  any[turn] |= mine != 0;
  const int at = turn;
  if (come == static_cast<int>(blockDim.x * blockDim.y * blockDim.z)) come = 0, turn ^= 1;
  ::emulated::sync_block(where);
  return any[at];
}
EMULATED void __syncwarp(unsigned mask = 0xffffffffu, WHERE) { ::emulated::gather(::emulated::Together::sync, mask, 0, where); }
inline size_t __cvta_generic_to_shared(const void* at) { return reinterpret_cast<uintptr_t>(at) - ::emulated::dynamic.begin; }
template <class... Parameters>
cudaError_t cudaFuncSetAttribute(void (*)(Parameters...), cudaFuncAttribute, int) {
  return cudaSuccess;
}
inline void __threadfence() {}
inline void __threadfence_system() {}
inline void __nanosleep(unsigned) {}

template <class T>
EMULATED T __shfl_sync(unsigned mask, T value, int from, int width = 32, WHERE) {
  const unsigned lane = ::emulated::lane(), w = static_cast<unsigned>(width);
  return ::emulated::shuffle(mask, value, lane / w * w + static_cast<unsigned>(from) % w, where);
}
template <class T>
EMULATED T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32, WHERE) {
  const unsigned lane = ::emulated::lane(), from = lane ^ static_cast<unsigned>(with), w = static_cast<unsigned>(width);
  return ::emulated::shuffle(mask, value, from / w > lane / w ? lane : from, where);
}
template <class T>
EMULATED T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, WHERE) {
  const unsigned lane = ::emulated::lane();
  return ::emulated::shuffle(mask, value, lane % static_cast<unsigned>(width) < by ? lane : lane - by, where);
}
template <class T>
EMULATED T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, WHERE) {
  const unsigned lane = ::emulated::lane(), w = static_cast<unsigned>(width);
  return ::emulated::shuffle(mask, value, lane % w + by >= w ? lane : lane + by, where);
}
template <class T>
EMULATED T __reduce_max_sync(unsigned mask, T value, WHERE) {
  return ::emulated::reduce(mask, value, where, [](T a, T b) { return a > b ? a : b; });
}
template <class T>
EMULATED T __reduce_min_sync(unsigned mask, T value, WHERE) {
  return ::emulated::reduce(mask, value, where, [](T a, T b) { return a < b ? a : b; });
}
template <class T>
EMULATED T __reduce_add_sync(unsigned mask, T value, WHERE) {
  return ::emulated::reduce(mask, value, where, [](T a, T b) { return static_cast<T>(a + b); });
}
EMULATED unsigned __ballot_sync(unsigned mask, bool mine, WHERE) { return ::emulated::vote(mask, mine, where); }
EMULATED int __any_sync(unsigned mask, bool mine, WHERE) { return ::emulated::vote(mask, mine, where) != 0; }
EMULATED int __all_sync(unsigned mask, bool mine, WHERE) { return ::emulated::vote(mask, mine, where) == 0xffffffffu; }
template <class T>
EMULATED unsigned __match_any_sync(unsigned mask, T value, WHERE) {
  const uint64_t mine = ::emulated::word_of(value);
  const uint64_t* words = ::emulated::gather(::emulated::Together::match, mask, mine, where);
  unsigned same = 0;
  for (int i = 0; i < 32; ++i) same |= static_cast<unsigned>(words[i] == mine) << i;
  return same;
}

template <class T>
EMULATED T atomicAdd(T* at, std::type_identity_t<T> more) {
  return ::emulated::change(at, [=](T before) { return static_cast<T>(before + more); });
}
template <class T>
EMULATED T atomicExch(T* at, std::type_identity_t<T> other) {
  return ::emulated::change(at, [=](T) { return other; });
}
template <class T>
EMULATED T atomicOr(T* at, std::type_identity_t<T> more) {
  return ::emulated::change(at, [=](T before) { return before | more; });
}
template <class T>
EMULATED T atomicMin(T* at, std::type_identity_t<T> other) {
  return ::emulated::change(at, [=](T before) { return other < before ? other : before; });
}
template <class T>
EMULATED T atomicMax(T* at, std::type_identity_t<T> other) {
  return ::emulated::change(at, [=](T before) { return before < other ? other : before; });
}
template <class T>
EMULATED T atomicCAS(T* at, std::type_identity_t<T> expected, std::type_identity_t<T> wanted) {
  return ::emulated::change(at, [=](T before) { return before == expected ? wanted : before; });
}

inline int __popc(unsigned word) { return std::popcount(word); }
inline int __ffs(int word) { return __builtin_ffs(word); }
inline int __clz(int word) { return std::countl_zero(static_cast<unsigned>(word)); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(uint64_t{a} * b >> 32); }
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned which) {
  const uint64_t bytes = uint64_t{b} << 32 | a;
  unsigned word = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned chosen = which >> (4 * i) & 15u;
    unsigned byte = static_cast<unsigned>(bytes >> (8 * (chosen & 7u))) & 0xffu;
    if (chosen & 8u) byte = byte & 0x80u ? 0xffu : 0;
    word |= byte << (8 * i);
  }
  return word;
}
inline unsigned __vmaxu2(unsigned a, unsigned b) {
  return std::max(a & 0xffff0000u, b & 0xffff0000u) | std::max(a & 0xffffu, b & 0xffffu);
}

inline float __uint_as_float(unsigned bits) { return std::bit_cast<float>(bits); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __int_as_float(int bits) { return std::bit_cast<float>(bits); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }

namespace emulated {
/// Every NaN that a GPU computes is this one.
inline float computed(float value) { return value != value ? __uint_as_float(0x7fffffffu) : value; }
}  // namespace emulated
inline float __fadd_rn(float a, float b) { return ::emulated::computed(a + b); }
inline float __fsub_rn(float a, float b) { return ::emulated::computed(a - b); }
inline float __fmul_rn(float a, float b) { return ::emulated::computed(a * b); }
inline float __fdiv_rn(float a, float b) { return ::emulated::computed(a / b); }
inline float __fsqrt_rn(float a) { return ::emulated::computed(std::sqrt(a)); }
inline float __fmaf_rn(float a, float b, float c) { return ::emulated::computed(std::fma(a, b, c)); }
/// Rounded down; what the sum in double lacks is exact (Knuth, TAOCP 2, 4.2.2).
inline float __fadd_rd(float first, float second) {
  const double a = first, b = second, sum = a + b, part = sum - a, lacks = (a - (sum - part)) + (b - part);
  const auto near = static_cast<float>(sum);
  const bool above = near > sum || (near == sum && lacks < 0);
  return ::emulated::computed(above ? std::nextafter(near, -std::numeric_limits<float>::infinity()) : near);
}
template <class T>
EMULATED T __ldcs(const T* from) { return *from; }
inline float __expf(float x) { return std::exp(x); }
inline float __fdividef(float a, float b) { return a / b; }

// The names that CUDA has outside of namespaces, of several types each.
using std::abs, std::ceil, std::cos, std::erf, std::exp, std::fabs, std::floor, std::fma, std::fmax, std::fmin;
using std::isfinite, std::isinf, std::isnan, std::log, std::log1p, std::pow, std::rint, std::sin, std::sqrt, std::tanh;
template <class A, class B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  using T = std::common_type_t<A, B>;
  return static_cast<T>(b) < static_cast<T>(a) ? static_cast<T>(b) : static_cast<T>(a);
}
template <class A, class B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  using T = std::common_type_t<A, B>;
  return static_cast<T>(a) < static_cast<T>(b) ? static_cast<T>(b) : static_cast<T>(a);
}
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
