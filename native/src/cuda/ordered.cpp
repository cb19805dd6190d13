// Runs a Program whose transfers NCCL makes. Every host thread walks through all tasks in the Program's
// order, so that all ranks post their phases in the same one, and posts those of its own ranks together.
#include <algorithm>
#include <chrono>
#include <thread>
#include <unordered_set>

#include "cuda/executor.h"
#include "runtime/nvtx_ranges.h"

namespace schemoe::cuda {

namespace {

using Clock = std::chrono::steady_clock;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

}  // namespace

void Executor::check_order(const Program& program) const {
  if (!options_.nccl) return;
  const auto& operations = program.operations;
  const auto refuse = [&](uint32_t index, const char* problem) {
    fail_at(place_of(operations[index]), SCHEMOE_UNSUPPORTED, "Cannot prepare the Program for NCCL: it ", problem);
  };
  // Numbers of tasks may be anything: a set, not a list that long.
  std::unordered_set<uint32_t> seen;
  for (uint32_t i = 0; i < operations.size(); ++i) {
    const Operation& o = operations[i];
    const bool follows = i > 0 && operations[i - 1].task == o.task;
    if (o.communication && !follows && seen.contains(o.task)) refuse(i, "does not follow the other ranks' part of its task");
    if (o.communication && follows && operations[i - 1].lane != o.lane) refuse(i, "is on another lane than its peers");
    if (o.communication && o.lane == SCHEMOE_COMPUTE) refuse(i, "transfers on the compute lane");
    seen.insert(o.task);
    for (uint32_t before : slice(program.waits, o.waits)) {
      if (world_.holds(o.rank) == world_.holds(operations[before].rank)) continue;
      refuse(i, "waits for a rank of another process; tasks can be measured alone in one process only");
    }
  }
}

nccl::Ids Executor::make_ids() {
  if (!cluster_) cluster_ = std::make_shared<nccl::Cluster>(world_, options_);
  return cluster_->make_ids();
}

int Executor::nccl_version() {
  if (!cluster_) cluster_ = std::make_shared<nccl::Cluster>(world_, options_);
  return cluster_->version();
}

void Executor::connect(const nccl::Ids& ids) {
  if (!cluster_) cluster_ = std::make_shared<nccl::Cluster>(world_, options_);
  cluster_->connect(ids);
}

void Executor::stop_connecting() {
  if (cluster_) cluster_->give_up();
}

void Executor::expect(uint64_t run, uint64_t start_ns) {
  const std::lock_guard lock(mutex_);
  if (run <= run_) fail(SCHEMOE_INVALID, "Cannot expect run ", run, ": run ", run_, " has begun");
  expected_ = run;
  expected_start_ns_ = static_cast<int64_t>(start_ns);
}

void Executor::lost(const Failure& failure) {
  {
    const std::lock_guard lock(mutex_);
    if (!lost_) lost_ = failure;
    changed_.notify_all();
  }
  stop(failure);
}

/// Communicators, which an abort may have ended.
void Executor::prepare_order() {
  if (cluster_) return;
  if (world_.count() < world_.ranks()) {
    fail(SCHEMOE_CLOSED, "Cannot run the Program: its transfers were aborted; close the engine and open a new one");
  }
  try {
    connect(make_ids());
  } catch (...) {
    // Half of a cluster is none.
    cluster_.reset();
    throw;
  }
}

/// With other processes: all begin at one time, so that none finds the others late.
void Executor::await_start() {
  base_ns_ = 0;
  if (world_.count() == world_.ranks()) return;
  std::unique_lock lock(mutex_);
  if (!lost_ && expected_ == 0) fail(SCHEMOE_INVALID, "Cannot run the Program: the other processes expect no run");
  const Clock::time_point start{std::chrono::nanoseconds(expected_start_ns_)};
  changed_.wait_until(lock, start, [&] { return lost_ || closing_ || failure_; });
  if (lost_) throw *lost_;
  if (closing_) fail(SCHEMOE_CLOSED, "Cannot run the Program: the engine is closing");
  run_ = expected_;
  expected_ = 0;
  base_ns_ = std::max<int64_t>(0, now_ns() - expected_start_ns_);
}

void Executor::enqueue_in_order(const Program& program, Plan& plan) {
  await_start();
  start_clock(plan);
  const auto run = [&](uint32_t part) {
    try {
      enqueue_part(program, plan, part);
    } catch (...) {
      stop(caught());
    }
  };
  // They join where a later one cannot be started, too; what was enqueued by then ends with the run.
  std::vector<std::jthread> threads;
  threads.reserve(cluster_->parts());
  try {
    for (uint32_t part = 1; part < cluster_->parts(); ++part) threads.emplace_back(run, part);
  } catch (...) {
    stop(caught());
  }
  run(0);
}

void Executor::enqueue_part(const Program& program, Plan& plan, uint32_t part) {
  const Range ranks = cluster_->ranks_of(part);
  world_.enter(ranks.first);
  const auto& operations = program.operations;
  std::vector<uint32_t> own;
  for (uint32_t first = 0, end = 0; first < operations.size(); first = end) {
    while (end < operations.size() && operations[end].task == operations[first].task &&
           operations[end].communication == operations[first].communication) {
      ++end;
    }
    own.clear();
    for (uint32_t i = first; i < end; ++i) {
      if (operations[i].rank >= ranks.first && operations[i].rank - ranks.first < ranks.count) own.push_back(i);
    }
    for (uint32_t index : own) {
      if (Signals::is_set(signals_.stop())) return;
      begin_in_order(program, plan, index);
    }
    if (!own.empty() && operations[first].communication) post_phase(program, plan, part, own);
  }
}

void Executor::begin_in_order(const Program& program, Plan& plan, uint32_t index) {
  const Operation& operation = program.operations[index];
  for (uint32_t before : slice(program.waits, operation.waits)) {
    if (!await_enqueued(before)) return;
  }
  step(program, plan, {Step::Kind::begin, index});
}

/// Whether an operation, which another thread may have to do, is enqueued; false when the run stops.
bool Executor::await_enqueued(uint32_t operation) {
  const std::atomic_ref flag(enqueued_[operation]);
  for (int turn = 0; flag.load(std::memory_order_acquire) == 0; ++turn) {
    if (Signals::is_set(signals_.stop())) return false;
    if (turn > 100) std::this_thread::sleep_for(std::chrono::microseconds(10));
  }
  return true;
}

/// The transfers of one phase of all ranks of a part.
void Executor::post_phase(const Program& program, Plan& plan, uint32_t part, std::span<const uint32_t> indices) {
  std::vector<nccl::Move> moves;
  // They are posted together, so that each range nests those of the ranks after it.
  NvtxRanges ranges(program);
  for (uint32_t index : indices) {
    const Operation& operation = program.operations[index];
    ranges.begin(operation);
    const auto device = static_cast<uint32_t>(world_.device(operation.rank));
    Lane& lane = lanes_.at(operation.rank * kLanes + operation.lane);
    if (world_.devices() > 1) world_.enter(operation.rank);
    if (operation.pace_ns > 0) stamp(stamps_[device] + index, lane.stream);
    plan.list_counted(buffers_, index, lane.stream);
    const Range tiles = plan.tiles(index);
    copy_tiles(plan.tile(tiles.first, device), tiles.count, lane.stream);
    for (uint32_t end : slice(program.ends, operation.ends)) {
      const Transfer& t = program.transfers[end];
      if (t.sender == t.receiver) continue;
      const bool sends = t.sender == index;
      const auto [view, bytes] = sends ? t.source() : t.target();
      if (bytes == 0) continue;
      moves.push_back({operation.rank, sends ? t.to_rank : t.from_rank, buffers_.at(view, operation.rank), bytes, sends,
                       lane.stream});
    }
  }
  const Operation& first = program.operations[indices.front()];
  try {
    cluster_->post(part, first.lane, moves);
  } catch (...) {
    throw caught_in(place_of(first), "Cannot run the phase: ");
  }
  for (uint32_t index : indices) {
    if (world_.devices() > 1) world_.enter(program.operations[index].rank);
    end_operation(program, index, lanes_.at(program.operations[index].rank * kLanes + first.lane));
  }
}

/// What an abort has ended is of no use any more.
void Executor::drop_aborted() {
  if (!failure_ || !Signals::is_set(signals_.stop()) || !cluster_) return;
  cluster_->abort();
  const std::lock_guard lock(mutex_);
  cluster_.reset();
}

}  // namespace schemoe::cuda
