// The thread of a lane in a run.
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "cpu/executor.h"
#include "cpu/kernels/kernels.h"
#include "runtime/nvtx_ranges.h"

namespace schemoe {

namespace {

// Waking up late is not work: up to this much of it is left out of the ideal times, so that it does
// not add up along a chain. More than that is a machine with too much to do, which must show.
constexpr int64_t kForgivenNs = 500'000;

// A lane of communication stands for hardware beside the processor. Where there are more lanes than cores, one that
// wakes up would else wait until a computation has used up its slice, for milliseconds, to copy for microseconds:
// Linux 6.12 and later let a thread of shorter slices go first. Its share of the processor stays the same. Older ones,
// and those that refuse, do as always.
constexpr uint64_t kCommunicationSliceNs = 100'000;

/// `struct sched_attr` of Linux, whose header and the C library's do not go together.
struct SchedulingAttributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

void take_short_slices() {
  SchedulingAttributes attributes{};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
  if (attributes.policy != SCHED_OTHER) return;
  attributes.runtime = kCommunicationSliceNs;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

void Executor::live(uint32_t index) {
  // The kernel may otherwise wake a sleeper 50 us late, to save power.
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  if (index % kLanes != SCHEMOE_COMPUTE) take_short_slices();
  Lane& lane = lanes_[index];
  Lock lock(mutex_);
  for (;;) {
    // A run is over only when its lanes are idle, so no run is missed while one is going on.
    lane.wake.wait(lock, [&] {
      return (program_ && lane.seen != runs_ && !program_->lanes[index].empty()) || (closing_ && !program_);
    });
    if (!program_) return;
    lane.seen = runs_;
    run_lane(lock, lane, program_->lanes[index]);
    if (--active_ == 0) idle_.notify_all();
  }
}

void Executor::run_lane(Lock& lock, Lane& lane, const std::vector<uint32_t>& operations) {
  int64_t ideal_ns = 0;
  for (uint32_t index : operations) {
    try {
      if (!run_operation(lock, lane, index, ideal_ns)) return;
    } catch (...) {
      const Failure failure = caught().in(place_of(program_->operations[index]));
      if (!lock.owns_lock()) lock.lock();
      stop(failure);
      return;
    }
    ideal_ns = states_[index].ideal_end_ns;
  }
}

/// False when the run stopped before the operation was done. Locked on entry and on return.
bool Executor::run_operation(Lock& lock, Lane& lane, uint32_t index, int64_t lane_ideal_ns) {
  const Operation& operation = program_->operations[index];
  State& state = states_[index];
  lane.wake.wait(lock, [&] { return state.waits == 0 || stop_; });
  if (stop_) return false;
  NvtxRanges ranges(*program_);
  ranges.begin(operation);
  state.stage = Stage::working;
  state.ideal_begin_ns = std::max(state.ideal_begin_ns, lane_ideal_ns);
  schemoe_event& event = events_[index];
  const int64_t begun_ns = now();
  event.ready_ns = static_cast<uint64_t>(state.ready_ns);
  event.start_ns = static_cast<uint64_t>(begun_ns);
  if (operation.communication) {
    if (!transfer(lock, lane, index)) return false;
    event.wait_ns = static_cast<uint64_t>(std::max<int64_t>(0, state.all_posted_ns - begun_ns));
  } else {
    lock.unlock();
    compute(operation, index, lane);
    lock.lock();
    if (stop_) return false;
  }
  if (!pace(lock, lane, index, begun_ns)) return false;
  finish(index);
  return true;
}

/// Runs the kernels of a computation, unlocked.
void Executor::compute(const Operation& operation, uint32_t index, Lane& lane) {
  for (const Call& call : slice(program_->calls, operation.calls)) {
    if (stop_) return;
    try {
      compute_call(call, index, lane);
    } catch (...) {
      const Failure failure = caught_in(place_of(operation), "Cannot run kernel ", call.spec->name, ": ");
      // A value that the codec cannot represent, which may be what an earlier operation computed.
      const bool value = std::holds_alternative<Encode>(call.arguments) && failure.status() == SCHEMOE_INVALID;
      if (!operation.checked || !value) throw failure;
      note(index, {SCHEMOE_NOT_FINITE, failure.text(), place_of(operation)});
    }
  }
}

void Executor::compute_call(const Call& call, uint32_t index, Lane& lane) {
  const Operation& operation = program_->operations[index];
  const Context context{buffers_, operation.rank, lane.scratch, stop_};
  if (const auto* host = std::get_if<Host>(&call.arguments)) {
    hosts_.call({index, operation.rank, host->id});
  } else if (const auto* check = std::get_if<CheckNumbers>(&call.arguments)) {
    const auto found = find_number(*check, context);
    if (found) note(index, not_finite(*check, operation, found->element, found->what));
  } else {
    run_kernel(call.arguments, context);
  }
}

/// Keeps the failure of the first operation in order, and of its first call.
void Executor::note(uint32_t index, const Failure& failure) {
  const std::lock_guard lock(mutex_);
  if (!noted_ || index < noted_->operation) noted_.emplace(Noted{index, failure});
}

/// Posts the transfers of a phase and waits until all are copied. Locked on entry and on return.
bool Executor::transfer(Lock& lock, Lane& lane, uint32_t index) {
  const Operation& operation = program_->operations[index];
  State& state = states_[index];
  state.stage = Stage::posted;
  post(lane, index);
  lock.unlock();
  for (const Call& call : slice(program_->calls, operation.calls)) {
    if (stop_) break;
    if (const auto* copy = std::get_if<Copy>(&call.arguments)) {
      run_kernel(copy->now(), Context{buffers_, operation.rank, lane.scratch, stop_});
    }
  }
  copy_met(lane);
  lock.lock();
  for (uint32_t met : lane.met) {
    for (uint32_t side : {program_->transfers[met].sender, program_->transfers[met].receiver}) {
      if (--states_[side].copies == 0 && side != index) wake(side);
    }
  }
  lane.wake.wait(lock, [&] { return state.copies == 0 || stop_; });
  return !stop_;
}

/// Tells all peers, and collects the transfers whose other side was there already.
void Executor::post(Lane& lane, uint32_t index) {
  lane.met.clear();
  const int64_t ideal_ns = states_[index].ideal_begin_ns;
  const int64_t now_ns = now();
  for (uint32_t end : slice(program_->ends, program_->operations[index].ends)) {
    const Transfer& transfer = program_->transfers[end];
    const uint32_t other = transfer.sender == index ? transfer.receiver : transfer.sender;
    if (remote(other)) {
      tell_posted(index, end);
      continue;
    }
    State& peer = states_[other];
    peer.ideal_peers_ns = std::max(peer.ideal_peers_ns, ideal_ns);
    peer.all_posted_ns = std::max(peer.all_posted_ns, now_ns);
    --peer.peers;
    if (++posts_[end] == 2) lane.met.push_back(end);
  }
}

void Executor::copy_met(Lane& lane) const {
  for (uint32_t met : lane.met) {
    if (stop_) return;
    const Transfer& transfer = program_->transfers[met];
    if (transfer.counted()) check_counted(transfer);
    const auto [from, bytes] = transfer.source();
    std::memmove(buffers_.at(transfer.target().view, transfer.to_rank), buffers_.at(from, transfer.from_rank), bytes);
  }
}

/// Sleeps until the operation has taken as long as it should. The time is counted from its ideal
/// beginning, so that late wake-ups of threads do not add up.
bool Executor::pace(Lock& lock, Lane& lane, uint32_t index, int64_t begun_ns) {
  const Operation& operation = program_->operations[index];
  State& state = states_[index];
  const int64_t worked_ns = now();
  if (operation.pace_ns < 0) {
    state.ideal_end_ns = worked_ns;
    return true;
  }
  const int64_t ideal_ns = std::max(state.ideal_begin_ns, state.ideal_peers_ns);
  const int64_t target_ns = ideal_ns + operation.pace_ns;
  const int64_t met_ns = std::max(begun_ns, state.all_posted_ns);
  const int64_t late_ns = std::clamp<int64_t>(met_ns - ideal_ns, 0, kForgivenNs);
  state.ideal_end_ns = std::max(target_ns, worked_ns - late_ns);
  state.stage = Stage::pacing;
  lane.wake.wait_until(lock, start_ + std::chrono::nanoseconds(target_ns), [&] { return stop_.load(); });
  return !stop_;
}

void Executor::finish(uint32_t index) {
  State& state = states_[index];
  const int64_t now_ns = now();
  state.stage = Stage::done;
  events_[index].end_ns = static_cast<uint64_t>(now_ns);
  for (uint32_t after : slice(program_->successors, program_->operations[index].successors)) {
    if (!remote(after)) release(after, now_ns, state.ideal_end_ns);
  }
  if (part_.carrier) tell_ended(index);
}

/// One of the operations that `after` waits for has ended.
void Executor::release(uint32_t after, int64_t end_ns, int64_t ideal_end_ns) {
  State& successor = states_[after];
  successor.ideal_begin_ns = std::max(successor.ideal_begin_ns, ideal_end_ns);
  successor.ready_ns = std::max(successor.ready_ns, end_ns);
  if (--successor.waits == 0) wake(after);
}

}  // namespace schemoe
