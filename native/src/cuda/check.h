// Every CUDA call is checked: what failed, where, and in the library's own words.
#pragma once

#include <cuda_runtime_api.h>

#include "runtime/failure.h"

namespace schemoe::cuda {

/// Throws DEVICE, or OUT_OF_MEMORY, unless the call succeeded.
inline void check(cudaError_t error, const char* call, const char* file, int line) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // an error that can be recovered from must not show in the next call
  const char* name = file;
  for (const char* c = file; *c; ++c) {
    if (*c == '/') name = c + 1;
  }
  fail(error == cudaErrorMemoryAllocation ? SCHEMOE_OUT_OF_MEMORY : SCHEMOE_DEVICE, call, " failed at ", name, ":",
       line, ": ", cudaGetErrorName(error), ", ", cudaGetErrorString(error));
}

}  // namespace schemoe::cuda

#define CUDA_CHECK(call) ::schemoe::cuda::check((call), #call, __FILE__, __LINE__)
