#include "cuda/hopper/tensor_map.h"

#include <cuda_runtime_api.h>

#include "cuda/check.h"

namespace schemoe::cuda::hopper {

namespace {

using Encode = CUresult (*)(CUtensorMap*, CUtensorMapDataType, cuuint32_t, void*, const cuuint64_t*, const cuuint64_t*,
                            const cuuint32_t*, const cuuint32_t*, CUtensorMapInterleave, CUtensorMapSwizzle,
                            CUtensorMapL2promotion, CUtensorMapFloatOOBfill);

Encode find() {
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result{};
  CUDA_CHECK(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result));
  if (result != cudaDriverEntryPointSuccess) fail(SCHEMOE_UNSUPPORTED, "the driver has no cuTensorMapEncodeTiled");
  return reinterpret_cast<Encode>(found);
}

}  // namespace

CUtensorMap tensor_map(const Tensor& t) {
  static const Encode encode = find();
  CUtensorMap map;
  cuuint64_t sizes[3], strides[2];
  for (int i = 0; i < 3; ++i) sizes[i] = static_cast<cuuint64_t>(t.sizes[i]);
  for (int i = 0; i < 2; ++i) strides[i] = static_cast<cuuint64_t>(t.strides[i]) * 2;
  const cuuint32_t steps[3] = {1, 1, 1};
  const CUresult result =
      encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3, const_cast<void*>(t.data), sizes, strides, t.tile, steps,
             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
             CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (result != CUDA_SUCCESS) {
    fail(SCHEMOE_DEVICE, "cuTensorMapEncodeTiled failed with error ", static_cast<int>(result), " for ", t.sizes[0], " x ",
         t.sizes[1], " x ", t.sizes[2], " elements");
  }
  return map;
}

}  // namespace schemoe::cuda::hopper
