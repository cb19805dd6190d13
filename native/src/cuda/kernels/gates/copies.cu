// Choices of experts as choices of slots, where experts have copies.
#include "cuda/kernels/launch.cuh"
#include "runtime/arguments_gates.h"

namespace schemoe::cuda {

namespace {

/// A thread has a choice. `begins` [experts + 1] and the slots after it are in device memory.
__global__ void __launch_bounds__(256)
    place_copies_kernel(int64_t count, int64_t experts, int64_t capacity, const int32_t* begins, const int32_t* choices,
                        const int32_t* positions, int32_t* targets, int32_t* places, Report report) {
  const int32_t* slots = begins + experts + 1;
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += step) {
    const int32_t expert = choices[i], position = positions[i];
    if (!report.checked(Data::choices, expert, experts)) continue;
    if (!report.checked(Data::positions, position, INT32_MAX)) continue;
    const int32_t first = begins[expert], copies = begins[expert + 1] - first;
    const bool sent = position < capacity;
    targets[i] = sent ? slots[first + position % copies] : 0;
    places[i] = sent ? position / copies : kNoPlace;
  }
}

}  // namespace

void run(const PlaceCopies& p, const Context& context) {
  const int64_t count = p.tokens * p.k;
  if (count == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(count, 256)), 256, 0, place_copies_kernel, count, p.experts, p.capacity,
         context.bounds, context.at<const int32_t>(p.choices), context.at<const int32_t>(p.positions),
         context.at<int32_t>(p.targets), context.at<int32_t>(p.places), context.report());
}

}  // namespace schemoe::cuda
