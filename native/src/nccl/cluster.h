// The communicators of all ranks of a process: one of the whole world for each lane of communication, so
// that transfers of the two lanes never wait for each other.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "cuda/world.h"
#include "nccl/library.h"
#include "nccl/room.h"
#include "runtime/program.h"

namespace schemoe::nccl {

/// Blocks a communicator occupies at most on a GPU that ranks share, unless told otherwise; elsewhere NCCL
/// chooses.
inline constexpr uint32_t kMaxCtas = 2;

/// The ids by which the communicators of a world find each other.
using Ids = std::array<Id, kLinks>;

/// One side of a transfer of a rank of this process.
struct Move {
  uint32_t rank;
  uint32_t peer;
  std::byte* data;
  uint64_t bytes;
  bool sends;
  cudaStream_t stream;
};

class Cluster {
 public:
  /// Checks whether all communicators can run on the GPUs together. Throws UNSUPPORTED otherwise.
  Cluster(const cuda::World& world, const CudaOptions& options);
  ~Cluster();
  Cluster(const Cluster&) = delete;

  /// Ids of a new world, for all its processes.
  Ids make_ids() const;
  /// Connects with all other ranks, and exchanges a few bytes with each, so that no later call must make
  /// a connection. Blocks until the other processes do the same.
  void connect(const Ids& ids);

  /// Groups of ranks that a host thread of their own must drive: the nodes that have a copy each, or all.
  uint32_t parts() const { return static_cast<uint32_t>(parts_.size()); }
  /// Ranks of a part.
  Range ranks_of(uint32_t part) const { return {parts_[part].first, parts_[part].count}; }

  /// Posts transfers of the ranks of one part together. On a lane all ranks must post in the same order.
  void post(uint32_t part, uint32_t lane, const std::vector<Move>& moves);

  /// The asynchronous error of a communicator.
  std::optional<Failure> error() const;
  /// Ends all transfers, also those that wait for others; nothing can be posted from now on. Returns when
  /// all have ended, also where another thread has begun to end them.
  void abort();
  bool aborted() const { return aborted_; }
  /// Ends what `connect` waits for, once there are communicators that can be aborted.
  void give_up() {
    if (made_) abort();
  }

  int version() const { return parts_.front().library->version; }

 private:
  struct Part {
    uint32_t first;
    uint32_t count;
    const Library* library;
    /// Of (rank - first) * kLinks + link.
    std::vector<Communicator> communicators;
  };

  void check_versions(const CudaOptions& options) const;
  void check_room() const;
  void connect_part(Part& part, const Ids& ids);
  void greet();
  template <class Body>
  void each_part(Body&& body);

  const cuda::World& world_;
  const uint32_t max_ctas_;  // 0: as many as NCCL takes
  Library own_;
  std::vector<Part> parts_;
  std::atomic<bool> made_ = false;
  std::atomic<bool> aborted_ = false;
  std::atomic<uint32_t> posting_ = 0;
  std::mutex aborting_;
  bool ended_ = false;
};

}  // namespace schemoe::nccl
