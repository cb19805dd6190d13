// Rows of experts that a kernel counts while its Program runs, and that kernels after it refer to.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace schemoe {

/// The rows of the experts of a rank, one expert after another: as many in all as they were made for.
class RowTable {
 public:
  /// About equal ones, until they are counted.
  RowTable(uint32_t number, int64_t experts, int64_t rows);

  /// Throws INVALID where the loads are not those of all rows, and keeps the rows as they were.
  void count(std::span<const int32_t> loads);

  uint32_t number() const { return number_; }
  int64_t experts() const { return static_cast<int64_t>(ranges_.size() / 2); }
  int64_t rows() const { return static_cast<int64_t>(places_.back()); }
  /// The bounds of one chunk with a place for every row, and the first row of each expert and the end: see `Rows`.
  std::span<const uint64_t> bounds() const { return std::span(places_).first(2); }
  std::span<const uint64_t> firsts() const { return std::span(places_).subspan(2); }
  /// First row and rows of each expert: see `Ranges`.
  std::span<const uint64_t> ranges() const { return ranges_; }

 private:
  const uint32_t number_;
  std::vector<uint64_t> places_;
  std::vector<uint64_t> ranges_;
};

/// The tables of a Program. One is read on the lane that counts it, after that: in its order nothing races.
class RowTables {
 public:
  /// Kernels that are read from now on run there.
  void on(uint32_t lane_of_rank) { lane_ = lane_of_rank; }

  /// Throws INVALID for another number than the next one.
  RowTable& add(uint64_t number, int64_t experts, int64_t rows);
  /// Throws INVALID where it is not counted before on the lane, or is of other sizes.
  const RowTable& find(uint64_t number, int64_t experts) const;

  size_t size() const { return tables_.size(); }
  const RowTable& at(size_t number) const { return tables_[number].table; }

 private:
  struct Counted {
    RowTable table;
    uint32_t lane;
  };
  // Kernels refer to tables, which stay where they are.
  std::deque<Counted> tables_;
  uint32_t lane_ = 0;
};

}  // namespace schemoe
