#include "cuda/lanes.h"

namespace schemoe::cuda {

void Lane::clear_beside() {
  has_beside = false;
  if (!beside) CUDA_CHECK(cudaStreamCreateWithFlags(&beside, cudaStreamNonBlocking));
  if (!beside_end) CUDA_CHECK(cudaEventCreateWithFlags(&beside_end, cudaEventDisableTiming));
}

void Lane::fork() {
  if (!branch) CUDA_CHECK(cudaStreamCreateWithFlags(&branch, cudaStreamNonBlocking));
  for (cudaEvent_t* event : {&forked, &joined}) {
    if (!*event) CUDA_CHECK(cudaEventCreateWithFlags(event, cudaEventDisableTiming));
  }
  CUDA_CHECK(cudaEventRecord(forked, stream));
  CUDA_CHECK(cudaStreamWaitEvent(branch, forked, 0));
}

void Lane::join() const {
  CUDA_CHECK(cudaEventRecord(joined, branch));
  CUDA_CHECK(cudaStreamWaitEvent(stream, joined, 0));
}

Lanes::Lanes(const World& world) : world_(world) {
  for (uint32_t i = 0; i < world.ranks() * kLanes; ++i) {
    lanes_.push_back(std::make_unique<Lane>());
    lanes_.back()->rank = i / kLanes;
    if (!world.holds(i / kLanes)) continue;
    world.enter(i / kLanes);
    // Not the default stream's kind: copies of the host must not wait for a run.
    CUDA_CHECK(cudaStreamCreateWithFlags(&lanes_.back()->stream, cudaStreamNonBlocking));
    lanes_.back()->scratch.make_zeros(lanes_.back()->stream);
  }
}

Lanes::~Lanes() {
  for (auto& lane : lanes_) {
    if (!lane->stream) continue;
    world_.leave(lane->rank);
    for (cudaStream_t stream : {lane->stream, lane->beside, lane->branch}) {
      if (stream) cudaStreamDestroy(stream);
    }
    for (cudaEvent_t event : {lane->beside_end, lane->forked, lane->joined}) {
      if (event) cudaEventDestroy(event);
    }
    lane.reset();  // its scratch memory too is that GPU's
  }
}

}  // namespace schemoe::cuda
