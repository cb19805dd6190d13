// Runs a Program: one thread enqueues everything on the streams of the lanes, or launches it as a graph
// that an earlier run has captured; events order the streams, and another thread watches the clock and
// serves host kernels.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "cuda/buffers.h"
#include "cuda/clocks.h"
#include "cuda/events.h"
#include "cuda/lanes.h"
#include "cuda/plan.h"
#include "cuda/products.h"
#include "cuda/signals.h"
#include "nccl/cluster.h"
#include "runtime/failure.h"
#include "runtime/host_queue.h"
#include "runtime/program.h"

namespace schemoe::cuda {

class Executor {
 public:
  Executor(const World& world, Buffers& buffers, HostQueue& hosts, const CudaOptions& options);
  ~Executor();

  /// Throws what ended the run early; all streams are idle again either way.
  void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events);

  // started.cpp: the same in three calls.
  /// Enqueues a run, where that takes some microseconds; false where it may take longer, and nothing has begun.
  bool start(const Program& program, uint64_t time_limit_ns);
  /// Whether all that was started has ended: `end` does not wait.
  bool over();
  /// Waits for it; throws what ended the run early. Without room for events there are none.
  void end(std::span<schemoe_event> events);

  // ordered.cpp: transfers by NCCL.
  /// Throws UNSUPPORTED where a Program's phases cannot be posted in one order.
  void check_order(const Program& program) const;
  /// Makes communicators with the other processes, of these ids. Blocks until they do the same.
  void connect(const nccl::Ids& ids);
  /// Ends `connect` in another thread soon, where that is possible.
  void stop_connecting();
  nccl::Ids make_ids();
  int nccl_version();
  /// Number and beginning of the next run, which other processes take part in.
  void expect(uint64_t run, uint64_t start_ns);
  /// Another process cannot be reached any more.
  void lost(const Failure& failure);

  /// Whether there was a run to cancel.
  bool cancel();
  /// Cancels, and no run begins from now on.
  void shut_down();
  /// Whether an error has made the GPU's context useless.
  bool broken() const { return broken_; }
  /// Error bound in nanoseconds of times of different GPUs relative to each other, in the last run's events.
  uint64_t clock_error() const { return clock_error_; }

 private:
  Plan& plan_of(const Program& program);
  void check_open();
  void prepare(const Program& program, Plan& plan);
  void enqueue_all(const Program& program, Plan& plan);
  bool is_short(const Program& program, const Plan& plan) const;
  void watch_too();
  void reserve(const Program& program, const Plan& plan);
  void begin(const Program& program, Plan& plan, uint64_t time_limit_ns, bool watched);
  void reset_errors();
  void start_clock(const Plan& plan);
  void enqueue(const Program& program, Plan& plan);
  void launch(const Plan& plan);
  void step(const Program& program, Plan& plan, const Step& step);
  void begin_operation(const Program& program, Plan& plan, uint32_t index);
  void compute(const Program& program, Plan& plan, uint32_t index, Lane& lane);
  bool has_loads(const Program& program, Plan& plan, const CountRows& counts, const Lane& lane);
  void move(const Program& program, Plan& plan, uint32_t index, Lane& lane);
  void copy(const Plan& plan, uint32_t index, uint32_t device, Lane& lane);
  void end_operation(const Program& program, uint32_t index, Lane& lane);
  void wait(const Program& program, uint32_t operation, Lane& lane, Mark Marks::*mark);
  const Marks& marks(const Program& program, uint32_t operation) const;
  void finish(const Program& program, const Plan& plan);
  void check_data(const Program& program);
  void report(const Program& program, const Plan& plan, std::span<schemoe_event> events);

  // times.cpp
  void read_times(const Program& program, const Plan& plan);
  void await_times(const Program& program, const Plan& plan) noexcept;
  void read_ended(const Program& program, const Plan& plan) noexcept;
  void read_time(const Program& program, const Plan& plan, uint32_t index);

  // rehearsal.cpp
  void prepare_products(const Program& program, Plan& plan);
  void rehearse(const Program& program);
  void rehearse(const Gemm& gemm, uint32_t rank, bool ragged);

  // capture.cpp
  bool has_graph(const Plan& plan) const;
  void capture_graph(const Program& program, Plan& plan);
  cudaGraph_t capture(const Program& program, Plan& plan);
  void gather(const Program& program, const Plan& plan);
  uint64_t scratch_of(const Plan& plan) const;

  // ordered.cpp
  void prepare_order();
  void enqueue_in_order(const Program& program, Plan& plan);
  void enqueue_part(const Program& program, Plan& plan, uint32_t part);
  void begin_in_order(const Program& program, Plan& plan, uint32_t index);
  void post_phase(const Program& program, Plan& plan, uint32_t part, std::span<const uint32_t> operations);
  bool await_enqueued(uint32_t operation);
  void await_start();
  void drop_aborted();

  // watch.cpp: the other thread.
  void stop(const Failure& failure) noexcept;
  void check_limit() noexcept;
  void pass_limit(std::unique_lock<std::mutex>& lock);
  void watch();
  void ask_cluster();
  void watch_run(std::unique_lock<std::mutex>& lock, uint64_t run);
  void serve_hosts(std::vector<bool>& taken);
  void call_host(uint32_t call, uint32_t slot, const Program& program);
  bool is_done(uint32_t operation) const;
  Failure unfinished(const Failure& failure) const noexcept;
  std::string doing(const Operation& operation) const;

  const World& world_;
  const CudaOptions options_;
  Buffers& buffers_;
  HostQueue& hosts_;
  Recording recording_;
  Products products_;
  Lanes lanes_;
  Pool pool_;
  Events events_;
  Clocks clocks_;
  std::vector<DataError*> errors_;
  uint32_t* error_seen_ = nullptr;  // in the host's memory
  std::vector<uint64_t*> stamps_;  // beginnings of paced operations, on each GPU
  size_t stamp_room_ = 0;
  /// Also asked by threads that serve other processes.
  std::atomic<bool> broken_ = false;
  std::atomic<uint64_t> clock_error_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
  bool dirty_errors_ = true;
  std::set<std::vector<int64_t>> rehearsed_;  // products that have run

  // The run in progress, guarded by mutex_ except for the thread that runs it.
  const Program* program_ = nullptr;
  Plan* plan_ = nullptr;
  uint64_t runs_ = 0;
  int64_t deadline_ns_ = 0;
  uint64_t time_limit_ns_ = 0;
  std::vector<uint8_t> enqueued_;
  bool launched_ = false;  // as a graph
  /// Whether the other thread is told of it: to wake it takes longer than a short run should wait.
  bool watched_ = false;
  uint32_t base_device_ = 0;  // whose clock its times are of
  std::optional<Clocks::Origin> origin_;
  std::vector<schemoe_event> times_;  // begins and ends of its first `timed_` operations
  uint32_t timed_ = 0;
  std::optional<Failure> failure_;
  Signals signals_;
  std::vector<std::thread> callers_;
  std::thread watcher_;

  // Transfers by NCCL: communicators that an abort has ended are made again by the next run.
  std::shared_ptr<nccl::Cluster> cluster_;
  uint64_t run_ = 0;
  uint64_t expected_ = 0;
  int64_t expected_start_ns_ = 0;
  int64_t base_ns_ = 0;  // how long after its beginning the clock of this run starts
  std::optional<Failure> lost_;
};

}  // namespace schemoe::cuda
