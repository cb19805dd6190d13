// Arguments of the kernels of an expert: matrix products and elementwise functions.
#include "runtime/arguments.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

/// Groups that are written must lie apart: as many as their buffer has room for, and none races another.
void check_apart(const char* what, int64_t groups, int64_t stride) {
  if (groups > 1 && stride == 0) fail(SCHEMOE_INVALID, "the groups of ", what, " lie at one place: their stride is 0");
}

}  // namespace

Gemm::Gemm(Reader& r) : Gemm(r, true) {}

Gemm::Gemm(Reader& r, bool even)
    : dtypes(r.dtypes()),
      dtype_c(r.dtype()),
      trans_a(r.flag("transA")),
      trans_b(r.flag("transB")),
      groups(r.integer()),
      // BLAS libraries take 32-bit sizes.
      m(r.integer("m", INT32_MAX)),
      n(r.integer("n", INT32_MAX)),
      k(r.integer("k", INT32_MAX)),
      a(r.matrix()),
      b(r.matrix()),
      c(r.matrix()),
      alpha(r.real()),
      beta(r.real()),
      bias(r.optional_view()),
      bias_stride(r.integer()),
      relu(r.flag("relu")) {
  for (const Matrix* matrix : {&a, &b, &c}) {
    if (matrix->ld > INT32_MAX) fail(SCHEMOE_INVALID, "ld ", matrix->ld, " is too large");
  }
  if (!even) return;
  // Nothing may loop over the extents of an empty matrix, which can be anything.
  if (m == 0 || n == 0) groups = 0;
  check_apart("C", groups, c.stride);
  r.touch(a, groups, trans_a ? k : m, trans_a ? m : k, element_bytes(dtypes.a));
  r.touch(b, groups, trans_b ? n : k, trans_b ? k : n, element_bytes(dtypes.b));
  r.touch(c, groups, m, n, element_bytes(dtype_c));
  if (!bias.null()) r.touch(Matrix{bias, n, bias_stride}, groups, 1, n, element_bytes(dtype_c));
}

Block::Block(Reader& r)
    : dtype(r.dtype()), groups(r.integer()), rows(r.integer()), columns(r.integer()) {}

namespace {

/// The integers that are left: none, a first row and rows for each group, `total` rows in all, or the number of a table
/// with as many.
Ranges read_ranges(Reader& r, int64_t groups, int64_t total) {
  const Ranges ranges{r.rest()};
  if (!ranges.ragged()) return ranges;
  if (ranges.words.size() == 1) {
    const RowTable& table = r.tables().find(ranges.words[0]);
    const int64_t experts = table.shape().local(), room = table.shape().room;
    if (experts != groups) {
      fail(SCHEMOE_INVALID, "table ", ranges.words[0], " has rows of ", experts, " experts and not of ", groups);
    }
    if (room != total) fail(SCHEMOE_INVALID, "the groups have ", room, " rows and not ", total);
    return {table.ranges(), &table};
  }
  if (ranges.words.size() % 2 != 0 || static_cast<int64_t>(ranges.words.size() / 2) != groups) {
    fail(SCHEMOE_INVALID, ranges.words.size(), " integers are not a first row and rows for each of ", groups, " groups");
  }
  int64_t end = 0, sum = 0;
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t first = ranges.first(group), rows = ranges.rows(group);
    if (first < end || rows < 0 || first > INT32_MAX || rows > INT32_MAX - first) {
      fail(SCHEMOE_INVALID, "group ", group, " has ", rows, " rows from ", first, ", the one before ends at ", end);
    }
    end = first + rows;
    sum += rows;
  }
  if (sum != total) fail(SCHEMOE_INVALID, "the groups have ", sum, " rows and not ", total);
  return ranges;
}

/// Rows up to the last one of all groups.
void touch_ragged(Reader& r, const Ranges& ranges, const Matrix& matrix, int64_t columns, int64_t bytes_each) {
  if (matrix.stride != 0) fail(SCHEMOE_INVALID, "the stride of ragged groups is ", matrix.stride, " and not 0");
  const auto groups = static_cast<int64_t>(ranges.words.size() / 2);
  const int64_t rows = ranges.table ? ranges.table->shape().room : ranges.first(groups - 1) + ranges.rows(groups - 1);
  r.touch(matrix, 1, rows, columns, bytes_each);
}

/// The ranges, which decide what else is read; without elements there are no groups.
void read_rows(Reader& r, Block& block) {
  block.ranges = read_ranges(r, block.groups, block.rows);
  if (block.columns == 0 || block.rows == 0) {
    block.groups = 0;
    block.ranges = {};
  }
}

void touch(Reader& r, const Block& block, const Matrix& matrix) {
  const int64_t size = element_bytes(block.dtype);
  if (block.ranges.ragged()) touch_ragged(r, block.ranges, matrix, block.columns, size);
  else r.touch(matrix, block.groups, block.rows, block.columns, size);
}

/// A matrix that is written.
void touch_result(Reader& r, const char* what, const Block& block, const Matrix& matrix) {
  if (!block.ranges.ragged()) check_apart(what, block.groups, matrix.stride);
  touch(r, block, matrix);
}

/// One row for each group.
void touch_rows(Reader& r, const Block& block, const View& view, int64_t stride, int64_t bytes_each) {
  r.touch(Matrix{view, block.columns, stride}, block.groups, 1, block.columns, bytes_each);
}

}  // namespace

GemmGroups::GemmGroups(Reader& r) : gemm(r, false) {
  const Gemm& g = gemm;
  ranges = read_ranges(r, g.groups, g.trans_a ? g.k : g.m);
  if (!ranges.ragged()) {
    if (g.groups > 0) fail(SCHEMOE_INVALID, "the rows of its ", g.groups, " groups are missing");
    return;
  }
  if (g.trans_a && g.trans_b) fail(SCHEMOE_INVALID, "both factors are transposed; there must be one at most");
  touch_ragged(r, ranges, g.a, g.trans_a ? g.m : g.k, element_bytes(g.dtypes.a));
  if (g.trans_a) {
    touch_ragged(r, ranges, g.b, g.n, element_bytes(g.dtypes.b));
    r.touch(g.c, g.groups, g.m, g.n, element_bytes(g.dtype_c));
  } else {
    r.touch(g.b, g.groups, g.trans_b ? g.n : g.k, g.trans_b ? g.k : g.n, element_bytes(g.dtypes.b));
    touch_ragged(r, ranges, g.c, g.n, element_bytes(g.dtype_c));
  }
  if (!g.bias.null()) r.touch(Matrix{g.bias, g.n, g.bias_stride}, g.groups, 1, g.n, element_bytes(g.dtype_c));
}

Gemm GemmGroups::group(int64_t group) const {
  Gemm one = gemm;
  one.groups = 1;
  (gemm.trans_a ? one.k : one.m) = ranges.rows(group);
  // Unsigned, because strides of an empty matrix may be anything.
  const auto move = [](View& view, int64_t count, int64_t step, schemoe_dtype dtype) {
    view.offset += static_cast<uint64_t>(count) * static_cast<uint64_t>(step) * static_cast<uint64_t>(element_bytes(dtype));
  };
  const int64_t first = ranges.first(group);
  move(one.a.view, first, one.a.ld, one.dtypes.a);
  if (gemm.trans_a) {
    move(one.b.view, first, one.b.ld, one.dtypes.b);
    move(one.c.view, group, one.c.stride, one.dtype_c);
  } else {
    move(one.b.view, group, one.b.stride, one.dtypes.b);
    move(one.c.view, first, one.c.ld, one.dtype_c);
  }
  if (!one.bias.null()) move(one.bias, group, one.bias_stride, one.dtype_c);
  one.a.stride = one.b.stride = one.c.stride = one.bias_stride = 0;
  return one;
}

CheckNumbers::CheckNumbers(Reader& r) : block(r), x(r.matrix()) {
  read_rows(r, block);
  touch_result(r, "X", block, x);
}

BiasAct::BiasAct(Reader& r)
    : block(r),
      x(r.matrix()),
      bias(r.optional_view()),
      bias_stride(r.integer()),
      y(r.optional_matrix()),
      activation(r.activation()) {
  read_rows(r, block);
  // Nothing to compute, for groups that no result bounds.
  if (bias.null() && y.view.null()) block.groups = 0, block.ranges = {};
  // Without a bias it is only read.
  if (bias.null()) touch(r, block, x);
  else touch_result(r, "X", block, x);
  if (!bias.null()) touch_rows(r, block, bias, bias_stride, element_bytes(block.dtype));
  if (!y.view.null()) touch_result(r, "Y", block, y);
}

ActGrad::ActGrad(Reader& r)
    : block(r), dy(r.matrix()), x(r.matrix()), dx(r.matrix()), activation(r.activation()) {
  read_rows(r, block);
  for (const Matrix* matrix : {&dy, &x}) touch(r, block, *matrix);
  touch_result(r, "dX", block, dx);
}

Glu::Glu(Reader& r)
    : block(r), a(r.matrix()), b(r.matrix()), y(r.matrix()), activation(r.gluing()) {
  read_rows(r, block);
  for (const Matrix* matrix : {&a, &b}) touch(r, block, *matrix);
  touch_result(r, "Y", block, y);
}

GluGrad::GluGrad(Reader& r)
    : block(r),
      dy(r.matrix()),
      a(r.matrix()),
      b(r.matrix()),
      da(r.matrix()),
      db(r.matrix()),
      activation(r.gluing()) {
  read_rows(r, block);
  for (const Matrix* matrix : {&dy, &a, &b}) touch(r, block, *matrix);
  touch_result(r, "dA", block, da);
  touch_result(r, "dB", block, db);
}

ColumnSum::ColumnSum(Reader& r)
    : block(r),
      x(r.matrix()),
      out(r.view()),
      out_stride(r.integer()),
      accumulate(r.flag("accumulate")) {
  block.ranges = read_ranges(r, block.groups, block.rows);
  // Groups without rows have sums, of nothing.
  if (block.columns == 0) block.groups = 0;
  check_apart("the sums", block.groups, out_stride);
  touch(r, block, x);
  touch_rows(r, block, out, out_stride, 4);
}

WeighRows::WeighRows(Reader& r)
    : block(r),
      d(r.matrix()),
      a(r.optional_matrix()),
      vector(r.optional_view()),
      vector_stride(r.integer()),
      weights(r.view()),
      dots(r.optional_view()),
      stride(r.integer()),
      accumulate(r.flag("accumulate")) {
  read_rows(r, block);
  const int factors = !a.view.null() + !vector.null();
  if (factors != !dots.null()) {
    fail(SCHEMOE_INVALID, "dots need one factor beside D: there are ", factors, ", and dots are ", dots.null() ? "none" : "some");
  }
  touch_result(r, "D", block, d);
  if (!a.view.null()) touch(r, block, a);
  if (!vector.null()) touch_rows(r, block, vector, vector_stride, element_bytes(block.dtype));
  const auto touch_column = [&](const View& view) {
    const Matrix column{view, 1, stride};
    if (block.ranges.ragged()) touch_ragged(r, block.ranges, column, 1, 4);
    else r.touch(column, block.groups, block.rows, 1, 4);
  };
  touch_column(weights);
  if (dots.null()) return;
  if (!block.ranges.ragged()) check_apart("the dots", block.groups, stride);
  touch_column(dots);
}

}  // namespace schemoe
