#include "cuda/hopper/tensor_map.h"

#include <algorithm>

#include "cuda/check.h"

namespace schemoe::cuda::hopper {

CUtensorMap tensor_map(const Tensor& t) {
  const bool lies_well = reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.strides[0] % 8 == 0 && t.strides[1] % 8 == 0;
  if (!lies_well || t.tile[0] * 2 > 128) fail(SCHEMOE_DEVICE, "a matrix that copies of tiles cannot be made of");
  CUtensorMap map{t.data, {}, {}, {}};
  std::copy_n(t.sizes, 3, map.sizes);
  std::copy_n(t.strides, 2, map.strides);
  std::copy_n(t.tile, 3, map.tile);
  return map;
}

}  // namespace schemoe::cuda::hopper
