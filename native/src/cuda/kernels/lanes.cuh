// Lanes of a warp that have the same number.
#pragma once

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

/// Bits that tell numbers below `count` and -1, which stands for none, apart.
__device__ inline int bits_below(int count) { return 32 - __clz(count); }

/// Lanes with the same number, told apart by so many bits: by votes, which on an H200 take half as long as a match.
__device__ inline unsigned lanes_with(int number, int bits) {
  unsigned same = kAllLanes;
  for (int bit = 0; bit < bits; ++bit) {
    const bool on = (number >> bit & 1) != 0;
    const unsigned votes = __ballot_sync(kAllLanes, on);
    same &= on ? votes : ~votes;
  }
  return same;
}

}  // namespace schemoe::cuda
