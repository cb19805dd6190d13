// Whether all that waits for each other inside NCCL's kernels can be on a GPU at once.
#pragma once

#include <cstdint>

namespace schemoe::nccl {

/// Lanes that communicate: intra and inter.
inline constexpr uint32_t kLinks = 2;

/// A GPU, and the communicators whose kernels must fit on it together.
struct Room {
  int gpu;
  /// Blocks that it certainly runs at once.
  uint32_t processors;
  uint32_t ranks;
  /// Blocks of a communicator.
  uint32_t max_ctas;
};

/// Ranks of a GPU wait for each other in its kernels, so that each must find room, and a hardware queue.
/// Throws UNSUPPORTED where one may not.
void check_room_on(const Room& room);

}  // namespace schemoe::nccl
