#include "cuda/world.h"

#include <algorithm>
#include <cstdlib>

namespace schemoe::cuda {

World::World(uint32_t ranks) : ranks_(ranks) {
  // The default of 8 hardware queues would make streams wait for each other without a reason.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaSuccess || count == 0) {
    cudaGetLastError();
    fail(SCHEMOE_UNSUPPORTED, "Cannot open a CUDA engine: no GPU can be used here (",
         error == cudaSuccess ? "the driver shows none" : cudaGetErrorString(error), ")");
  }
  devices_ = std::min(static_cast<uint32_t>(count), ranks);
  for (int device = 0; device < static_cast<int>(devices_); ++device) {
    CUDA_CHECK(cudaSetDevice(device));
    CUDA_CHECK(cudaFree(nullptr));  // starts the device
    for (int other = 0; other < static_cast<int>(devices_); ++other) {
      if (other != device) connect(device, other);
    }
  }
}

void World::connect(int from, int to) const {
  int can = 0;
  CUDA_CHECK(cudaDeviceCanAccessPeer(&can, from, to));
  if (!can) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot open a CUDA engine: GPU ", from, " cannot reach the memory of GPU ", to,
         "; choose GPUs that can with CUDA_VISIBLE_DEVICES");
  }
  const cudaError_t error = cudaDeviceEnablePeerAccess(to, 0);
  if (error == cudaErrorPeerAccessAlreadyEnabled) cudaGetLastError();
  else CUDA_CHECK(error);
}

}  // namespace schemoe::cuda
