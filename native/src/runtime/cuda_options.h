// How a CUDA engine is opened.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace schemoe {

/// What copies bytes from rank to rank.
enum class CopyBy : uint32_t {
  kernels = 0,
  /// The copy engines of the GPUs where the ranks have different ones, kernels elsewhere.
  engines = 1,
  /// Copy engines also where the ranks share a GPU: for tests on one.
  engines_always = 2,
};

struct CudaOptions {
  uint32_t nodes = 1;
  uint32_t ranks_per_node = 1;
  /// Ranks that this process runs, all by default.
  uint32_t first = 0;
  uint32_t count = UINT32_MAX;
  bool tf32 = false;
  /// Algorithms of large products are chosen by measuring them.
  bool tune = true;
  /// Programs that can be run as one graph are.
  bool graphs = true;
  /// Events have times.
  bool times = true;
  /// Bytes travel by NCCL, and not by copies in the memory of the GPUs.
  bool nccl = false;
  CopyBy copy_by = CopyBy::kernels;
  /// Each node of the world gets a copy of NCCL of its own.
  bool emulate_nodes = false;
  /// Blocks that a communicator may occupy on a GPU; 0: the default.
  uint32_t max_ctas = 0;
  /// Path of NCCL's library; empty: where the loader finds it.
  std::string library;
  /// GPU of each rank of this process; empty: in blocks over all that it sees.
  std::vector<uint32_t> devices;
  /// This process is number `slot` of `slots` that share the GPUs it sees.
  uint32_t slot = 0;
  uint32_t slots = 1;

  uint32_t ranks() const { return nodes * ranks_per_node; }
};

}  // namespace schemoe
