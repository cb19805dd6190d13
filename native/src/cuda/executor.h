// Runs a Program: one thread enqueues everything on the streams of the lanes, or launches it as a graph;
// events hold it together, and another thread watches the clock and serves host kernels.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "cuda/buffers.h"
#include "cuda/events.h"
#include "cuda/lanes.h"
#include "cuda/plan.h"
#include "cuda/products.h"
#include "cuda/signals.h"
#include "runtime/failure.h"
#include "runtime/host_queue.h"
#include "runtime/program.h"

namespace schemoe::cuda {

class Executor {
 public:
  struct Options {
    bool tf32;    // products of float32 may round their factors
    bool graphs;  // Programs that can be run as one graph are
    bool times;   // events have times
  };
  Executor(const World& world, Buffers& buffers, HostQueue& hosts, const Options& options);
  ~Executor();

  /// Throws what ended the run early; all streams are idle again either way.
  void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events);
  /// Whether there was a run to cancel.
  bool cancel();
  /// Cancels, and no run begins from now on.
  void shut_down();
  /// Whether an error has made the GPU's context useless.
  bool broken() const { return broken_; }

 private:
  Plan& plan_of(const Program& program);
  void reserve(const Program& program);
  void begin(const Program& program, Plan& plan, uint64_t time_limit_ns);
  void reset_errors();
  void enqueue(const Program& program, Plan& plan);
  void fork(const Plan& plan);
  void launch(const Plan& plan);
  void step(const Program& program, Plan& plan, const Step& step);
  void begin_operation(const Program& program, Plan& plan, uint32_t index);
  void compute(const Program& program, Plan& plan, uint32_t index, Lane& lane);
  void move(const Program& program, Plan& plan, uint32_t index, Lane& lane);
  void end(const Program& program, uint32_t index, Lane& lane);
  void wait(const Program& program, uint32_t operation, Lane& lane, Mark Marks::*mark);
  const Marks& marks(const Program& program, uint32_t operation) const;
  void finish(const Program& program, const Plan& plan);
  void check_data(const Program& program);
  void report(const Program& program, const Plan& plan, std::span<schemoe_event> events) const;

  // rehearsal.cpp
  void rehearse(const Program& program, Plan& plan);
  cudaGraph_t capture(const Program& program, Plan& plan);
  void gather(const Program& program, const Plan& plan);
  uint64_t scratch_of(const Plan& plan);

  // watch.cpp: the other thread.
  void stop(const Failure& failure);
  void watch();
  void serve_hosts(std::unique_lock<std::mutex>& lock, std::vector<bool>& taken);
  void call_host(uint32_t call, uint32_t slot, const Program& program);
  bool is_done(uint32_t operation) const;
  std::string unfinished() const;

  const World& world_;
  Buffers& buffers_;
  HostQueue& hosts_;
  const bool graphs_;
  Recording recording_;
  Products products_;
  Lanes lanes_;
  Events events_;
  std::vector<DataError*> errors_;
  uint32_t* error_seen_ = nullptr;  // in the host's memory
  std::vector<uint64_t*> stamps_;  // beginnings of paced operations, on each GPU
  size_t stamp_room_ = 0;
  bool broken_ = false;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
  bool dirty_errors_ = true;

  // The run in progress, guarded by mutex_ except for the thread that runs it.
  const Program* program_ = nullptr;
  Plan* plan_ = nullptr;
  uint64_t runs_ = 0;
  int64_t deadline_ns_ = 0;
  uint64_t time_limit_ns_ = 0;
  std::vector<uint8_t> enqueued_;
  std::optional<Failure> failure_;
  Signals signals_;
  std::vector<std::thread> callers_;
  std::thread watcher_;
};

}  // namespace schemoe::cuda
