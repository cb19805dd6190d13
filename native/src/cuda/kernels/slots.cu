// Which choice fills each place of an expert.
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

__global__ void slots_kernel(int64_t count, int64_t experts, int64_t capacity, const int32_t* choices,
                             const int32_t* positions, int32_t* slots, Report report) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const int64_t expert = choices[i], place = positions[i];
  if (!report.checked(Data::choices, expert, experts) || !report.checked(Data::positions, place, INT32_MAX)) return;
  if (place < capacity) slots[expert * capacity + place] = static_cast<int32_t>(i);
}

}  // namespace

void run(const Slots& s, const Context& context) {
  auto* slots = context.at<int32_t>(s.slots);
  CUDA_CHECK(cudaMemsetAsync(slots, 0xff, static_cast<size_t>(s.experts * s.capacity) * 4, context.stream));
  const int64_t count = s.tokens * s.k;
  if (count == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(count, 256)), 256, 0, slots_kernel, count, s.experts, s.capacity,
         context.at<const int32_t>(s.choices), context.at<const int32_t>(s.positions), slots, context.report());
}

}  // namespace schemoe::cuda
