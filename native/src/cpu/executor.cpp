#include "cpu/executor.h"

#include <algorithm>

namespace schemoe {

Executor::Executor(uint32_t ranks, Buffers& buffers, HostQueue& hosts, Part part)
    : ranks_(ranks), buffers_(buffers), hosts_(hosts), part_(part), lanes_(size_t{ranks} * kLanes) {
  try {
    for (uint32_t i = 0; i < lanes_.size(); ++i) {
      lanes_[i].rank = i / kLanes;
      if (!part_.holds(lanes_[i].rank)) continue;
      lanes_[i].thread = std::thread([this, i] { live(i); });
    }
  } catch (...) {
    stop_idle_lanes();
    throw caught_in({}, "Cannot start ", lanes_.size(), " threads for ", ranks, " ranks: ");
  }
}

Executor::~Executor() { stop_idle_lanes(); }

void Executor::stop_idle_lanes() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (Lane& lane : lanes_) lane.wake.notify_all();
  }
  for (Lane& lane : lanes_) {
    if (lane.thread.joinable()) lane.thread.join();
  }
}

void Executor::begin(const Program& program, std::span<schemoe_event> events) {
  // What may fail comes first: once `program_` is set, only the lanes end the run.
  states_.resize(program.operations.size());
  posts_.assign(program.transfers.size(), 0);
  heard_.assign(part_.carrier ? program.transfers.size() : 0, 0);
  program_ = &program;
  events_ = events;
  failure_.reset();
  noted_.reset();
  stop_ = false;
  for (size_t i = 0; i < states_.size(); ++i) {
    const Operation& operation = program.operations[i];
    const Stage stage = part_.holds(operation.rank) ? Stage::waiting : Stage::done;
    states_[i] = {operation.waits.count, operation.ends.count, operation.ends.count, stage, 0, 0, 0, 0, 0};
  }
  std::fill(events.begin(), events.end(), schemoe_event{});
  hosts_.begin();
  ++runs_;
  start_ = part_.carrier ? expected_start_ : Clock::now();
  run_ = std::exchange(expected_, 0);
  begun_.notify_all();
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (program.lanes[i].empty() || !part_.holds(lanes_[i].rank)) continue;
    ++active_;
    lanes_[i].wake.notify_all();
  }
}

void Executor::run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) {
  Lock lock(mutex_);
  if (closing_) fail(SCHEMOE_CLOSED, "Cannot run the Program: the engine is closing");
  if (part_.carrier) await_start(lock, time_limit_ns);
  begin(program, events);
  const auto all_idle = [&] { return active_ == 0; };
  if (time_limit_ns > 0 && time_limit_ns < kYearNs) {
    if (!idle_.wait_until(lock, start_ + std::chrono::nanoseconds(time_limit_ns), all_idle)) {
      stop(unfinished(late(time_limit_ns)));
    }
  }
  idle_.wait(lock, all_idle);
  hosts_.end();
  program_ = nullptr;
  events_ = {};
  if (failure_ && part_.carrier) {
    // Other processes may be in the middle of sending, and buffers may change once this returns.
    lock.unlock();
    part_.carrier->abort();
    lock.lock();
  }
  if (failure_) throw *std::exchange(failure_, std::nullopt);
  // All processes came to the end of the run, so that each may say what it found.
  if (noted_) throw std::exchange(noted_, std::nullopt)->failure;
}

bool Executor::cancel() {
  const std::lock_guard lock(mutex_);
  if (awaits_start_) {
    awaits_start_ = false;
    begun_.notify_all();
    return true;
  }
  if (!program_) return false;
  const Failure cancelled(SCHEMOE_CANCELLED, "Cannot finish the run: it was cancelled");
  stop(part_.carrier ? unfinished(cancelled) : cancelled);
  return true;
}

void Executor::shut_down() {
  const std::lock_guard lock(mutex_);
  closing_ = true;
  begun_.notify_all();
  if (program_) stop(Failure(SCHEMOE_CLOSED, "Cannot finish the run: the engine is closing"));
}

void Executor::stop(const Failure& failure) noexcept {
  if (failure_) return;  // the first failure is the cause of all others
  failure_ = failure;
  stop_ = true;
  for (Lane& lane : lanes_) lane.wake.notify_all();
  hosts_.stop();
}

/// The failure with the first unfinished operation and what it waits for.
Failure Executor::unfinished(const Failure& failure) const noexcept {
  const auto at = std::find_if(states_.begin(), states_.end(), [](const State& s) { return s.stage != Stage::done; });
  if (at == states_.end()) return failure;
  const auto index = static_cast<uint32_t>(at - states_.begin());
  const Operation& operation = program_->operations[index];
  try {
    return failure.unfinished(place_of(operation), join('(', kLaneNames[operation.lane], " lane) ", doing(index)));
  } catch (...) {
    return failure.unfinished(place_of(operation), "has not ended");
  }
}

std::string Executor::doing(uint32_t index) const {
  const Operation& operation = program_->operations[index];
  switch (states_[index].stage) {
    case Stage::waiting:
      // The first unfinished one has all its dependencies, so it waits for its turn.
      return "has not begun";
    case Stage::posted:
      for (uint32_t end : slice(program_->ends, operation.ends)) {
        const Transfer& transfer = program_->transfers[end];
        if (posts_[end] == 2) continue;
        const uint32_t peer = transfer.sender == index ? transfer.receiver : transfer.sender;
        return join("waits for rank ", program_->operations[peer].rank, " to post a transfer of ",
                    (transfer.sender == index ? transfer.source() : transfer.target()).bytes, " bytes");
      }
      return "waits for its transfers";
    case Stage::pacing:
      return join("is paced to ", static_cast<double>(operation.pace_ns) * 1e-9, " s");
    default:
      for (const Call& call : slice(program_->calls, operation.calls)) {
        if (std::holds_alternative<Host>(call.arguments)) return "waits for its host function";
      }
      return "is computing";
  }
}

void Executor::wake(uint32_t operation) {
  const Operation& o = program_->operations[operation];
  lanes_[o.rank * kLanes + o.lane].wake.notify_one();
}

}  // namespace schemoe
