#include "runtime/check_numbers.h"

#include "runtime/results.h"

namespace schemoe {

namespace {

constexpr const char* kNames[] = {"NaN", "infinity", "-infinity"};

struct At {
  int64_t group, row, column;
};

At place_in(const Block& block, int64_t element) {
  int64_t row = element / block.columns, group = 0;
  while (row >= block.rows_of(group)) row -= block.rows_of(group++);
  return {group, row, element % block.columns};
}

}  // namespace

int64_t CheckNumbers::count() const {
  // Ranges hold `rows` rows in all. None overflows: a buffer has room for them.
  return (block.ranges.ragged() ? block.all_rows() : block.groups * block.rows) * block.columns;
}

void add_checks(std::vector<Call>& calls) {
  const KernelSpec* writer = calls.back().spec;
  if (writer->transfer) return;
  static const KernelSpec* const spec = find_kernel(29);
  const size_t call = calls.size() - 1;
  for (const Result& result : results_of(calls[call].arguments)) {
    calls.push_back({spec, CheckNumbers(result.block, result.x, writer)});
  }
}

Failure not_finite(const CheckNumbers& check, const Operation& operation, int64_t element, NotFinite what) noexcept {
  const View& view = check.x.view;
  Place place = place_of(operation);
  place.buffer = view.region == UINT32_MAX ? view.buffer : SCHEMOE_FIRST_REGION + view.region;
  try {
    const At at = place_in(check.block, element);
    const std::string by = check.writer ? join("kernel ", check.writer->name, " wrote ") : "there is ";
    const std::string row = check.block.rows > 1 ? join("row ", at.row, ", column ", at.column) : join("element ", at.column);
    const std::string group = check.block.groups > 1 ? join(" of group ", at.group) : "";
    return {SCHEMOE_NOT_FINITE, join("Cannot go on with these numbers: ", by, kNames[static_cast<size_t>(what)], " at ", row, group),
            place};
  } catch (...) {
    return {SCHEMOE_NOT_FINITE, "Cannot go on with these numbers: not all are finite", place};
  }
}

}  // namespace schemoe
