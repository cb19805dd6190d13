// What kernels look up in device memory of the further integers in their arguments.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/arguments.h"

namespace schemoe::cuda {

/// Appends, for kernels that look something up:
/// - rows of tokens: the chunk bounds, then where rows are ragged the first row of each (chunk, expert)
///   and the end;
/// - elementwise kernels of ragged groups: rows before each group and all of them, then the first row
///   of each;
/// - rows between wire and experts: the loads, the rows of the wire before each (source, expert) and all
///   of them, then the first row of each expert;
/// - copies of experts: where the slots of each expert begin and the end, then the slots;
/// - sums of slices: lines of values before each sum and all of them, where each begins in the table, then the table.
/// Nothing where they are those of a table.
void append_device_words(const Arguments& arguments, std::vector<int32_t>& words);

/// What kernels look up of a table: the same for rows of tokens, then for elementwise kernels.
void append_table_words(const RowTable& table, std::vector<int32_t>& words);

/// The table that a kernel refers to, or nullptr, and where its words begin among those of the table.
struct TableWords {
  const RowTable* table;
  int64_t at;
};
TableWords table_words_of(const Arguments& arguments);

}  // namespace schemoe::cuda
