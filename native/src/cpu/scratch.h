// Memory that a lane's kernels use for themselves, kept so that later runs allocate nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace schemoe {

struct Scratch {
  std::vector<double> doubles;
  std::vector<int32_t> integers;
  std::vector<float> floats;
  /// Float32 copies of bfloat16 operands.
  std::vector<float> staged;
};

}  // namespace schemoe
