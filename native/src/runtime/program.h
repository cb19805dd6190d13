// A Program after parsing: checked completely, independent of any engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/failure.h"
#include "runtime/kernel_table.h"

namespace schemoe {

inline constexpr uint32_t kLanes = 3;
inline constexpr const char* kLaneNames[kLanes] = {"compute", "intra", "inter"};

/// A longer time limit means none, and keeps sums of times from overflowing.
inline constexpr uint64_t kYearNs = uint64_t{365} * 86400 * 1'000'000'000;

/// `count` entries of one of the Program's lists.
struct Range {
  uint32_t first = 0;
  uint32_t count = 0;
};

template <class T>
std::span<const T> slice(const std::vector<T>& list, Range range) {
  return std::span<const T>(list).subspan(range.first, range.count);
}

struct Operation {
  uint32_t task;
  uint32_t rank;
  uint32_t lane;
  bool communication;
  /// Whether what its kernels compute is looked at (SCHEMOE_CHECK_NUMBERS).
  bool checked;
  /// Negative: not paced.
  int64_t pace_ns;
  /// Into `waits`, `calls`, `ends` and `successors`.
  Range waits, calls, ends, successors;
};

struct Call {
  const KernelSpec* spec;
  Arguments arguments;
};

/// A send that met its receive.
struct Transfer {
  uint32_t sender;
  uint32_t receiver;
  /// Of all that it moves; where rows are counted, of a row.
  uint64_t bytes;
  View from;
  View to;
  /// Rows of either side, and the ranks that they are of.
  MovedRows sent, received;
  uint32_t from_rank, to_rank;
  bool counted() const { return sent.table != nullptr; }
  /// What it moves now, as either side knows it.
  MovedRows::Piece source() const { return sent.piece(from, bytes, to_rank); }
  MovedRows::Piece target() const { return received.piece(to, bytes, from_rank); }
};

/// Throws INVALID where the sides of a transfer have counted other rows.
void check_counted(const Transfer& transfer);

/// The call that needs most of a buffer on a rank.
struct Requirement {
  uint32_t buffer;
  uint32_t rank;
  uint64_t bytes;
  uint32_t operation;
  const KernelSpec* kernel;
};

struct Program {
  uint32_t ranks = 0;
  std::vector<Operation> operations;
  /// Operations that each waits for, and that wait for each.
  std::vector<uint32_t> waits;
  std::vector<uint32_t> successors;
  std::vector<Call> calls;
  std::vector<Transfer> transfers;
  /// Transfers of each operation, one entry for each side (a send to itself has both).
  std::vector<uint32_t> ends;
  /// Operations of rank * kLanes + lane in order.
  std::vector<std::vector<uint32_t>> lanes;
  std::vector<Requirement> requirements;
  /// Of the Program and of each task, for NVTX ranges; empty: there are none.
  std::vector<std::string> names;
  /// Words that arguments refer to.
  std::vector<uint64_t> words;
  /// Rows that are counted as it runs, which arguments refer to as well.
  RowTables tables;
  /// What an engine worked out on the first run, for it alone; guarded by there being one run at a time.
  mutable std::shared_ptr<void> kept;
};

inline Place place_of(const Operation& operation) { return {operation.task, operation.rank}; }

/// Throws INVALID, naming task and rank, unless every part of it can be run on `ranks` ranks.
std::unique_ptr<const Program> parse_program(std::span<const uint8_t> packed, uint32_t ranks);

/// Parts of the parser that look at all operations together (transfers.cpp).
void meet_transfers(Program& program);
void find_successors(Program& program);
void check_no_circle(const Program& program);

}  // namespace schemoe
