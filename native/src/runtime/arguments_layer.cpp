// Arguments of the kernels of an expert: matrix products and elementwise functions.
#include "runtime/arguments.h"
#include "runtime/failure.h"

namespace schemoe {

Gemm::Gemm(Reader& r)
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
  r.touch(a, groups, trans_a ? k : m, trans_a ? m : k, element_bytes(dtypes.a));
  r.touch(b, groups, trans_b ? n : k, trans_b ? k : n, element_bytes(dtypes.b));
  r.touch(c, groups, m, n, element_bytes(dtype_c));
  if (!bias.null()) r.touch(Matrix{bias, n, bias_stride}, groups, 1, n, element_bytes(dtype_c));
}

Block::Block(Reader& r)
    : dtype(r.dtype()), groups(r.integer()), rows(r.integer()), columns(r.integer()) {}

namespace {

void touch(Reader& r, const Block& block, const Matrix& matrix) {
  r.touch(matrix, block.groups, block.rows, block.columns, element_bytes(block.dtype));
}

/// One row for each group.
void touch_rows(Reader& r, const Block& block, const View& view, int64_t stride, int64_t bytes_each) {
  r.touch(Matrix{view, block.columns, stride}, block.groups, 1, block.columns, bytes_each);
}

}  // namespace

BiasAct::BiasAct(Reader& r)
    : block(r),
      x(r.matrix()),
      bias(r.optional_view()),
      bias_stride(r.integer()),
      y(r.optional_matrix()),
      activation(r.activation()) {
  touch(r, block, x);
  if (!bias.null()) touch_rows(r, block, bias, bias_stride, element_bytes(block.dtype));
  if (!y.view.null()) touch(r, block, y);
}

ActGrad::ActGrad(Reader& r)
    : block(r), dy(r.matrix()), x(r.matrix()), dx(r.matrix()), activation(r.activation()) {
  for (const Matrix* matrix : {&dy, &x, &dx}) touch(r, block, *matrix);
}

Glu::Glu(Reader& r)
    : block(r), a(r.matrix()), b(r.matrix()), y(r.matrix()), activation(r.activation()) {
  for (const Matrix* matrix : {&a, &b, &y}) touch(r, block, *matrix);
}

GluGrad::GluGrad(Reader& r)
    : block(r),
      dy(r.matrix()),
      a(r.matrix()),
      b(r.matrix()),
      da(r.matrix()),
      db(r.matrix()),
      activation(r.activation()) {
  for (const Matrix* matrix : {&dy, &a, &b, &da, &db}) touch(r, block, *matrix);
}

ColumnSum::ColumnSum(Reader& r)
    : block(r),
      x(r.matrix()),
      out(r.view()),
      out_stride(r.integer()),
      accumulate(r.flag("accumulate")) {
  touch(r, block, x);
  touch_rows(r, block, out, out_stride, 4);
}

}  // namespace schemoe
