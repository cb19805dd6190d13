// Captures a Program, so that later runs are launched as one graph. That happens after its first run has
// been enqueued, while the GPU computes: kernels are loaded and scratch memory is there, and a Program that
// runs once loses little. What is captured does not run, so that no kernel computes twice.
#include "cuda/executor.h"

namespace schemoe::cuda {

/// How often scratch memory of the lanes has moved.
uint64_t Executor::scratch_of(const Plan& plan) const {
  uint64_t grown = 0;
  for (uint32_t lane : plan.lanes) grown += lanes_.at(lane).scratch.grown();
  return grown;
}

/// Whether it has been captured, and nothing has moved since.
bool Executor::has_graph(const Plan& plan) const { return plan.graph && plan.scratch == scratch_of(plan); }

void Executor::capture_graph(const Program& program, Plan& plan) {
  // A launch enqueues everything at once, and a tool could not tell its parts by the ranges of the host.
  if (!options_.graphs || !plan.graphable || !program.names.empty()) return;
  plan.graph.reset();
  while (!Signals::is_set(signals_.stop())) {
    const uint64_t scratch = scratch_of(plan);
    const cudaGraph_t graph = capture(program, plan);
    if (!graph) {
      plan.graphable = Signals::is_set(signals_.stop());
      return;
    }
    const struct Owner {
      cudaGraph_t graph;
      ~Owner() { cudaGraphDestroy(graph); }
    } owner{graph};
    // Kernels captured before scratch memory moved would use freed addresses.
    if (scratch != scratch_of(plan)) continue;
    plan.scratch = scratch;
    try {
      plan.graph.make(graph, lanes_.at(plan.lanes.front()).stream);
    } catch (...) {
      plan.graph.reset();  // no room for it
      plan.graphable = false;
    }
    return;
  }
}

/// nullptr where the run is stopped, or something cannot be captured, which then shows when it is enqueued.
cudaGraph_t Executor::capture(const Program& program, Plan& plan) {
  const cudaStream_t stream = lanes_.at(plan.lanes.front()).stream;
  try {
    for (uint32_t lane : plan.lanes) {
      world_.enter(lane / kLanes);
      lanes_.at(lane).clear_beside();
    }
  } catch (...) {
    return nullptr;
  }
  // Relaxed: scratch memory may grow.
  if (cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed) != cudaSuccess) {
    cudaGetLastError();
    return nullptr;
  }
  recording_.capturing = true;
  bool whole = true;
  try {
    enqueue(program, plan);
    gather(program, plan);
    whole = !Signals::is_set(signals_.stop());
  } catch (...) {
    whole = false;
  }
  recording_.capturing = false;
  cudaGraph_t graph = nullptr;
  const cudaError_t error = cudaStreamEndCapture(stream, &graph);
  if (whole && error == cudaSuccess) return graph;
  cudaGetLastError();
  if (graph) cudaGraphDestroy(graph);
  return nullptr;
}

/// A capture ends on the stream that it began on: all others come back to it.
void Executor::gather(const Program& program, const Plan& plan) {
  const cudaStream_t stream = lanes_.at(plan.lanes.front()).stream;
  const auto await = [&](cudaEvent_t last, cudaStream_t other) {
    CUDA_CHECK(cudaEventRecord(last, other));
    CUDA_CHECK(cudaStreamWaitEvent(stream, last, 0));
  };
  for (uint32_t number : plan.lanes) {
    const Lane& lane = lanes_.at(number);
    if (number != plan.lanes.front()) await(marks(program, program.lanes[number].back()).end.join, lane.stream);
    if (lane.has_beside) await(lane.beside_end, lane.beside);
  }
}

}  // namespace schemoe::cuda
