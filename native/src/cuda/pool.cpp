#include "cuda/pool.h"

#include <algorithm>
#include <bit>

namespace schemoe::cuda {

Pool::~Pool() {
  for (uint32_t device = 0; device < free_.size(); ++device) {
    world_.try_use(device);
    for (const auto& [bytes, data] : free_[device].pieces) cudaFree(data);
  }
}

Pool::Piece Pool::take(uint32_t device, uint64_t bytes) {
  constexpr uint64_t kLeast = 4096;
  const uint64_t size = std::bit_ceil(std::max(bytes, kLeast));
  {
    const std::lock_guard lock(mutex_);
    Free& free = free_[device];
    const auto found = free.pieces.find(size);
    if (found != free.pieces.end()) {
      const Piece piece{found->second, size};
      free.pieces.erase(found);
      free.bytes -= size;
      return piece;
    }
  }
  Piece piece{nullptr, size};
  CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&piece.data), size));
  return piece;
}

void Pool::give(uint32_t device, Piece piece) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    Free& free = free_[device];
    if (free.bytes + piece.bytes <= kMost) {
      free.pieces.emplace(piece.bytes, piece.data);
      free.bytes += piece.bytes;
      return;
    }
  } catch (...) {
    // no room to remember it
  }
  world_.try_use(device);
  cudaFree(piece.data);
}

}  // namespace schemoe::cuda
