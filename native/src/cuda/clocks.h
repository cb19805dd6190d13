// How the clocks of several GPUs lie to each other: events have times of their own GPU's clock only.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "cuda/signals.h"
#include "cuda/world.h"

namespace schemoe::cuda {

class Clocks {
 public:
  explicit Clocks(const World& world);
  ~Clocks();
  Clocks(const Clocks&) = delete;

  /// Compares all clocks with that of the first GPU: each answers to its signals several times, and was
  /// asked and answered in the middle of the quickest round. Nothing may run. With one GPU there is nothing
  /// to compare, and soon after a comparison it holds still: the second Program of a pass need not wait for one.
  void compare();

  /// An event of a GPU from which times are counted.
  struct Origin {
    uint32_t device;
    cudaEvent_t event;
    /// When it was by the first GPU's clock.
    double on_first;
  };
  Origin origin(uint32_t device, cudaEvent_t event) const;
  /// Nanoseconds from there to an event of the same GPU or another.
  double since(const Origin& origin, uint32_t device, cudaEvent_t event) const;
  /// By how much that may be wrong: half of the quickest round, of the GPU where that is longest; where there
  /// are more than two, twice that, since neither need be the first; and what clocks may have drifted since.
  double error_ns() const;

 private:
  /// A GPU that is compared with the first.
  struct Clock {
    cudaStream_t stream = nullptr;
    std::vector<cudaEvent_t> events;
    /// One of its events, and when that was after the first signal by the first GPU's clock.
    cudaEvent_t anchor = nullptr;
    double anchor_ns = 0;
  };

  void enqueue_rounds();
  double on_first(uint32_t device, cudaEvent_t event) const;

  const World& world_;
  std::vector<Clock> clocks_;
  Signals gate_;
  double error_ns_ = 0;
  std::optional<std::chrono::steady_clock::time_point> compared_;
};

}  // namespace schemoe::cuda
