// What choosing an algorithm needs: numbers to multiply, and results compared bit for bit.
#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/tuning.h"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;
constexpr unsigned kBlocks = 1056;

/// Both signs and magnitudes from 2^-7 to 2: their sums round often, so that another order shows.
template <class T>
__global__ void __launch_bounds__(kThreads) numbers_kernel(T* to, int64_t count, uint32_t seed) {
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += int64_t{gridDim.x} * kThreads) {
    uint64_t x = (static_cast<uint64_t>(i) + 1) * 0x9e3779b97f4a7c15ull + seed;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    x ^= x >> 31;
    const auto exponent = static_cast<uint32_t>(120 + (x >> 32) % 8);
    from_float(to[i], __uint_as_float(static_cast<uint32_t>(x) & 0x807fffffu | exponent << 23));
  }
}

__global__ void __launch_bounds__(kThreads)
    differences_kernel(const uint16_t* a, const uint16_t* b, int64_t words, unsigned* different) {
  unsigned mine = 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < words; i += int64_t{gridDim.x} * kThreads) {
    mine |= a[i] != b[i];
  }
  if (__syncthreads_or(static_cast<int>(mine)) && threadIdx.x == 0) atomicOr(different, 1u);
}

}  // namespace

void numbers(void* to, int64_t count, schemoe_dtype dtype, uint32_t seed, cudaStream_t stream) {
  with_type(dtype, [&](auto element) {
    using T = decltype(element);
    LAUNCH(stream, kBlocks, kThreads, 0, numbers_kernel<T>, static_cast<T*>(to), count, seed);
  });
}

void find_difference(const void* a, const void* b, int64_t bytes, unsigned* different, cudaStream_t stream) {
  LAUNCH(stream, kBlocks, kThreads, 0, differences_kernel, static_cast<const uint16_t*>(a),
         static_cast<const uint16_t*>(b), bytes / 2, different);
}

}  // namespace schemoe::cuda
