// Planes of a float32 matrix.
#include "cuda/hopper/planes.h"

#include "cuda/kernels/launch.cuh"
#include "cuda/kernels/split.cuh"

namespace schemoe::cuda::hopper {

namespace {

/// A thread has eight of a row.
template <int P>
__global__ void __launch_bounds__(256)
    split_kernel(int64_t count, int64_t columns, int64_t ld, bool wide, const float* from, bf16* to) {
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count; i += int64_t{gridDim.x} * 256) {
    const int64_t row = i * 8 / columns;
    const float* at = from + row * ld + (i * 8 - row * columns);
    float v[8];
    if (wide) {
      load(v, at);
    } else {
#pragma unroll
      for (int j = 0; j < 8; ++j) v[j] = at[j];
    }
    uint32_t words[P][4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      uint32_t two[P];
      cuda::split::split(two, v[2 * j], v[2 * j + 1]);
#pragma unroll
      for (int p = 0; p < P; ++p) words[p][j] = two[p];
    }
#pragma unroll
    for (int p = 0; p < P; ++p) {
      *reinterpret_cast<uint4*>(to + (p * count + i) * 8) = make_uint4(words[p][0], words[p][1], words[p][2], words[p][3]);
    }
  }
}

}  // namespace

void split(const float* from, int64_t ld, const Planes& to, int planes, cudaStream_t stream) {
  const int64_t count = to.rows * to.columns / 8;
  const unsigned blocks = grid_of(std::min<int64_t>(ceil_div(count, 256), 4224));
  const bool wide = aligned(from) && ld % 4 == 0;
  auto* data = static_cast<bf16*>(to.data);
  if (planes == 3) LAUNCH(stream, blocks, 256, 0, split_kernel<3>, count, to.columns, ld, wide, from, data);
  else LAUNCH(stream, blocks, 256, 0, split_kernel<2>, count, to.columns, ld, wide, from, data);
}

}  // namespace schemoe::cuda::hopper
