// Device memory of Programs, which later ones take again: CUDA's own calls for it wait for the GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "cuda/check.h"
#include "cuda/world.h"

namespace schemoe::cuda {

/// Pieces of sizes that are powers of two, on each GPU of the World.
class Pool {
 public:
  explicit Pool(const World& world) : world_(world), free_(world.devices()) {}
  ~Pool();
  Pool(const Pool&) = delete;

  struct Piece {
    std::byte* data = nullptr;
    uint64_t bytes = 0;
  };
  /// At least so many bytes, which hold anything; of the GPU that is in use.
  Piece take(uint32_t device, uint64_t bytes);
  /// Nothing uses them any more.
  void give(uint32_t device, Piece piece) noexcept;

 private:
  /// Bytes that are kept for a GPU while no Program has them.
  static constexpr uint64_t kMost = uint64_t{64} << 20;
  struct Free {
    std::multimap<uint64_t, std::byte*> pieces;
    uint64_t bytes = 0;
  };
  const World& world_;
  std::mutex mutex_;  // Programs are released while another one runs
  std::vector<Free> free_;
};

/// A piece with an owner.
template <class T>
class Pooled {
 public:
  Pooled() = default;
  Pooled(Pool& pool, uint32_t device, size_t count)
      : pool_(&pool), device_(device), piece_(pool.take(device, count * sizeof(T))) {}
  Pooled(Pooled&& other) noexcept { swap(other); }
  Pooled& operator=(Pooled&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Pooled() {
    if (pool_) pool_->give(device_, piece_);
  }
  T* data() const { return reinterpret_cast<T*>(piece_.data); }

 private:
  void swap(Pooled& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(device_, other.device_);
    std::swap(piece_, other.piece_);
  }
  Pool* pool_ = nullptr;
  uint32_t device_ = 0;
  Pool::Piece piece_;
};

}  // namespace schemoe::cuda
