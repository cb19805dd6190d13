// Time on the GPU: stamps, pacing, and waiting for the host.
#include "cuda/kernels/instructions.cuh"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

__device__ bool is_set(const uint32_t* flag) { return *reinterpret_cast<const volatile uint32_t*>(flag) != 0; }

__global__ void stamp_kernel(uint64_t* at) { *at = global_time(); }

__global__ void pace_kernel(const uint64_t* from, int64_t nanoseconds, const uint32_t* stop) {
  const uint64_t end = *from + static_cast<uint64_t>(nanoseconds);
  // The flag is in the host's memory and slow to read, so it is read seldom.
  for (int turn = 1; global_time() < end; ++turn) {
    if (turn % 64 == 0 && is_set(stop)) return;
    __nanosleep(200);
  }
}

__global__ void meet_host_kernel(uint32_t* arrived, const uint32_t* go, const uint32_t* stop) {
  *reinterpret_cast<volatile uint32_t*>(arrived) = 1;
  __threadfence_system();
  while (!is_set(go) && !is_set(stop)) __nanosleep(1000);
  __threadfence_system();
}

}  // namespace

void stamp(uint64_t* at, cudaStream_t stream) { LAUNCH(stream, 1, 1, 0, stamp_kernel, at); }

void pace(const uint64_t* from, int64_t nanoseconds, const uint32_t* stop, cudaStream_t stream) {
  LAUNCH(stream, 1, 1, 0, pace_kernel, from, nanoseconds, stop);
}

void meet_host(uint32_t* arrived, const uint32_t* go, const uint32_t* stop, cudaStream_t stream) {
  LAUNCH(stream, 1, 1, 0, meet_host_kernel, arrived, go, stop);
}

}  // namespace schemoe::cuda
