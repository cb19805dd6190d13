// When operations began and ended, from the GPU's events. Each takes the host some microseconds to read, so that they are
// read while later operations run.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "cuda/executor.h"

namespace schemoe::cuda {

/// Of operations that have ended, in the Program's order, up to the first one that has not. What fails ends the run.
void Executor::read_ended(const Program& program, const Plan& plan) noexcept {
  if (Signals::is_set(signals_.stop())) return;
  try {
    for (; timed_ < times_.size(); ++timed_) {
      if (!world_.holds(program.operations[timed_].rank)) continue;
      if (!is_done(timed_)) return;
      read_time(program, plan, timed_);
    }
  } catch (...) {
    stop(caught());
  }
}

/// Likewise, waiting for each; where the run stops or fails, or is a graph, whose events are seen from outside once it
/// has ended only, it is left to `finish` to wait.
void Executor::await_times(const Program& program, const Plan& plan) noexcept {
  if (launched_) return;
  try {
    for (; timed_ < times_.size(); ++timed_) {
      if (!world_.holds(program.operations[timed_].rank)) continue;
      const bool enqueued = std::atomic_ref(enqueued_[timed_]).load(std::memory_order_acquire) != 0;
      if (!enqueued || Signals::is_set(signals_.stop())) return;
      if (cudaEventSynchronize(marks(program, timed_).end.time) != cudaSuccess) return;
      read_time(program, plan, timed_);
    }
  } catch (...) {
    stop(caught());
  }
}

/// All that is not read yet. Everything has ended.
void Executor::read_times(const Program& program, const Plan& plan) {
  for (; timed_ < times_.size(); ++timed_) {
    if (world_.holds(program.operations[timed_].rank)) read_time(program, plan, timed_);
  }
}

void Executor::read_time(const Program& program, const Plan& plan, uint32_t index) {
  if (!origin_) origin_ = clocks_.origin(base_device_, events_.base(base_device_).time);
  const auto device = static_cast<uint32_t>(world_.device(program.operations[index].rank));
  const auto at = [&](const Mark& mark) {
    const double since = static_cast<double>(base_ns_) + clocks_.since(*origin_, device, mark.time);
    return static_cast<uint64_t>(std::llround(std::max(0.0, since)));
  };
  const Marks& of = marks(program, index);
  const bool flows = launched_ && plan.flows(index);
  times_[index] = {0, flows ? times_[plan.joins.before[index]].end_ns : at(of.begin), at(of.end), 0};
}

/// Times of all operations; zeros where none are recorded, or nothing ran here.
void Executor::report(const Program& program, const Plan& plan, std::span<schemoe_event> events) {
  std::fill(events.begin(), events.end(), schemoe_event{});
  if (!recording_.times || plan.lanes.empty()) return;
  read_times(program, plan);
  std::copy(times_.begin(), times_.end(), events.begin());
  for (uint32_t i = 0; i < events.size(); ++i) {
    if (!world_.holds(program.operations[i].rank)) continue;
    for (uint32_t before : slice(program.waits, program.operations[i].waits)) {
      events[i].ready_ns = std::max(events[i].ready_ns, events[before].end_ns);
    }
    events[i].start_ns = std::max(events[i].start_ns, events[i].ready_ns);
    events[i].end_ns = std::max(events[i].end_ns, events[i].start_ns);
  }
  for (uint32_t i = 0; i < events.size(); ++i) {
    for (uint32_t peer : plan.peers[i]) {
      if (events[peer].start_ns > events[i].start_ns) {
        events[i].wait_ns = std::max(events[i].wait_ns, events[peer].start_ns - events[i].start_ns);
      }
    }
    events[i].wait_ns = std::min(events[i].wait_ns, events[i].end_ns - events[i].start_ns);
  }
}

}  // namespace schemoe::cuda
