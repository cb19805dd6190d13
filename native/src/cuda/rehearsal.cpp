// Captures a Program before its first run: kernels are then loaded, products planned and scratch memory
// is there before the clock starts, and where possible the run becomes one graph.
#include "cuda/executor.h"

namespace schemoe::cuda {

/// How often scratch memory of the lanes has moved.
uint64_t Executor::scratch_of(const Plan& plan) {
  uint64_t grown = 0;
  for (uint32_t lane : plan.lanes) grown += lanes_.at(lane).scratch.grown();
  return grown;
}

void Executor::rehearse(const Program& program, Plan& plan) {
  if (world_.devices() > 1 || plan.lanes.empty()) return;
  const bool wanted = graphs_ && plan.graphable;
  if (plan.rehearsed && (!wanted || (plan.graph && plan.scratch == scratch_of(plan)))) return;
  plan.rehearsed = true;
  plan.graph.reset();
  {
    const std::lock_guard lock(mutex_);
    plan_ = &plan;
  }
  for (;;) {
    const uint64_t scratch = scratch_of(plan);
    const cudaGraph_t graph = capture(program, plan);
    if (!graph) {
      plan.graphable = false;
      return;
    }
    const struct Owner {
      cudaGraph_t graph;
      ~Owner() { cudaGraphDestroy(graph); }
    } owner{graph};
    // Kernels that were captured before memory moved would use what is gone.
    if (scratch != scratch_of(plan)) continue;
    plan.scratch = scratch;
    try {
      if (wanted) plan.graph.make(graph, lanes_.at(plan.lanes.front()).stream);
    } catch (const Failure&) {
      // No room for a graph: its steps can still be enqueued.
      plan.graphable = false;
    }
    return;
  }
}

/// nullptr where something cannot be captured, which then shows when it is enqueued.
cudaGraph_t Executor::capture(const Program& program, Plan& plan) {
  const cudaStream_t stream = lanes_.at(plan.lanes.front()).stream;
  // Relaxed: scratch memory may grow.
  CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  recording_.capturing = true;
  bool whole = true;
  try {
    enqueue(program, plan);
    gather(program, plan);
  } catch (const Failure&) {
    whole = false;
  }
  recording_.capturing = false;
  cudaGraph_t graph = nullptr;
  const cudaError_t error = cudaStreamEndCapture(stream, &graph);
  cudaGetLastError();
  if (whole && error == cudaSuccess) return graph;
  if (graph) cudaGraphDestroy(graph);
  return nullptr;
}

/// A capture ends on the stream that it began on: all others come back to it.
void Executor::gather(const Program& program, const Plan& plan) {
  const cudaStream_t stream = lanes_.at(plan.lanes.front()).stream;
  for (uint32_t lane : plan.lanes) {
    if (lane == plan.lanes.front()) continue;
    const cudaEvent_t last = marks(program, program.lanes[lane].back()).end.join;
    CUDA_CHECK(cudaEventRecord(last, lanes_.at(lane).stream));
    CUDA_CHECK(cudaStreamWaitEvent(stream, last, 0));
  }
}

}  // namespace schemoe::cuda
