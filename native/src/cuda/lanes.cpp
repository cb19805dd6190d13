#include "cuda/lanes.h"

namespace schemoe::cuda {

void Lane::clear_beside() {
  has_beside = false;
  if (!beside) CUDA_CHECK(cudaStreamCreateWithFlags(&beside, cudaStreamNonBlocking));
  if (!beside_end) CUDA_CHECK(cudaEventCreateWithFlags(&beside_end, cudaEventDisableTiming));
}

Lanes::Lanes(const World& world) : world_(world) {
  for (uint32_t i = 0; i < world.ranks() * kLanes; ++i) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->rank = i / kLanes;
    if (!world.holds(i / kLanes)) continue;
    world.enter(i / kLanes);
    // Not the default stream's kind: copies of the host must not wait for a run.
    CUDA_CHECK(cudaStreamCreateWithFlags(&lanes_.back()->stream, cudaStreamNonBlocking));
  }
}

Lanes::~Lanes() {
  for (const auto& lane : lanes_) {
    if (!lane->stream) continue;
    world_.leave(lane->rank);
    cudaStreamDestroy(lane->stream);
    if (lane->beside) cudaStreamDestroy(lane->beside);
    if (lane->beside_end) cudaEventDestroy(lane->beside_end);
  }
}

}  // namespace schemoe::cuda
