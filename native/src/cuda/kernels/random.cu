// Random numbers: a thread makes the four of a Philox block. Bound by arithmetic (about 40 instructions
// a number), not by memory.
#include "cuda/kernels/launch.cuh"
#include "runtime/normals.h"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;

/// out[i] for i in 0 .. count - 1 is number first + i of the stream.
template <class T>
__global__ void __launch_bounds__(kThreads)
    random_kernel(T* out, int64_t count, int64_t first, uint64_t seed, uint64_t stream, float scale, bool whole) {
  const int64_t begin = first / normals::kBlock, end = (first + count + normals::kBlock - 1) / normals::kBlock;
  for (int64_t block = begin + int64_t{blockIdx.x} * kThreads + threadIdx.x; block < end;
       block += int64_t{gridDim.x} * kThreads) {
    const auto random =
        normals::block_words(seed, stream, static_cast<uint32_t>(block), static_cast<uint32_t>(uint64_t(block) >> 32));
    float made[normals::kBlock];
#pragma unroll
    for (int pair = 0; pair < normals::kBlock; pair += 2) {
      const float radius = __fsqrt_rn(normals::minus_two_log(random.word[pair]));
      const auto turn = normals::turn(random.word[pair + 1]);
      made[pair] = radius * turn.cosine * scale;
      made[pair + 1] = radius * turn.sine * scale;
    }
    const int64_t at = block * normals::kBlock - first;
    if (whole && at + normals::kBlock <= count) {
      store(out + at, made);
      continue;
    }
#pragma unroll
    for (int i = 0; i < normals::kBlock; ++i) {
      if (at + i >= 0 && at + i < count) from_float(out[at + i], made[i]);
    }
  }
}

}  // namespace

void run(const RandomNormal& r, const Context& context) {
  if (r.count == 0) return;
  with_type(r.dtype, [&](auto element) {
    using T = decltype(element);
    T* out = context.at<T>(r.out);
    LAUNCH(context.stream, grid_of(ceil_div(r.count / normals::kBlock + 2, kThreads)), kThreads, 0, random_kernel<T>, out, r.count,
           r.first, r.seed, r.stream, static_cast<float>(r.scale), r.first % normals::kBlock == 0 && aligned(out));
  });
}

}  // namespace schemoe::cuda
