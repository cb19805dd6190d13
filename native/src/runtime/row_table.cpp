#include "runtime/row_table.h"

#include "runtime/failure.h"

namespace schemoe {

RowTable::RowTable(uint32_t number, int64_t experts, int64_t rows)
    : number_(number), places_(static_cast<size_t>(experts) + 3), ranges_(2 * static_cast<size_t>(experts)) {
  places_[1] = static_cast<uint64_t>(rows);
  std::vector<int32_t> even(static_cast<size_t>(experts), static_cast<int32_t>(rows / experts));
  for (int64_t e = 0; e < rows % experts; ++e) ++even[static_cast<size_t>(e)];
  places_.back() = static_cast<uint64_t>(rows);
  count(even);
}

void RowTable::count(std::span<const int32_t> given) {
  // Whatever else writes them meanwhile, those that are looked at are those that are kept.
  const std::vector<int32_t> loads(given.begin(), given.end());
  int64_t sum = 0;
  for (size_t e = 0; e < loads.size(); ++e) {
    if (loads[e] < 0) fail(SCHEMOE_INVALID, "expert ", e, " has ", loads[e], " rows");
    sum += loads[e];
  }
  if (sum != rows()) fail(SCHEMOE_INVALID, "the experts have ", sum, " rows and not ", rows());
  uint64_t first = 0;
  for (size_t e = 0; e < loads.size(); ++e) {
    const auto rows = static_cast<uint64_t>(loads[e]);
    places_[2 + e] = ranges_[2 * e] = first;
    ranges_[2 * e + 1] = rows;
    first += rows;
  }
}

RowTable& RowTables::add(uint64_t number, int64_t experts, int64_t rows) {
  if (number != tables_.size()) fail(SCHEMOE_INVALID, "table ", number, " is counted after ", tables_.size(), " others");
  tables_.push_back({{static_cast<uint32_t>(number), experts, rows}, lane_});
  return tables_.back().table;
}

const RowTable& RowTables::find(uint64_t number, int64_t experts) const {
  if (number >= tables_.size()) fail(SCHEMOE_INVALID, "no kernel before counts the rows of table ", number);
  const Counted& found = tables_[number];
  if (found.lane != lane_) fail(SCHEMOE_INVALID, "the rows of table ", number, " are counted on another lane");
  if (found.table.experts() != experts) {
    fail(SCHEMOE_INVALID, "table ", number, " has rows of ", found.table.experts(), " experts and not of ", experts);
  }
  return found.table;
}

}  // namespace schemoe
