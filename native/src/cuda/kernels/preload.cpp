#include "cuda/kernels/preload.h"

#include <cuda.h>

#include <mutex>
#include <set>
#include <vector>

namespace schemoe::cuda {

namespace {

std::vector<const void*>& noted() {
  static std::vector<const void*> kernels;
  return kernels;
}

template <class Function>
Function entry(const char* name) {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
  CUDA_CHECK(cudaGetDriverEntryPointByVersion(name, &found, 12040, cudaEnableDefault, &result));
  if (result != cudaDriverEntryPointSuccess) {
    fail(SCHEMOE_UNSUPPORTED, "Cannot load the kernels ahead: the driver has no ", name, "; one of CUDA 12.4 or newer is needed");
  }
  return reinterpret_cast<Function>(found);
}

void check(CUresult result, const char* call) {
  if (result != CUDA_SUCCESS) fail(SCHEMOE_DEVICE, call, " failed with error ", static_cast<int>(result));
}

/// Loads all kernels that lie in one file with `kernel`.
void load_all(const void* kernel) {
  static const auto module_of = entry<CUresult (*)(CUmodule*, CUfunction)>("cuFuncGetModule");
  static const auto count_of = entry<CUresult (*)(unsigned*, CUmodule)>("cuModuleGetFunctionCount");
  static const auto list = entry<CUresult (*)(CUfunction*, unsigned, CUmodule)>("cuModuleEnumerateFunctions");
  static const auto load = entry<CUresult (*)(CUfunction)>("cuFuncLoad");
  cudaFunction_t function = nullptr;
  const cudaError_t error = cudaGetFuncBySymbol(&function, kernel);
  // Kernels for other GPUs are not launched here.
  if (error == cudaErrorNoKernelImageForDevice) {
    cudaGetLastError();
    return;
  }
  CUDA_CHECK(error);
  CUmodule module = nullptr;
  check(module_of(&module, function), "cuFuncGetModule");
  unsigned count = 0;
  check(count_of(&count, module), "cuModuleGetFunctionCount");
  std::vector<CUfunction> functions(count);
  check(list(functions.data(), count, module), "cuModuleEnumerateFunctions");
  for (CUfunction f : functions) check(load(f), "cuFuncLoad");
}

}  // namespace

bool note_kernels(const void* kernel) {
  noted().push_back(kernel);
  return true;
}

void preload_kernels(const World& world) {
  static std::mutex mutex;
  static std::set<int> done;
  const std::lock_guard lock(mutex);
  for (uint32_t device = 0; device < world.devices(); ++device) {
    if (done.contains(world.ordinal(device))) continue;
    world.use(device);
    for (const void* kernel : noted()) load_all(kernel);
    done.insert(world.ordinal(device));
  }
}

}  // namespace schemoe::cuda
