// CUDA events of the operations of a run, kept from run to run.
#pragma once

#include <vector>

#include "cuda/world.h"

namespace schemoe::cuda {

/// When an operation began, had moved its bytes, and ended.
struct Marks {
  cudaEvent_t begin = nullptr;
  cudaEvent_t moved = nullptr;
  cudaEvent_t end = nullptr;
};

/// Events of as many operations as any Program has had; an event belongs to one GPU.
class Events {
 public:
  explicit Events(const World& world);
  ~Events();
  Events(const Events&) = delete;

  /// At least `count` operations on that GPU.
  void reserve(uint32_t device, size_t count);
  const Marks& at(uint32_t device, size_t index) const { return marks_[device][index]; }
  /// Where the clock of a GPU starts.
  cudaEvent_t base(uint32_t device) const { return bases_[device]; }
  /// Nanoseconds from the base to an event that was recorded.
  double since_base(uint32_t device, cudaEvent_t event) const;

 private:
  const World& world_;
  std::vector<std::vector<Marks>> marks_;
  std::vector<cudaEvent_t> bases_;
};

}  // namespace schemoe::cuda
