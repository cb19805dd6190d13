#include "cuda/events.h"

namespace schemoe::cuda {

namespace {

void make(Mark& mark, bool timed) {
  if (timed) CUDA_CHECK(cudaEventCreate(&mark.time));
  CUDA_CHECK(cudaEventCreateWithFlags(&mark.join, cudaEventDisableTiming));
}

void destroy(const Mark& mark) {
  for (cudaEvent_t event : {mark.time, mark.join}) {
    if (event) cudaEventDestroy(event);
  }
}

}  // namespace

void Recording::put(const Mark& mark, bool awaited, Lane& lane) const {
  if (both(mark)) {
    CUDA_CHECK(cudaEventRecord(mark.time, lane.stream));
    return;
  }
  const bool timed = times && mark.time;
  if (awaited || timed) CUDA_CHECK(cudaEventRecord(mark.join, lane.stream));
  if (!timed) return;
  // What follows in the lane does not depend on it: between two kernels it would cost 1.5 us.
  CUDA_CHECK(cudaStreamWaitEvent(lane.beside, mark.join, 0));
  CUDA_CHECK(cudaEventRecordWithFlags(mark.time, lane.beside, cudaEventRecordExternal));
  lane.has_beside = true;
}

Events::Events(const World& world) : world_(world), marks_(world.devices()), clocks_(world.devices()) {
  for (uint32_t device = 0; device < world.devices(); ++device) {
    world_.use(device);
    make(clocks_[device].base, true);
    CUDA_CHECK(cudaEventCreate(&clocks_[device].launched));
  }
}

Events::~Events() {
  for (uint32_t device = 0; device < marks_.size(); ++device) {
    world_.try_use(device);
    destroy(clocks_[device].base);
    if (clocks_[device].launched) cudaEventDestroy(clocks_[device].launched);
    for (const Marks& marks : marks_[device]) {
      for (const Mark& mark : {marks.begin, marks.moved, marks.end}) destroy(mark);
    }
  }
}

void Events::reserve(uint32_t device, size_t count) {
  auto& marks = marks_[device];
  while (marks.size() < count) {
    marks.emplace_back();
    make(marks.back().begin, true);
    make(marks.back().moved, false);
    make(marks.back().end, true);
  }
}

bool Events::since_launch(uint32_t device, cudaEvent_t event) const {
  float milliseconds = 0;
  const cudaError_t error = cudaEventElapsedTime(&milliseconds, clocks_[device].launched, event);
  if (error != cudaSuccess) cudaGetLastError();  // not there yet is no error
  return error == cudaSuccess && milliseconds >= 0;
}

}  // namespace schemoe::cuda
