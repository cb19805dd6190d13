// The thread that watches a run: its time limit, and host kernels that wait for JavaScript.
#include <algorithm>
#include <chrono>

#include "cuda/executor.h"

namespace schemoe::cuda {

namespace {

// How often streams that may wait for the host are looked at.
constexpr auto kLook = std::chrono::microseconds(20);
// How often NCCL is asked for errors.
constexpr auto kAsk = std::chrono::milliseconds(20);

std::chrono::steady_clock::time_point time_of(int64_t nanoseconds) {
  return std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::nanoseconds(nanoseconds)));
}

}  // namespace

bool Executor::cancel() {
  {
    const std::lock_guard lock(mutex_);
    if (!program_) return false;
  }
  stop(Failure(SCHEMOE_CANCELLED, "Cannot finish the run: it was cancelled"));
  return true;
}

void Executor::shut_down() {
  bool running = false;
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    running = program_ != nullptr;
    changed_.notify_all();
  }
  if (running) stop(Failure(SCHEMOE_CLOSED, "Cannot finish the run: the engine is closing"));
}

void Executor::stop(const Failure& failure) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!program_ || failure_) return;  // the first failure is the cause of all others
    failure_ = failure;
    Signals::set(signals_.stop());
    changed_.notify_all();
  }
  hosts_.stop();
}

void Executor::watch() {
  std::unique_lock lock(mutex_);
  uint64_t seen = 0;
  for (;;) {
    changed_.wait(lock, [&] { return closing_ || (program_ && watched_ && seen != runs_); });
    if (!program_) return;
    seen = runs_;
    while (program_ && runs_ == seen) {
      try {
        watch_run(lock, seen);
      } catch (...) {
        const Failure failure = caught();
        if (lock.owns_lock()) lock.unlock();
        stop(failure);
        lock.lock();
        // It is watched to its end all the same; the memory that lacked may be there by then.
        changed_.wait_for(lock, kAsk);
      }
    }
  }
}

/// Until it is over. Locked, but perhaps not where it throws.
void Executor::watch_run(std::unique_lock<std::mutex>& lock, uint64_t run) {
  const auto over = [&] { return !program_ || runs_ != run; };
  std::vector<bool> taken(failure_ ? 0 : plan_->host_calls.size(), false);
  const bool serves = !taken.empty();
  while (!over()) {
    if (failure_ && cluster_ && !cluster_->aborted()) {
      const std::shared_ptr<nccl::Cluster> cluster = cluster_;
      lock.unlock();
      cluster->abort();
      lock.lock();
      continue;
    }
    if (serves) {
      changed_.wait_for(lock, kLook, over);
      if (!over() && !failure_) serve_hosts(taken);
    } else if (options_.nccl && !failure_) {
      // Nothing tells of an error behind the scenes but being asked.
      changed_.wait_until(lock, std::min(time_of(deadline_ns_), std::chrono::steady_clock::now() + kAsk),
                          [&] { return over() || failure_; });
      if (!over() && !failure_) ask_cluster();
    } else if (deadline_ns_ == INT64_MAX || failure_) {
      changed_.wait(lock, over);
    } else {
      changed_.wait_until(lock, time_of(deadline_ns_), over);
    }
    if (over() || failure_ || std::chrono::steady_clock::now() < time_of(deadline_ns_)) continue;
    pass_limit(lock);
  }
}

/// Ends the run in progress, whose time limit has passed.
void Executor::pass_limit(std::unique_lock<std::mutex>& lock) {
  failure_ = unfinished(late(time_limit_ns_));
  Signals::set(signals_.stop());
  lock.unlock();
  hosts_.stop();
  lock.lock();
}

/// The same where the time limit of a run that is not watched has passed.
void Executor::check_limit() noexcept {
  if (std::chrono::steady_clock::now() < time_of(deadline_ns_)) return;
  try {
    std::unique_lock lock(mutex_);
    if (!failure_) pass_limit(lock);
  } catch (...) {
    stop(caught());
  }
}

/// Ends the run where NCCL reports an error. Locked.
void Executor::ask_cluster() {
  const std::optional<Failure> failure = cluster_ ? cluster_->error() : std::nullopt;
  if (!failure) return;
  failure_ = unfinished(*failure);
  Signals::set(signals_.stop());
}

/// Gives each stream that has come to its host kernel a thread that waits for the answer.
void Executor::serve_hosts(std::vector<bool>& taken) {
  for (uint32_t slot = 0; slot < taken.size(); ++slot) {
    if (taken[slot] || !Signals::is_set(signals_.arrived(slot))) continue;
    const uint32_t call = plan_->host_calls[slot];
    callers_.emplace_back([this, call, slot, program = program_] { call_host(call, slot, *program); });
    taken[slot] = true;
  }
}

void Executor::call_host(uint32_t call, uint32_t slot, const Program& program) {
  const auto owner = std::find_if(program.operations.begin(), program.operations.end(), [&](const Operation& o) {
    return call >= o.calls.first && call < o.calls.first + o.calls.count;
  });
  try {
    const auto index = static_cast<uint32_t>(owner - program.operations.begin());
    hosts_.call({index, owner->rank, std::get<Host>(program.calls[call].arguments).id});
    Signals::set(signals_.go(slot));
  } catch (...) {
    stop(caught_in(place_of(*owner), "Cannot run kernel host: "));
  }
}

/// Of the run in progress. Locked.
bool Executor::is_done(uint32_t operation) const {
  auto& flag = const_cast<uint8_t&>(enqueued_[operation]);
  if (std::atomic_ref(flag).load(std::memory_order_acquire) == 0) return false;
  const cudaEvent_t end = marks(*program_, operation).end.time;
  if (!launched_) return cudaEventQuery(end) == cudaSuccess;
  return events_.since_launch(0, end);
}

/// The failure with the first unfinished operation and its state. Locked.
Failure Executor::unfinished(const Failure& failure) const noexcept {
  // Without recorded times it is not known.
  if (!program_ || !recording_.times) return failure;
  try {
    for (uint32_t i = 0; i < program_->operations.size(); ++i) {
      const Operation& operation = program_->operations[i];
      if (is_done(i) || !world_.holds(operation.rank)) continue;
      return failure.unfinished(place_of(operation), join('(', kLaneNames[operation.lane], " lane) ", doing(operation)));
    }
  } catch (...) {
    // The failure itself is the cause; this only adds to it.
  }
  return failure;
}

std::string Executor::doing(const Operation& operation) const {
  for (const Call& call : slice(program_->calls, operation.calls)) {
    if (std::holds_alternative<Host>(call.arguments)) return "waits for its host function";
  }
  if (operation.pace_ns > 0) return join("is paced to ", static_cast<double>(operation.pace_ns) * 1e-9, " s");
  return operation.communication ? "waits for its transfers" : "is computing";
}

}  // namespace schemoe::cuda
