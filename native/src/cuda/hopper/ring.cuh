// Where a thread is in a ring of stages in shared memory.
#pragma once

#include <cstdint>

namespace schemoe::cuda::hopper {

/// A stage, and the parity of the phase in which its barriers are.
template <uint32_t STAGES>
struct RingTurn {
  uint32_t stage = 0, parity = 0;
  __device__ void advance() {
    if (++stage < STAGES) return;
    stage = 0;
    parity ^= 1;
  }
  __device__ void skip(uint32_t stages) {
    stage += stages;
    parity ^= stage / STAGES & 1;
    stage %= STAGES;
  }
};

}  // namespace schemoe::cuda::hopper
