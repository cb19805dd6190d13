#include "runtime/host_queue.h"

#include <algorithm>
#include <utility>

#include "runtime/failure.h"

namespace schemoe {

void HostQueue::begin() {
  const std::lock_guard lock(mutex_);
  ++begun_;
  running_ = true;
  stopping_ = false;
}

void HostQueue::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  answered_.notify_all();
}

void HostQueue::end() {
  const std::lock_guard lock(mutex_);
  running_ = false;
  called_.notify_all();
}

void HostQueue::call(const Request& request) {
  Call call{request, false, false, {}};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&call);
  called_.notify_one();
  answered_.wait(lock, [&] { return call.finished || stopping_; });
  std::erase(waiting_, &call);
  std::erase(taken_, &call);
  if (!call.finished) fail(SCHEMOE_CANCELLED, "the run stopped");
  if (call.failed) fail(SCHEMOE_HOST_FAILED, call.message);
}

HostQueue::Request HostQueue::wait() {
  std::unique_lock lock(mutex_);
  const uint64_t run = running_ ? begun_ : begun_ + 1;
  for (;;) {
    if (closed_) fail(SCHEMOE_CLOSED, "the engine is closing");
    if (running_ && !stopping_ && !waiting_.empty()) {
      taken_.push_back(waiting_.front());
      waiting_.pop_front();
      return taken_.back()->request;
    }
    if (begun_ > run || (begun_ == run && !running_)) fail(SCHEMOE_CLOSED, "the run has ended");
    if (!running_ && std::exchange(nudged_, false)) fail(SCHEMOE_CLOSED, "no run has begun");
    called_.wait(lock);
  }
}

void HostQueue::nudge() {
  const std::lock_guard lock(mutex_);
  nudged_ = true;
  called_.notify_all();
}

void HostQueue::done(uint32_t operation, bool failed, const char* message) {
  const std::lock_guard lock(mutex_);
  if (!running_ || stopping_) fail(SCHEMOE_CLOSED, "the run has ended");
  const auto at = std::find_if(taken_.begin(), taken_.end(), [&](const Call* call) {
    return call->request.operation == operation && !call->finished;
  });
  if (at == taken_.end()) {
    fail(SCHEMOE_INVALID, "Cannot finish the host kernel of operation ", operation, ": it does not wait");
  }
  if (failed) (*at)->message = message && *message ? message : "its function failed";
  (*at)->finished = true;
  (*at)->failed = failed;
  answered_.notify_all();
}

void HostQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  called_.notify_all();
}

}  // namespace schemoe
