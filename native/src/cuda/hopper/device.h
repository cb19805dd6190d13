// Whether the current GPU has what the kernels of this folder are made for.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/check.h"

namespace schemoe::cuda::hopper {

inline bool is_hopper() {
  int device = 0, major = 0, minor = 0;
  CUDA_CHECK(cudaGetDevice(&device));
  CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
  return major == 9 && minor == 0;
}

}  // namespace schemoe::cuda::hopper
