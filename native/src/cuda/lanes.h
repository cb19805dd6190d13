// A stream and scratch memory for each lane of each rank.
#pragma once

#include <memory>
#include <vector>

#include "cuda/scratch.h"
#include "cuda/world.h"
#include "runtime/program.h"

namespace schemoe::cuda {

struct Lane {
  uint32_t rank;
  cudaStream_t stream = nullptr;
  Scratch scratch;
};

class Lanes {
 public:
  explicit Lanes(const World& world);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lane& at(uint32_t index) { return *lanes_[index]; }

 private:
  const World& world_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace schemoe::cuda
