// What an engine must do behind the C interface. Every function throws Failure.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "runtime/cuda_options.h"
#include "runtime/host_queue.h"
#include "runtime/program.h"
#include "schemoe.h"

namespace schemoe {

class Engine {
 public:
  virtual ~Engine() = default;

  virtual uint32_t ranks() const = 0;

  /// Gives buffer `id` (a new one if UINT32_MAX) that many bytes on each rank; returns its id.
  virtual uint32_t allocate(uint32_t id, std::span<const uint64_t> bytes) = 0;
  virtual void free(uint32_t id) = 0;
  virtual void write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) = 0;
  virtual void read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) = 0;
  /// As many bytes of each rank, one after another.
  virtual void read_all(uint32_t id, uint64_t offset, uint64_t bytes, uint8_t* data) {
    for (uint32_t rank = 0; rank < ranks(); ++rank) read(id, rank, offset, {data + rank * bytes, bytes});
  }

  /// Throws UNSUPPORTED if this engine cannot run a Program that is well formed.
  virtual void check(const Program& program) const = 0;
  /// Buffers of the Program are checked here, since they may have changed since `check`.
  virtual void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) = 0;
  /// The same in three calls: begins a run, unless that would take long or wait; false, and nothing has begun.
  virtual bool start(const Program& /*program*/, uint64_t /*time_limit_ns*/) { return false; }
  /// Whether it is over, so that `end` does not wait.
  virtual bool over() { return true; }
  /// Waits for its end, and throws what `run` would; without room for events they are not told.
  virtual void end(std::span<schemoe_event> /*events*/) {}
  /// Ends a run in progress; harmless when none is.
  virtual void cancel() = 0;
  /// Like cancel, and no run begins from now on.
  virtual void shut_down() = 0;

  /// Nanoseconds by which times of different clocks may be wrong to each other in the last run's events.
  virtual uint64_t clock_error() const { return 0; }
  /// Which processors each rank of this process computes on.
  virtual std::vector<uint32_t> processors() const { return std::vector<uint32_t>(ranks()); }

  virtual HostQueue& hosts() = 0;
};

std::unique_ptr<Engine> open_cpu_engine(uint32_t ranks);
#ifdef SCHEMOE_WITH_CUDA
std::unique_ptr<Engine> open_cuda_engine(const CudaOptions& options);
#endif

}  // namespace schemoe
