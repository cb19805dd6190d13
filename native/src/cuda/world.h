// Which ranks a process runs, and on which GPU each of them is.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/check.h"
#include "runtime/cuda_options.h"

namespace schemoe::cuda {

/// GPUs are numbered 0, 1, ... in the order in which the ranks first use them.
class World {
 public:
  explicit World(const CudaOptions& options);
  uint32_t ranks() const { return ranks_; }
  /// Ranks of this process: first(), ..., first() + count() - 1.
  uint32_t first() const { return first_; }
  uint32_t count() const { return static_cast<uint32_t>(device_of_.size()); }
  bool holds(uint32_t rank) const { return rank >= first_ && rank - first_ < count(); }
  uint32_t devices() const { return static_cast<uint32_t>(ordinals_.size()); }
  /// Whether ranks share a GPU, within this process or with others.
  bool shared() const { return shared_; }
  /// GPU of a rank of this process.
  int device(uint32_t rank) const { return device_of_[rank - first_]; }
  /// Number that CUDA gives a GPU.
  int ordinal(uint32_t device) const { return ordinals_[device]; }
  /// Makes a GPU the one that the calling thread uses.
  void use(uint32_t device) const { CUDA_CHECK(cudaSetDevice(ordinals_[device])); }
  /// Makes a rank's GPU the one that the calling thread uses.
  void enter(uint32_t rank) const { use(static_cast<uint32_t>(device(rank))); }
  /// The same where errors are of no interest.
  void try_use(uint32_t device) const noexcept { cudaSetDevice(ordinals_[device]); }
  void leave(uint32_t rank) const noexcept { try_use(static_cast<uint32_t>(device(rank))); }

 private:
  void place(const CudaOptions& options, uint32_t visible);
  void connect(int from, int to, bool needed) const;
  const uint32_t ranks_;
  const uint32_t first_;
  std::vector<int> device_of_;
  std::vector<int> ordinals_;
  bool shared_ = false;
};

}  // namespace schemoe::cuda
