// A stream and scratch memory for each lane of each rank.
#pragma once

#include <memory>
#include <vector>

#include "cuda/scratch.h"
#include "cuda/world.h"
#include "runtime/program.h"

namespace schemoe::cuda {

struct Lane {
  uint32_t rank;
  cudaStream_t stream = nullptr;
  /// In a graph: where events with times are recorded, so that the lane need not wait for that.
  cudaStream_t beside = nullptr;
  cudaEvent_t beside_end = nullptr;
  bool has_beside = false;  // something in the graph that is being captured
  /// For work that overlaps with the stream.
  cudaStream_t branch = nullptr;
  cudaEvent_t forked = nullptr, joined = nullptr;
  Scratch scratch;

  /// Work enqueued on the branch waits for everything already on the stream.
  void fork();
  /// Work enqueued on the stream waits for everything already on the branch.
  void join() const;
  /// Before a capture.
  void clear_beside();
};

class Lanes {
 public:
  explicit Lanes(const World& world);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lane& at(uint32_t index) { return *lanes_[index]; }
  const Lane& at(uint32_t index) const { return *lanes_[index]; }

 private:
  const World& world_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace schemoe::cuda
