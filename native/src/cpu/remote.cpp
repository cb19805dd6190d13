// The part of a run in other processes: messages to and from them.
#include <algorithm>
#include <set>
#include <utility>

#include "cpu/executor.h"

namespace schemoe {

namespace {

constexpr uint8_t kPosted = 1;
constexpr uint8_t kArrived = 2;

}  // namespace

void Executor::expect(uint64_t run, uint64_t start_ns) {
  const std::lock_guard lock(mutex_);
  if (run <= run_) fail(SCHEMOE_INVALID, "Cannot expect run ", run, ": run ", run_, " has begun");
  expected_ = run;
  expected_start_ = Clock::time_point(std::chrono::nanoseconds(start_ns));
}

/// All processes begin at one time, so that none finds the others late. The time limit and `cancel` hold here
/// too: by a clock that is wrong the beginning may be far away.
void Executor::await_start(Lock& lock, uint64_t time_limit_ns) {
  if (!lost_ && expected_ == 0) fail(SCHEMOE_INVALID, "Cannot run the Program: the other processes expect no run");
  awaits_start_ = true;
  const bool limited = time_limit_ns > 0 && time_limit_ns < kYearNs;
  const Clock::time_point latest = limited ? Clock::now() + std::chrono::nanoseconds(time_limit_ns) : expected_start_;
  begun_.wait_until(lock, std::min(expected_start_, latest), [&] { return lost_ || closing_ || !awaits_start_; });
  const bool cancelled = !std::exchange(awaits_start_, false);
  if (lost_) throw *lost_;
  if (closing_) fail(SCHEMOE_CLOSED, "Cannot run the Program: the engine is closing");
  if (!cancelled && expected_start_ <= latest) return;
  // What others send of this run waits for nothing any more.
  run_ = std::exchange(expected_, 0);
  begun_.notify_all();
  if (cancelled) fail(SCHEMOE_CANCELLED, "Cannot finish the run: it was cancelled before it began");
  throw late(time_limit_ns);
}

bool Executor::await_run(uint64_t run) {
  Lock lock(mutex_);
  begun_.wait(lock, [&] { return run_ >= run || lost_ || closing_; });
  return run_ == run && program_ && !stop_;
}

void Executor::lost(const Failure& failure) {
  const std::lock_guard lock(mutex_);
  if (!lost_) lost_ = failure;
  // What this process was about tells which one the others waited for.
  if (program_) stop(unfinished(failure));
  begun_.notify_all();
}

Notice Executor::notice_of(uint32_t index) const {
  const Transfer& transfer = program_->transfers[index];
  const Operation& sender = program_->operations[transfer.sender];
  return {run_, index, sender.task, transfer.from_rank, transfer.to_rank, transfer.bytes, 0, 0};
}

/// Bytes of a transfer on this side, which has posted: rows are counted by then.
uint64_t Executor::bytes_here(uint32_t index) const {
  const Transfer& transfer = program_->transfers[index];
  return (part_.holds(transfer.from_rank) ? transfer.source() : transfer.target()).bytes;
}

/// Tells the process of a transfer's other side that this one is posted. Locked.
void Executor::tell_posted(uint32_t index, uint32_t end) {
  const Transfer& transfer = program_->transfers[end];
  Notice notice = notice_of(end);
  notice.bytes = bytes_here(end);
  notice.posted_ns = now();
  notice.ideal_ns = states_[index].ideal_begin_ns;
  const bool sends = transfer.sender == index;
  part_.carrier->post(part_.carrier->process_of(sends ? notice.to : notice.from), notice);
  if (++posts_[end] == 2 && sends) send_contents(end);
}

void Executor::send_contents(uint32_t end) {
  Notice notice = notice_of(end);
  notice.bytes = bytes_here(end);
  part_.carrier->contents(part_.carrier->process_of(notice.to), notice,
                          buffers_.at(program_->transfers[end].source().view, notice.from));
}

/// Tells processes in which an operation waits for this one. Locked.
void Executor::tell_ended(uint32_t index) {
  std::set<uint32_t> told;
  for (uint32_t after : slice(program_->successors, program_->operations[index].successors)) {
    if (!remote(after)) continue;
    const uint32_t process = part_.carrier->process_of(program_->operations[after].rank);
    if (!told.insert(process).second) continue;
    part_.carrier->ended(process, {run_, index, static_cast<int64_t>(events_[index].end_ns), states_[index].ideal_end_ns});
  }
}

void Executor::posted(const Notice& notice) {
  const std::lock_guard lock(mutex_);
  if (!program_ || stop_) return;
  const bool known = notice.transfer < program_->transfers.size();
  const Notice own = known ? notice_of(notice.transfer) : Notice{};
  if (!known || own.task != notice.task || own.from != notice.from || own.to != notice.to ||
      (!program_->transfers[notice.transfer].counted() && own.bytes != notice.bytes)) {
    const std::string here = !known ? std::string("no such transfer")
                                    : join("task ", own.task, " from rank ", own.from, " to rank ", own.to, " with ", own.bytes, " bytes");
    fail(SCHEMOE_PEER, "its Program differs: transfer ", notice.transfer, " is there task ", notice.task, " from rank ",
         notice.from, " to rank ", notice.to, " with ", notice.bytes, " bytes, here ", here);
  }
  const Transfer& transfer = program_->transfers[notice.transfer];
  const bool sends = part_.holds(notice.from);
  if (sends == part_.holds(notice.to) || (heard_[notice.transfer] & kPosted)) {
    fail(SCHEMOE_PEER, "it posted transfer ", notice.transfer, ", which is not for it to post");
  }
  heard_[notice.transfer] |= kPosted;
  State& state = states_[sends ? transfer.sender : transfer.receiver];
  // Clocks agree only so well, and news is never older than it is here.
  state.all_posted_ns = std::max(state.all_posted_ns, std::min(notice.posted_ns, now()));
  state.ideal_peers_ns = std::max(state.ideal_peers_ns, notice.ideal_ns);
  --state.peers;
  if (++posts_[notice.transfer] == 2 && sends) send_contents(notice.transfer);
}

std::byte* Executor::target(const Notice& notice) {
  const std::lock_guard lock(mutex_);
  if (!program_ || stop_) return nullptr;
  const uint32_t index = notice.transfer;
  if (index >= program_->transfers.size() || !part_.holds(notice_of(index).to) || heard_[index] != kPosted ||
      posts_[index] != 2 || notice.bytes != bytes_here(index)) {
    fail(SCHEMOE_PEER, "it sent contents of transfer ", index, " that nothing here waits for");
  }
  heard_[index] |= kArrived;
  return buffers_.at(program_->transfers[index].target().view, notice_of(index).to);
}

void Executor::arrived(const Notice& notice) { count_copy(notice, false); }
void Executor::sent(const Notice& notice) { count_copy(notice, true); }

void Executor::count_copy(const Notice& notice, bool sender) {
  const std::lock_guard lock(mutex_);
  if (!program_ || stop_) return;
  const Transfer& transfer = program_->transfers[notice.transfer];
  const uint32_t index = sender ? transfer.sender : transfer.receiver;
  if (--states_[index].copies == 0) wake(index);
}

void Executor::ended(const Ended& ended) {
  const std::lock_guard lock(mutex_);
  if (!program_ || stop_) return;
  if (ended.operation >= program_->operations.size() || !remote(ended.operation) ||
      states_[ended.operation].copies == UINT32_MAX) {
    fail(SCHEMOE_PEER, "it ended operation ", ended.operation, ", which is not for it to end");
  }
  states_[ended.operation].copies = UINT32_MAX;  // not heard twice
  for (uint32_t after : slice(program_->successors, program_->operations[ended.operation].successors)) {
    if (!remote(after)) release(after, std::min(ended.end_ns, now()), ended.ideal_ns);
  }
}

}  // namespace schemoe
