// CUDA events of the operations of a run, kept from run to run.
#pragma once

#include <vector>

#include "cuda/lanes.h"
#include "cuda/world.h"

namespace schemoe::cuda {

/// A point of a lane: an event with its time (some have none), and one that other lanes wait for.
struct Mark {
  cudaEvent_t time = nullptr;
  cudaEvent_t join = nullptr;
};

/// When an operation began, had moved its bytes, and ended.
struct Marks {
  Mark begin, moved, end;
};

/// How marks come into streams: directly, or into a graph that is being captured, whose own events
/// have no times and are not seen outside.
struct Recording {
  bool times = true;
  bool capturing = false;

  void put(const Mark& mark, bool awaited, Lane& lane) const;
  cudaEvent_t joined(const Mark& mark) const { return both(mark) ? mark.time : mark.join; }

 private:
  /// One event does both.
  bool both(const Mark& mark) const { return times && !capturing && mark.time; }
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
  /// Where the clock of a run starts that begins on that GPU.
  const Mark& base(uint32_t device) const { return clocks_[device].base; }
  /// Just before a graph is launched, on the stream that it is launched on.
  cudaEvent_t launched(uint32_t device) const { return clocks_[device].launched; }
  /// Whether an event in a graph was reached since the launch; until then it keeps its time of the launch before.
  bool since_launch(uint32_t device, cudaEvent_t event) const;

 private:
  struct Clock {
    Mark base;
    cudaEvent_t launched = nullptr;
  };
  const World& world_;
  std::vector<std::vector<Marks>> marks_;
  std::vector<Clock> clocks_;
};

}  // namespace schemoe::cuda
