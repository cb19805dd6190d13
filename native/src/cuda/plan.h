// What the executor works out once for a Program: the order in which to enqueue it, and what its
// kernels need in device memory.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/buffers.h"
#include "cuda/graph.h"
#include "cuda/joins.h"
#include "cuda/kernels/kernels.h"
#include "cuda/pool.h"
#include "cuda/spans.h"
#include "runtime/program.h"

namespace schemoe::cuda {

/// A step of an operation. A computation only begins; a phase begins (its waits are done, and it says
/// so), moves its bytes when all its peers have begun, and ends when all of them have moved theirs.
struct Step {
  enum class Kind : uint8_t { begin, move, end } kind;
  uint32_t operation;
};

class Plan {
 public:
  Plan(const Program& program, const World& world, Pool& pool, const CudaOptions& options);
  ~Plan();
  Plan(const Plan&) = delete;

  /// Updates everything that holds addresses of buffers; to be called before each run.
  void refresh(const Buffers& buffers);

  /// Steps in an order in which each comes after what it waits for: enqueued so, no stream can wait
  /// for an event that is not recorded yet.
  std::vector<Step> steps;
  /// Operations that a phase meets, once each.
  std::vector<std::vector<uint32_t>> peers;
  const Joins joins;
  /// Whether an operation waits for nothing but the one before it on its lane.
  bool flows(uint32_t operation) const {
    return joins.before[operation] != Joins::kNone && joins.waits[operation].empty() && peers[operation].empty();
  }
  /// Host kernels of the Program, in order; `host_slot[call]` is its place in this list.
  std::vector<uint32_t> host_calls;
  std::vector<uint32_t> host_slot;
  /// Whether any operation takes at least some time.
  const bool paced;
  /// Whether its kernels are loaded and its products have run.
  bool prepared = false;
  /// All of it in one, where that is possible, after the first run; gone when addresses change.
  Graph graph;
  /// Whether it may be made: nothing waits for the host or for a clock, and it is short, since a graph
  /// cannot be stopped midway.
  bool graphable = false;
  /// How often scratch memory had moved when it was made.
  uint64_t scratch = 0;
  /// Lanes (rank * kLanes + lane) that have operations.
  std::vector<uint32_t> lanes;

  /// Waits until the stream has come to where rows are counted, and has their loads.
  void await_loads(const CountRows& call, const Buffers& buffers, uint32_t rank, cudaStream_t stream);
  /// Takes the rows of the table from them, and enqueues what kernels look up. Throws where they are none of its rows.
  void count_rows(const CountRows& call, uint32_t rank, cudaStream_t stream);

  /// Chunk bounds of a call on its rank's GPU, or nullptr.
  const int32_t* bounds(uint32_t call, uint32_t device) const {
    return bounds_at_[call] < 0 ? nullptr : bounds_[device].data() + bounds_at_[call];
  }
  /// Lists the copies of an operation whose rows its peers and itself have counted by now, and enqueues what `tile` reads.
  void list_counted(const Buffers& buffers, uint32_t operation, cudaStream_t stream);
  /// Copies of an operation, received and within its rank: by a kernel,
  Range tiles(uint32_t operation) const { return tiles_at_[operation]; }
  const Tile* tile(uint32_t first, uint32_t device) const { return tiles_[device].data() + first; }
  /// and by copy engines.
  std::span<const Span> spans(uint32_t operation) const {
    return counted_.empty() || !counted_[operation] ? slice(spans_, spans_at_[operation]) : counted_spans_[operation];
  }

 private:
  void order();
  void find_peers();
  void upload_bounds();
  void find_calls();
  /// The words of a table in the host's memory.
  int32_t* words_of(const CountRows& call) const { return tables_ + words_at_[call.number]; }
  bool moves_counted(uint32_t operation) const;
  size_t most_tiles(uint32_t operation) const;
  bool by_engine(uint32_t sender, uint32_t receiver) const;
  void list_copies(const Buffers& buffers, uint32_t operation, std::vector<Tile>& tiles, std::vector<Span>& spans) const;
  void list_spans(const Buffers& buffers, std::span<const Transfer* const> transfers, std::vector<Span>& spans) const;

  const Program& program_;
  const World& world_;
  Pool& pool_;
  const bool nccl_;  // bytes between operations do not travel by copies
  const CopyBy copy_by_;
  std::vector<const std::byte*> addresses_;
  std::vector<int64_t> bounds_at_;
  std::vector<Pooled<int32_t>> bounds_;
  /// Where the words of each table begin there, and in the host's memory, which copies are made to and from.
  std::vector<size_t> tables_at_, words_at_;
  int32_t* tables_ = nullptr;
  std::vector<Range> tiles_at_;
  std::vector<Pooled<Tile>> tiles_;
  std::vector<Range> spans_at_;
  std::vector<Span> spans_;
  /// Operations that move rows that are counted, and their spans; tiles are copied from the host's memory in each run.
  std::vector<bool> counted_;
  std::vector<std::vector<Span>> counted_spans_;
  Tile* counted_tiles_ = nullptr;
  size_t room_ = 0;
  uint64_t generation_ = 0;
};

}  // namespace schemoe::cuda
