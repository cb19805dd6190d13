// Runs of which one call begins what others end: the caller's own thread enqueues them, and is free while they go on.
#include <algorithm>
#include <variant>

#include "cuda/executor.h"

namespace schemoe::cuda {

namespace {

// Steps and kernels of each GPU, and of all, that the caller's thread enqueues itself: in a millisecond or two, some more on
// many GPUs, where another thread would take as long. They wait in the streams' queues if need be.
constexpr size_t kMostEnqueued = 256, kMostOfAll = 1024;

}  // namespace

/// Whether enqueueing it waits for nothing: neither for the GPU nor for a host function, and not for products that are
/// chosen or a graph that is made in its first runs.
bool Executor::is_short(const Program& program, const Plan& plan) const {
  if (options_.nccl || !plan.prepared || plan.lanes.empty() || !plan.host_calls.empty() || plan.paced) return false;
  if (program.tables.size() > 0) return false;  // enqueueing waits until rows are counted
  if (!program.names.empty()) return false;  // their ranges are the host's work of one thread, from begin to end
  if (has_graph(plan)) return true;
  if (options_.graphs && plan.graphable) return false;  // the next run captures it
  size_t enqueued = plan.steps.size();
  for (const Operation& operation : program.operations) {
    if (operation.communication) continue;  // its copies are made together
    for (const Call& call : slice(program.calls, operation.calls)) {
      const auto* groups = std::get_if<GemmGroups>(&call.arguments);
      enqueued += groups && !products_.runs_on_hopper(groups->gemm) ? static_cast<size_t>(groups->gemm.groups) : 1;
    }
  }
  return enqueued <= std::min(kMostEnqueued * world_.devices(), kMostOfAll);
}

bool Executor::start(const Program& program, uint64_t time_limit_ns) {
  check_open();
  if (!program.kept) return false;
  Plan& plan = plan_of(program);
  plan.refresh(buffers_);
  if (!is_short(program, plan)) return false;
  prepare(program, plan);
  begin(program, plan, time_limit_ns, false);
  enqueue_all(program, plan);
  return true;
}

/// From now on its caller waits, and the other thread looks at its limit.
void Executor::watch_too() {
  const std::lock_guard lock(mutex_);
  watched_ = true;
  changed_.notify_all();
}

bool Executor::over() {
  if (!program_) return true;
  if (!watched_) check_limit();
  read_ended(*program_, *plan_);
  cudaError_t result = cudaSuccess;
  for (uint32_t lane : plan_->lanes) {
    result = cudaStreamQuery(lanes_.at(lane).stream);
    if (result != cudaSuccess || launched_) break;  // a graph is on the first one's stream
  }
  cudaGetLastError();  // that it goes on is no error, and one of the stream is found by `end`
  return result != cudaErrorNotReady;
}

}  // namespace schemoe::cuda
