#include "cuda/events.h"

namespace schemoe::cuda {

Events::Events(const World& world) : world_(world), marks_(world.devices()), bases_(world.devices(), nullptr) {
  for (uint32_t device = 0; device < world.devices(); ++device) {
    world_.use(device);
    CUDA_CHECK(cudaEventCreate(&bases_[device]));
  }
}

Events::~Events() {
  for (uint32_t device = 0; device < marks_.size(); ++device) {
    world_.try_use(device);
    if (bases_[device]) cudaEventDestroy(bases_[device]);
    for (const Marks& marks : marks_[device]) {
      for (cudaEvent_t event : {marks.begin, marks.moved, marks.end}) {
        if (event) cudaEventDestroy(event);
      }
    }
  }
}

void Events::reserve(uint32_t device, size_t count) {
  auto& marks = marks_[device];
  while (marks.size() < count) {
    marks.emplace_back();
    CUDA_CHECK(cudaEventCreate(&marks.back().begin));
    CUDA_CHECK(cudaEventCreateWithFlags(&marks.back().moved, cudaEventDisableTiming));
    CUDA_CHECK(cudaEventCreate(&marks.back().end));
  }
}

double Events::since_base(uint32_t device, cudaEvent_t event) const {
  float milliseconds = 0;
  CUDA_CHECK(cudaEventElapsedTime(&milliseconds, bases_[device], event));
  return static_cast<double>(milliseconds) * 1e6;
}

}  // namespace schemoe::cuda
