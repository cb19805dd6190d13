#include "cuda/executor.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cuda/together.h"
#include "runtime/nvtx_ranges.h"

namespace schemoe::cuda {

namespace {

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Executor::Executor(const World& world, Buffers& buffers, HostQueue& hosts, const CudaOptions& options)
    : world_(world),
      options_(options),
      buffers_(buffers),
      hosts_(hosts),
      recording_{options.times},
      // Processes that share a GPU would measure each other.
      products_(world, options.tf32, options.tune && options.slots == 1),
      lanes_(world),
      pool_(world),
      events_(world),
      clocks_(world),
      errors_(world.devices(), nullptr),
      stamps_(world.devices(), nullptr) {
  CUDA_CHECK(cudaHostAlloc(reinterpret_cast<void**>(&error_seen_), sizeof *error_seen_,
                           cudaHostAllocPortable | cudaHostAllocMapped));
  for (uint32_t device = 0; device < world.devices(); ++device) {
    world_.use(device);
    CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&errors_[device]), sizeof(DataError)));
  }
  signals_.reset(0);
  watcher_ = std::thread([this] { watch(); });
}

Executor::~Executor() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  if (watcher_.joinable()) watcher_.join();
  for (uint32_t device = 0; device < world_.devices(); ++device) {
    world_.try_use(device);
    cudaFree(errors_[device]);
    cudaFree(stamps_[device]);
  }
  cudaFreeHost(error_seen_);
}

Plan& Executor::plan_of(const Program& program) {
  if (!program.kept) program.kept = std::make_shared<Plan>(program, world_, pool_, options_);
  return *static_cast<Plan*>(program.kept.get());
}

const Marks& Executor::marks(const Program& program, uint32_t operation) const {
  return events_.at(static_cast<uint32_t>(world_.device(program.operations[operation].rank)), operation);
}

void Executor::check_open() {
  const std::lock_guard lock(mutex_);
  if (closing_) fail(SCHEMOE_CLOSED, "Cannot run the Program: the engine is closing");
}

void Executor::run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) {
  check_open();
  Plan& plan = plan_of(program);
  prepare(program, plan);
  begin(program, plan, time_limit_ns, true);
  enqueue_all(program, plan);
  end(events);
}

/// All that comes before a run begins.
void Executor::prepare(const Program& program, Plan& plan) {
  plan.refresh(buffers_);
  reserve(program, plan);
  if (options_.nccl) prepare_order();
  prepare_products(program, plan);
  if (recording_.times) {
    clocks_.compare();
    clock_error_ = static_cast<uint64_t>(clocks_.error_ns());
  }
}

/// What is thrown ends the run, which goes on until `end`.
void Executor::enqueue_all(const Program& program, Plan& plan) {
  try {
    if (has_graph(plan)) {
      launch(plan);
    } else if (options_.nccl) {
      enqueue_in_order(program, plan);
    } else {
      enqueue(program, plan);
      capture_graph(program, plan);
    }
  } catch (...) {
    // Whatever was thrown, streams may be running, and must be idle before their memory is touched.
    stop(caught());
  }
}

void Executor::end(std::span<schemoe_event> events) {
  const Program& program = *program_;
  const Plan& plan = *plan_;
  if (!watched_ && !over()) watch_too();
  await_times(program, plan);
  finish(program, plan);
  if (options_.nccl) drop_aborted();
  if (failure_) throw *std::exchange(failure_, std::nullopt);
  if (!events.empty()) report(program, plan, events);
}

/// Events, flags and scratch of a run of the Program.
void Executor::reserve(const Program& program, const Plan& plan) {
  const size_t count = program.operations.size();
  for (uint32_t device = 0; device < world_.devices(); ++device) {
    world_.use(device);
    events_.reserve(device, count);
    if (plan.paced && stamp_room_ < count) {
      CUDA_CHECK(cudaFree(stamps_[device]));
      stamps_[device] = nullptr;
      CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&stamps_[device]), count * sizeof(uint64_t)));
    }
  }
  if (plan.paced) stamp_room_ = std::max(stamp_room_, count);
  if (dirty_errors_) reset_errors();
}

void Executor::reset_errors() {
  *error_seen_ = 0;
  DataError none{};
  none.number = UINT64_MAX;
  none.seen = error_seen_;
  for (uint32_t device = 0; device < world_.devices(); ++device) {
    world_.use(device);
    CUDA_CHECK(cudaMemcpy(errors_[device], &none, sizeof none, cudaMemcpyHostToDevice));
    // The copy may return before the bytes are there, and lanes do not wait for it.
    CUDA_CHECK(cudaStreamSynchronize(nullptr));
  }
  dirty_errors_ = false;
}

void Executor::begin(const Program& program, Plan& plan, uint64_t time_limit_ns, bool watched) {
  const std::lock_guard lock(mutex_);
  if (closing_) fail(SCHEMOE_CLOSED, "Cannot run the Program: the engine is closing");
  // What may fail comes before `program_` is set: from then on `finish` must follow.
  signals_.reset(static_cast<uint32_t>(plan.host_calls.size()));
  failure_.reset();
  enqueued_.assign(program.operations.size(), 0);
  times_.assign(recording_.times ? program.operations.size() : 0, {});
  timed_ = 0;
  origin_.reset();
  launched_ = false;
  const bool limited = time_limit_ns > 0 && time_limit_ns < kYearNs;
  deadline_ns_ = limited ? now_ns() + static_cast<int64_t>(time_limit_ns) : INT64_MAX;
  time_limit_ns_ = time_limit_ns;
  program_ = &program;
  plan_ = &plan;
  ++runs_;
  hosts_.begin();
  watched_ = watched;
  if (watched) changed_.notify_all();
}

/// Starts the clock of the run, on the GPU of its first lane; nothing begins before, on any GPU.
void Executor::start_clock(const Plan& plan) {
  if (plan.lanes.empty()) return;
  const uint32_t first = plan.lanes.front();
  base_device_ = static_cast<uint32_t>(world_.device(first / kLanes));
  world_.use(base_device_);
  const Mark& base = events_.base(base_device_);
  recording_.put(base, true, lanes_.at(first));
  for (uint32_t lane : plan.lanes) {
    if (lane != first) CUDA_CHECK(cudaStreamWaitEvent(lanes_.at(lane).stream, recording_.joined(base), 0));
  }
}

void Executor::enqueue(const Program& program, Plan& plan) {
  start_clock(plan);
  for (const Step& s : plan.steps) {
    if (Signals::is_set(signals_.stop())) return;
    step(program, plan, s);
  }
}

/// Everything at once, where it has been captured.
void Executor::launch(const Plan& plan) {
  if (Signals::is_set(signals_.stop())) return;
  const cudaStream_t stream = lanes_.at(plan.lanes.front()).stream;
  if (recording_.times) CUDA_CHECK(cudaEventRecord(events_.launched(0), stream));
  plan.graph.launch(stream);
  launched_ = true;
  for (uint8_t& flag : enqueued_) std::atomic_ref(flag).store(1, std::memory_order_release);
}

void Executor::step(const Program& program, Plan& plan, const Step& s) {
  const Operation& operation = program.operations[s.operation];
  // Where its kernels and copies are enqueued: the beginning and the end of a phase are events and waits.
  NvtxRanges ranges(program);
  if (operation.communication == (s.kind == Step::Kind::move)) ranges.begin(operation);
  try {
    if (world_.devices() > 1) world_.enter(operation.rank);
    Lane& lane = lanes_.at(operation.rank * kLanes + operation.lane);
    switch (s.kind) {
      case Step::Kind::begin: return begin_operation(program, plan, s.operation);
      case Step::Kind::move: return move(program, plan, s.operation, lane);
      case Step::Kind::end: return end_operation(program, s.operation, lane);
    }
  } catch (...) {
    throw caught_in(place_of(operation));
  }
}

void Executor::wait(const Program& program, uint32_t operation, Lane& lane, Mark Marks::*mark) {
  CUDA_CHECK(cudaStreamWaitEvent(lane.stream, recording_.joined(marks(program, operation).*mark), 0));
}

void Executor::begin_operation(const Program& program, Plan& plan, uint32_t index) {
  const Operation& operation = program.operations[index];
  Lane& lane = lanes_.at(operation.rank * kLanes + operation.lane);
  const auto device = static_cast<uint32_t>(world_.device(operation.rank));
  for (uint32_t before : plan.joins.waits[index]) wait(program, before, lane, &Marks::end);
  // In a graph no host can be late, so that the end before it says when this began.
  if (!recording_.capturing || !plan.flows(index)) {
    recording_.put(marks(program, index).begin, !plan.peers[index].empty(), lane);
  }
  if (operation.communication) return;
  if (operation.pace_ns > 0) stamp(stamps_[device] + index, lane.stream);
  compute(program, plan, index, lane);
  end_operation(program, index, lane);
}

void Executor::compute(const Program& program, Plan& plan, uint32_t index, Lane& lane) {
  const Operation& operation = program.operations[index];
  const int device = world_.device(operation.rank);
  const std::span<const Call> calls = slice(program.calls, operation.calls);
  for (uint32_t i = 0; i < operation.calls.count; ++i) {
    const uint32_t number = operation.calls.first + i;
    const Call& call = program.calls[number];
    const auto* counts = std::get_if<CountRows>(&call.arguments);
    if (counts && !has_loads(program, plan, *counts, lane)) return;
    try {
      if (counts) {
        plan.count_rows(*counts, operation.rank, lane.stream);
        continue;
      }
      if (std::holds_alternative<Host>(call.arguments)) {
        const uint32_t slot = plan.host_slot[number];
        meet_host(signals_.arrived(slot), signals_.go(slot), signals_.stop(), lane.stream);
        continue;
      }
      const Context context{buffers_, operation.rank, device, lane.stream, lane.scratch, products_,
                            errors_[static_cast<size_t>(device)], number,
                            plan.bounds(number, static_cast<uint32_t>(device))};
      const size_t together = run_together(calls.subspan(i), context);
      if (together == 0) run_kernel(call.arguments, context);
      else i += static_cast<uint32_t>(together) - 1;
    } catch (...) {
      throw caught_in(place_of(operation), "Cannot run kernel ", call.spec->name, ": ");
    }
  }
}

/// Kernels after it are enqueued with the rows that are counted, so that the lane must have come here; false where the run
/// has been stopped, which leaves any loads.
bool Executor::has_loads(const Program& program, Plan& plan, const CountRows& counts, const Lane& lane) {
  plan.await_loads(counts, buffers_, lane.rank, lane.stream);
  // What a kernel before found wrong explains loads that are.
  check_data(program);
  return !Signals::is_set(signals_.stop());
}

/// All peers have begun: their sources are ready and their targets free.
void Executor::move(const Program& program, Plan& plan, uint32_t index, Lane& lane) {
  const Operation& operation = program.operations[index];
  const auto device = static_cast<uint32_t>(world_.device(operation.rank));
  for (uint32_t peer : plan.peers[index]) wait(program, peer, lane, &Marks::begin);
  if (operation.pace_ns > 0) stamp(stamps_[device] + index, lane.stream);
  plan.list_counted(buffers_, index, lane.stream);
  copy(plan, index, device, lane);
  recording_.put(marks(program, index).moved, !plan.peers[index].empty(), lane);
}

void Executor::copy(const Plan& plan, uint32_t index, uint32_t device, Lane& lane) {
  const Range tiles = plan.tiles(index);
  const auto spans = plan.spans(index);
  uint64_t bytes = 0;
  for (const Span& s : spans) bytes += s.bytes;
  // Enough for the copy engines that the kernel is worth going beside them.
  constexpr uint64_t kWorth = 1 << 20;
  const bool fork = tiles.count > 0 && bytes >= kWorth;
  if (fork) lane.fork();
  copy_tiles(plan.tile(tiles.first, device), tiles.count, fork ? lane.branch : lane.stream);
  copy_spans(spans, lane.stream, recording_.capturing);
  if (fork) lane.join();
}

void Executor::end_operation(const Program& program, uint32_t index, Lane& lane) {
  const Operation& operation = program.operations[index];
  if (operation.communication && !options_.nccl) {
    // What was sent may be overwritten only when its receivers have it.
    for (uint32_t peer : plan_->peers[index]) wait(program, peer, lane, &Marks::moved);
  }
  if (operation.pace_ns > 0) {
    const auto device = static_cast<uint32_t>(world_.device(operation.rank));
    pace(stamps_[device] + index, operation.pace_ns, signals_.stop(), lane.stream);
  }
  recording_.put(marks(program, index).end, plan_->joins.awaited[index] != 0, lane);
  if (!recording_.capturing) std::atomic_ref(enqueued_[index]).store(1, std::memory_order_release);
}

}  // namespace schemoe::cuda
