// Which GPU each rank is on.
#pragma once

#include <cstdint>

#include "cuda/check.h"

namespace schemoe::cuda {

/// Ranks in blocks over the GPUs that the process sees.
class World {
 public:
  explicit World(uint32_t ranks);
  uint32_t ranks() const { return ranks_; }
  uint32_t devices() const { return devices_; }
  int device(uint32_t rank) const { return static_cast<int>(uint64_t{rank} * devices_ / ranks_); }
  /// Makes a rank's GPU the one that the calling thread uses.
  void enter(uint32_t rank) const { CUDA_CHECK(cudaSetDevice(device(rank))); }

 private:
  void connect(int from, int to) const;
  const uint32_t ranks_;
  uint32_t devices_ = 1;
};

}  // namespace schemoe::cuda
