// Sums into a list by number, in an order that does not depend on timing.
#pragma once

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::gates {

/// Each lane adds its value to `sums[number]`, equal numbers, of the lanes `same`, in the order of lanes; a number below 0
/// adds nothing.
template <class T>
__device__ inline void add_at(T* sums, int number, unsigned same, T value, int lane) {
  const auto turn = static_cast<unsigned>(number < 0 ? 0 : __popc(same & ((1u << lane) - 1)));
  if (!__any_sync(kAllLanes, turn > 0)) {
    if (number >= 0) sums[number] += value;
    __syncwarp();
    return;
  }
  const unsigned last = __reduce_max_sync(kAllLanes, turn);
  for (unsigned now = 0; now <= last; ++now) {
    if (number >= 0 && turn == now) sums[number] += value;
    __syncwarp();
  }
}

template <class T>
__device__ inline void add_at(T* sums, int number, T value, int lane) {
  add_at(sums, number, __match_any_sync(kAllLanes, number), value, lane);
}

}  // namespace schemoe::cuda::gates
