#include "cuda/lanes.h"

namespace schemoe::cuda {

namespace {

/// Transfers occupy few blocks and others wait for them: they get room before the next blocks of a product.
int priority_of(uint32_t lane) {
  int least = 0;
  int greatest = 0;
  CUDA_CHECK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  return lane == SCHEMOE_COMPUTE ? least : greatest;
}

}  // namespace

Lanes::Lanes(const World& world) : world_(world) {
  for (uint32_t i = 0; i < world.ranks() * kLanes; ++i) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->rank = i / kLanes;
    if (!world.holds(i / kLanes)) continue;
    world.enter(i / kLanes);
    // Not the default stream's kind: copies of the host must not wait for a run.
    CUDA_CHECK(cudaStreamCreateWithPriority(&lanes_.back()->stream, cudaStreamNonBlocking, priority_of(i % kLanes)));
  }
}

Lanes::~Lanes() {
  for (const auto& lane : lanes_) {
    if (!lane->stream) continue;
    world_.leave(lane->rank);
    cudaStreamDestroy(lane->stream);
  }
}

}  // namespace schemoe::cuda
