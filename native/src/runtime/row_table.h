// Rows of experts that a kernel counts while its Program runs, and that kernels and transfers after it refer to.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace schemoe {

/// Sizes of the table of a rank, under every routing.
struct RowShape {
  /// Ranks that send each other rows, and which of them it is of.
  int64_t ranks, rank;
  /// Experts of all ranks, as many of each, in their order.
  int64_t experts;
  /// Rows that the rank sends, and most that its experts may get.
  int64_t rows, room;
  int64_t local() const { return experts / ranks; }
};

/// The rows that a rank sends, by expert, and those of its own experts, by sender: each one after another.
class RowTable {
 public:
  /// About equal ones, until they are counted.
  RowTable(uint32_t number, RowShape shape);

  /// Takes the rows of all ranks for all experts, [ranks, experts]. Throws INVALID where those of the rank are not all of
  /// its rows, and NO_ROOM where the experts of any rank get more than there is room for; the rows then stay as they were.
  void count(std::span<const int32_t> loads);

  uint32_t number() const { return number_; }
  const RowShape& shape() const { return shape_; }
  /// Rows that the experts of the rank get now.
  int64_t received() const { return static_cast<int64_t>(wire_.back()); }
  /// The bounds of one chunk with a place for every row, and the first row of each expert and the end: see `Rows`.
  std::span<const uint64_t> bounds() const { return std::span(places_).first(2); }
  std::span<const uint64_t> firsts() const { return std::span(places_).subspan(2); }
  /// First row and rows of each of the rank's experts: see `Ranges`.
  std::span<const uint64_t> ranges() const { return ranges_; }
  /// Rows of each rank for each of them: see `ArrangeRows`.
  std::span<const uint64_t> loads() const { return loads_; }

  struct Slice {
    uint64_t first, rows;
  };
  /// Among the rows that the rank sends, those for another; among those that it receives, those from another.
  Slice sent(int64_t peer) const;
  Slice received_from(int64_t peer) const;

 private:
  void place(std::span<const int32_t> loads);

  const uint32_t number_;
  const RowShape shape_;
  std::vector<uint64_t> places_;
  std::vector<uint64_t> ranges_;
  std::vector<uint64_t> loads_;
  std::vector<uint64_t> wire_;
};

/// The tables of a Program. One is read after it is counted, on the same lane or where an operation has waited for that.
class RowTables {
 public:
  /// An operation that is read now, and, of each lane of its rank, the last one that is done before it, counted from 1.
  struct Reading {
    uint32_t operation, rank, lane;
    std::span<const uint32_t> done;
  };
  void on(const Reading& reading) { reading_ = reading; }

  /// Throws INVALID for another number than the next one.
  RowTable& add(uint64_t number, const RowShape& shape);
  /// Throws INVALID where it is not counted before on the rank.
  const RowTable& find(uint64_t number) const;

  size_t size() const { return tables_.size(); }
  const RowTable& at(size_t number) const { return tables_[number].table; }

 private:
  struct Counted {
    RowTable table;
    uint32_t operation, rank, lane;
  };
  // Kernels refer to tables, which stay where they are.
  std::deque<Counted> tables_;
  Reading reading_{};
};

}  // namespace schemoe
