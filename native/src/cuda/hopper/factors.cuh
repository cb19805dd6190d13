// Where the tensor cores of a Hopper GPU find factors and leave sums. Source: the PTX ISA, chapter on wgmma.
#pragma once

#include <cstdint>

namespace schemoe::cuda::hopper {

/// Sums of rows of a warpgroup: a thread has of each eight columns two of row `lane / 4` of its warp's
/// sixteen and two of the row eight further, at columns 2 (lane % 4) and the next.
template <int N>
using Sums = float[N / 8][4];

template <int N>
__device__ inline void clear(Sums<N>& sums) {
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
#pragma unroll
    for (int q = 0; q < 4; ++q) sums[j][q] = 0;
  }
}

/// How a factor lies in shared memory: as tiles of 64 elements in 128 bytes, whose 16-byte pieces are
/// swizzled within each eight lines, as copies of tiles write them. `kAcross`: the 64 are rows (or
/// columns) of the factor and the lines run along k; otherwise the 64 run along k.
template <bool kAcross>
struct Factor {
  static constexpr uint32_t kTileBytes = 64 * 128;
  /// From one step of 16 along k to the next.
  static constexpr uint32_t kStep = kAcross ? 16 * 128 : 32;

  /// What tells the tensor cores where it begins, and the distances to the next tile and eight lines.
  __device__ static uint64_t describe(uint32_t address, uint32_t tile_bytes = kTileBytes) {
    constexpr uint64_t kEightLines = 8 * 128, kSwizzled = 1;
    const uint64_t next_tile = kAcross ? tile_bytes : 16;
    return (static_cast<uint64_t>(address & 0x3ffff) >> 4) | next_tile >> 4 << 16 | kEightLines >> 4 << 32 |
           kSwizzled << 62;
  }
};

}  // namespace schemoe::cuda::hopper
