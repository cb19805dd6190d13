#include "runtime/row_table.h"

#include "runtime/failure.h"

namespace schemoe {

RowTable::RowTable(uint32_t number, RowShape shape)
    : number_(number),
      shape_(shape),
      places_(static_cast<size_t>(shape.experts) + 3),
      ranges_(2 * static_cast<size_t>(shape.local())),
      loads_(static_cast<size_t>(shape.experts)),
      wire_(static_cast<size_t>(shape.ranks) + 1) {
  places_[1] = static_cast<uint64_t>(shape.rows);
  std::vector<int32_t> even(static_cast<size_t>(shape.experts), static_cast<int32_t>(shape.rows / shape.experts));
  for (int64_t e = 0; e < shape.rows % shape.experts; ++e) ++even[static_cast<size_t>(e)];
  std::vector<int32_t> all;
  for (int64_t rank = 0; rank < shape.ranks; ++rank) all.insert(all.end(), even.begin(), even.end());
  place(all);
}

void RowTable::count(std::span<const int32_t> given) {
  const auto [ranks, rank, experts, rows, room] = shape_;
  // Whatever else writes them meanwhile, those that are looked at are those that are kept.
  const std::vector<int32_t> loads(given.begin(), given.end());
  int64_t own = 0;
  std::vector<int64_t> gets(static_cast<size_t>(ranks));
  for (int64_t from = 0; from < ranks; ++from) {
    for (int64_t e = 0; e < experts; ++e) {
      const int32_t load = loads[static_cast<size_t>(from * experts + e)];
      if (load < 0) fail(SCHEMOE_INVALID, "expert ", e, " has ", load, " rows");
      gets[static_cast<size_t>(e / shape_.local())] += load;
      if (from == rank) own += load;
    }
  }
  if (own != rows) fail(SCHEMOE_INVALID, "the experts have ", own, " rows and not ", rows);
  // All ranks find the same, so that a run of several processes ends in all of them alike.
  for (int64_t to = 0; to < ranks; ++to) {
    const int64_t most = gets[static_cast<size_t>(to)];
    if (most > room) fail(SCHEMOE_NO_ROOM, "the experts of rank ", to, " get ", most, " rows, there is room for ", room);
  }
  place(loads);
}

void RowTable::place(std::span<const int32_t> loads) {
  const int64_t experts = shape_.experts, local = shape_.local();
  const auto load = [&](int64_t from, int64_t e) {
    return static_cast<uint64_t>(loads[static_cast<size_t>(from * experts + e)]);
  };
  uint64_t first = 0;
  for (int64_t e = 0; e < experts; ++e) {
    places_[static_cast<size_t>(2 + e)] = first;
    first += load(shape_.rank, e);
  }
  places_.back() = first;
  for (int64_t e = 0; e < local; ++e) ranges_[static_cast<size_t>(2 * e + 1)] = 0;
  uint64_t received = 0;
  for (int64_t from = 0; from < shape_.ranks; ++from) {
    wire_[static_cast<size_t>(from)] = received;
    for (int64_t e = 0; e < local; ++e) {
      const uint64_t rows = load(from, shape_.rank * local + e);
      loads_[static_cast<size_t>(from * local + e)] = rows;
      ranges_[static_cast<size_t>(2 * e + 1)] += rows;
      received += rows;
    }
  }
  wire_.back() = received;
  uint64_t begin = 0;
  for (int64_t e = 0; e < local; ++e) {
    ranges_[static_cast<size_t>(2 * e)] = begin;
    begin += ranges_[static_cast<size_t>(2 * e + 1)];
  }
}

RowTable::Slice RowTable::sent(int64_t peer) const {
  const auto at = static_cast<size_t>(2 + peer * shape_.local());
  const uint64_t end = places_[at + static_cast<size_t>(shape_.local())];
  return {places_[at], end - places_[at]};
}

RowTable::Slice RowTable::received_from(int64_t peer) const {
  const auto at = static_cast<size_t>(peer);
  return {wire_[at], wire_[at + 1] - wire_[at]};
}

RowTable& RowTables::add(uint64_t number, const RowShape& shape) {
  if (number != tables_.size()) fail(SCHEMOE_INVALID, "table ", number, " is counted after ", tables_.size(), " others");
  if (shape.rank != reading_.rank) fail(SCHEMOE_INVALID, "table ", number, " is that of rank ", shape.rank);
  tables_.push_back({{static_cast<uint32_t>(number), shape}, reading_.operation, reading_.rank, reading_.lane});
  return tables_.back().table;
}

const RowTable& RowTables::find(uint64_t number) const {
  if (number >= tables_.size()) fail(SCHEMOE_INVALID, "no kernel before counts the rows of table ", number);
  const Counted& found = tables_[number];
  if (found.rank != reading_.rank) fail(SCHEMOE_INVALID, "the rows of table ", number, " are counted on rank ", found.rank);
  const bool here = found.operation == reading_.operation;
  if (!here && (found.lane >= reading_.done.size() || reading_.done[found.lane] <= found.operation)) {
    fail(SCHEMOE_INVALID, "nothing waits until the rows of table ", number, " are counted");
  }
  return found.table;
}

}  // namespace schemoe
