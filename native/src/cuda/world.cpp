#include "cuda/world.h"

#include <algorithm>
#include <cstdlib>

namespace schemoe::cuda {

World::World(const CudaOptions& options) : ranks_(options.ranks()), first_(options.first) {
  // For callers that have not set it before there were other threads, as lib/native/environment.ts does.
  // The default of 8 hardware queues would make streams wait for each other without a reason.
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  int visible = 0;
  const cudaError_t error = cudaGetDeviceCount(&visible);
  if (error != cudaSuccess || visible == 0) {
    cudaGetLastError();
    fail(SCHEMOE_UNSUPPORTED, "Cannot open a CUDA engine: no GPU can be used here (",
         error == cudaSuccess ? "the driver shows none" : cudaGetErrorString(error), ")");
  }
  device_of_.resize(std::min(options.count, ranks_ - first_));
  place(options, static_cast<uint32_t>(visible));
  for (uint32_t device = 0; device < devices(); ++device) {
    use(device);
    CUDA_CHECK(cudaFree(nullptr));  // starts the device
    for (int other : ordinals_) {
      if (other != ordinal(device) && !options.nccl) connect(ordinal(device), other, options.copy_by == CopyBy::kernels);
    }
  }
}

void World::place(const CudaOptions& options, uint32_t visible) {
  if (!options.devices.empty() && options.devices.size() != count()) {
    fail(SCHEMOE_INVALID, "Cannot open a CUDA engine: ", options.devices.size(), " devices are given for ", count(),
         " ranks; give one for each");
  }
  // Without a list in blocks, over no more GPUs than there are ranks.
  const uint64_t all = uint64_t{count()} * options.slots;
  const uint64_t used = std::min<uint64_t>(visible, all);
  for (uint32_t i = 0; i < count(); ++i) {
    const uint64_t place = uint64_t{options.slot} * count() + i;
    const uint64_t number = options.devices.empty() ? place * used / all : options.devices[i];
    if (number >= visible) {
      fail(SCHEMOE_INVALID, "Cannot open a CUDA engine: rank ", first_ + i, " is to be on GPU ", number, ", but ",
           visible == 1 ? "only GPU 0 is" : join("only GPUs 0 to ", visible - 1, " are"), " visible here");
    }
    const auto known = std::find(ordinals_.begin(), ordinals_.end(), static_cast<int>(number));
    device_of_[i] = static_cast<int>(known - ordinals_.begin());
    if (known == ordinals_.end()) ordinals_.push_back(static_cast<int>(number));
  }
  shared_ = count() > devices() || (options.devices.empty() && all > visible);
}

/// A kernel must reach the other GPU's memory; a copy engine goes through the host's where it cannot.
void World::connect(int from, int to, bool needed) const {
  int can = 0;
  CUDA_CHECK(cudaDeviceCanAccessPeer(&can, from, to));
  if (!can && !needed) return;
  if (!can) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot open a CUDA engine: GPU ", from, " cannot reach the memory of GPU ", to,
         "; choose GPUs that can with `devices` or CUDA_VISIBLE_DEVICES, or copyBy \"engines\", or transport \"nccl\"");
  }
  const cudaError_t error = cudaDeviceEnablePeerAccess(to, 0);
  if (error == cudaErrorPeerAccessAlreadyEnabled) cudaGetLastError();
  else CUDA_CHECK(error);
}

}  // namespace schemoe::cuda
