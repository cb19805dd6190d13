// The ranks of a world that this process runs, whatever they compute on.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/engine.h"
#include "runtime/remote.h"

namespace schemoe {

class LocalRanks {
 public:
  virtual ~LocalRanks() = default;
  /// Sizes of all ranks of the world, 0 for those of other processes.
  virtual uint32_t allocate(uint32_t id, std::span<const uint64_t> bytes) = 0;
  virtual void free(uint32_t id) = 0;
  virtual void write(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) = 0;
  virtual void read(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) = 0;
  virtual void check(const Program& program) const = 0;
  virtual void run(const Program& program, uint64_t time_limit_ns, std::span<schemoe_event> events) = 0;
  /// Number and beginning of the next run, on this process's steady clock.
  virtual void expect(uint64_t run, uint64_t start_ns) = 0;
  virtual void cancel() = 0;
  virtual void shut_down() = 0;
  virtual HostQueue& hosts() = 0;
  /// What hears from the other processes.
  virtual Receiver& receiver() = 0;

  /// In process 0: what the other processes need to find each other besides TCP; empty for nothing.
  virtual std::vector<uint8_t> invitation() { return {}; }
  /// Follows the invitation, in all processes; returns at once, what fails shows in the next run.
  virtual void accept(std::span<const uint8_t>) {}
  /// Waits until it has been followed. Throws what failed.
  virtual void joined() {}
};

/// Ranks on the CPU, whose transfers the carrier makes.
std::unique_ptr<LocalRanks> open_cpu_ranks(uint32_t ranks, uint32_t first, uint32_t count, Carrier& carrier);
#ifdef SCHEMOE_WITH_CUDA
/// Ranks on GPUs, whose transfers NCCL makes.
std::unique_ptr<LocalRanks> open_cuda_ranks(const CudaOptions& options);
#endif

}  // namespace schemoe
