// The arguments of kernels that code rows for the wire.
#include "codecs/table.h"
#include "runtime/arguments.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

const CodecSpec* codec_of(int64_t number) {
  const CodecSpec* spec = find_codec(number);
  if (!spec) fail(SCHEMOE_INVALID, "codec is ", number, ", of which there is none");
  return spec;
}

int64_t parameter_of(const CodecSpec& spec, int64_t value) {
  if (value < spec.least || value > spec.most) {
    fail(SCHEMOE_INVALID, "the parameter of ", spec.name, " (", spec.parameter, ") is ", value, ", not ", spec.least,
         " to ", spec.most);
  }
  return value;
}

}  // namespace

Codec::Codec(Reader& r)
    : dtype(r.dtype()),
      spec(codec_of(r.integer())),
      parameter(parameter_of(*spec, r.integer())),
      seed(static_cast<uint64_t>(r.integer())),
      blocks(r.integer()),
      groups(r.integer()),
      rows(r.integer()),
      columns(r.integer()),
      x(r.view()),
      block_stride(r.integer()),
      group_stride(r.integer()),
      row_stride(r.integer()),
      wire(r.view()),
      block_bytes(r.integer()),
      first_number(r.integer()),
      block_step(r.integer()),
      group_step(r.integer()),
      group_rows(r.rest()) {
  if (seed && !spec->random) fail(SCHEMOE_INVALID, spec->name, " cannot round at random");
  plus(plus(first_number, times(blocks, block_step)), plus(times(groups, group_step), rows));
  int64_t bytes = 0;
  if (group_rows.empty()) {
    times(times(groups, rows), blocks);  // lines
    bytes = times(groups, spec->bytes(rows, columns, dtype, parameter));
  } else {
    check_groups();
    for (int64_t group = 0; group < groups; ++group) {
      bytes = plus(bytes, spec->bytes(rows_of(group), columns, dtype, parameter));
    }
  }
  const int64_t lines = this->lines();
  // Nothing may loop over the extents of an empty matrix, which can be anything.
  if (lines == 0 || bytes == 0) blocks = 0;
  const bool empty = blocks == 0;
  // Strides of an absent view must not overflow either.
  if (columns == 0) block_stride = group_stride = row_stride = 0;
  if (!empty && blocks > 1 && block_bytes < bytes) {
    fail(SCHEMOE_INVALID, "a block takes ", bytes, " bytes, but the next one begins after ", block_bytes);
  }
  if (!empty && rows > 1 && row_stride < columns) {
    fail(SCHEMOE_INVALID, "row stride ", row_stride, " is smaller than its ", columns, " columns");
  }
  int64_t elements = 0;
  if (!empty && columns > 0) {
    const int64_t last = group_rows.empty() ? times(groups - 1, group_stride) : 0;
    elements = plus(plus(times(blocks - 1, block_stride), last), plus(times(rows - 1, row_stride), columns));
  }
  r.touch(x, elements, element_bytes(dtype));
  r.touch(wire, empty ? 0 : plus(times(blocks - 1, block_bytes), bytes), 1);
}

void Codec::check_groups() const {
  if (group_rows.size() != static_cast<size_t>(groups)) {
    fail(SCHEMOE_INVALID, group_rows.size(), " numbers of rows for ", groups, " groups");
  }
  int64_t sum = 0;
  for (int64_t group = 0; group < groups; ++group) {
    if (rows_of(group) < 0) fail(SCHEMOE_INVALID, "group ", group, " has ", rows_of(group), " rows");
    sum = plus(sum, rows_of(group));
  }
  if (sum != rows) fail(SCHEMOE_INVALID, "groups have ", sum, " rows in all, not ", rows);
}

}  // namespace schemoe
