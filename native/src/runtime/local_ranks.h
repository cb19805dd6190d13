// An engine that may run only some ranks of a world, whatever they compute on; other processes run the others.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/engine.h"
#include "runtime/remote.h"

namespace schemoe {

/// Buffers are given the sizes of all ranks of the world, 0 for those of other processes.
class LocalRanks : public Engine {
 public:
  /// Number and beginning of the next run, on this process's steady clock.
  virtual void expect(uint64_t run, uint64_t start_ns) = 0;
  /// What hears from the other processes.
  virtual Receiver& receiver() = 0;

  /// In process 0: what the other processes need to connect besides TCP; may be empty.
  virtual std::vector<uint8_t> invitation() { return {}; }
  /// Follows the invitation, in all processes; returns at once, what fails shows in the next run.
  virtual void accept(std::span<const uint8_t>) {}
  /// Waits until it has been followed, so long at most (0: for ever). Throws what failed.
  virtual void joined(uint64_t /*time_limit_ns*/) {}
  /// Whether closing it would wait for other processes, which may never come.
  virtual bool joining() const { return false; }
};

/// Ranks on the CPU, whose transfers to other processes the carrier makes.
std::unique_ptr<LocalRanks> open_cpu_ranks(uint32_t ranks, uint32_t first, uint32_t count, Carrier& carrier);
#ifdef SCHEMOE_WITH_CUDA
/// Ranks on GPUs, whose transfers NCCL makes.
std::unique_ptr<LocalRanks> open_cuda_ranks(const CudaOptions& options);
#endif

}  // namespace schemoe
