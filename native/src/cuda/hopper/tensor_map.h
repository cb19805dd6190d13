// Descriptions of matrices in device memory for copies of tiles.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace schemoe::cuda::hopper {

/// Up to 2^32 elements of bfloat16 in each of three dimensions, the contiguous one first.
struct Tensor {
  const void* data;  // at a multiple of 16 bytes
  int64_t sizes[3];
  int64_t strides[2];  // of the second and third, in elements; multiples of 8
  uint32_t tile[3];
};

/// Tiles of 128 bytes a line, swizzled; what lies outside is read as zeros. Throws DEVICE where the
/// driver refuses.
CUtensorMap tensor_map(const Tensor& tensor);

}  // namespace schemoe::cuda::hopper
