// Parts of a kernel's blocks that wait for the parts before them.
#pragma once

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::places {

/// Where a block says that its part is counted, and waits for the parts before it: blocks take parts as they begin, so
/// those are of blocks that run already. The last of all blocks leaves 0, as it was.
struct CountedParts {
  unsigned* counted;  // [parts], or nullptr where another kernel has counted all parts
  unsigned* done;
  unsigned* taken;

  __device__ int part() const {
    __shared__ unsigned part;
    if (!counted) return static_cast<int>(blockIdx.x);
    if (threadIdx.x == 0) part = atomicAdd(taken, 1u);
    __syncthreads();
    return static_cast<int>(part);
  }

  __device__ void say(int part) const {
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) atomicExch(&counted[part], 1u);
  }
  __device__ void wait(int part) const {
    for (int other = static_cast<int>(threadIdx.x); other < part; other += static_cast<int>(blockDim.x)) {
      while (*static_cast<volatile unsigned*>(&counted[other]) == 0) __nanosleep(20);
    }
    __threadfence();
    __syncthreads();
  }
  /// After all threads of the block have waited.
  __device__ void leave() const {
    if (threadIdx.x > 0 || atomicAdd(done, 1u) < gridDim.x - 1) return;
    for (unsigned other = 0; other < gridDim.x; ++other) counted[other] = 0;
    *done = *taken = 0;
  }
};

}  // namespace schemoe::cuda::places
