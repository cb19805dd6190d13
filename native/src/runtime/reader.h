// Reads the argument words of one kernel, checking each, and notes which bytes the kernel touches.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/row_table.h"
#include "schemoe.h"

namespace schemoe {

/// Bytes in a buffer of the operation's rank.
struct View {
  uint32_t buffer = UINT32_MAX;
  uint64_t offset = 0;
  /// Region of the Program that it is a view of, if any.
  uint32_t region = UINT32_MAX;
  bool null() const { return buffer == UINT32_MAX; }
};

/// Row-major matrices of groups: element (g, i, j) lies at g * stride + i * ld + j.
struct Matrix {
  View view;
  int64_t ld = 0;
  int64_t stride = 0;
};

/// Types of the two factors of a product.
struct Dtypes {
  schemoe_dtype a, b;
};

/// A buffer must have at least `end` bytes.
struct Extent {
  uint32_t buffer;
  uint64_t end;
};

/// Products and sums of sizes; throw INVALID instead of overflowing.
int64_t times(int64_t a, int64_t b);
int64_t plus(int64_t a, int64_t b);

inline int64_t element_bytes(schemoe_dtype dtype) { return dtype == SCHEMOE_BF16 ? 2 : 4; }

/// Bytes from the first to the last element of matrices of which none is empty.
inline int64_t matrix_bytes(const Matrix& m, int64_t groups, int64_t rows, int64_t columns, schemoe_dtype dtype) {
  return ((groups - 1) * m.stride + (rows - 1) * m.ld + columns) * element_bytes(dtype);
}

class Reader {
 public:
  /// `letters` as in the kernel table; extents are appended to `extents`.
  Reader(const char* letters, std::span<const uint64_t> words, std::vector<Extent>& extents,
         std::span<const schemoe_region> regions = {}, RowTables* tables = nullptr)
      : letters_(letters), words_(words), extents_(extents), regions_(regions), tables_(tables) {}

  /// A non-negative integer.
  int64_t integer();
  /// A non-negative integer that is at most `most`.
  int64_t integer(const char* what, int64_t most);
  bool flag(const char* what) { return integer(what, 1) != 0; }
  schemoe_dtype dtype();
  /// The last argument, float32 where it is left out.
  schemoe_dtype optional_dtype();
  /// 0 and 1: both that type; 2: bfloat16 and float32; 3: float32 and bfloat16.
  Dtypes dtypes();
  schemoe_activation activation();
  /// One of two arguments.
  schemoe_activation gluing();
  double real();
  View view();
  View optional_view();
  Matrix matrix();
  Matrix optional_matrix();
  /// The integers that are left.
  std::span<const uint64_t> rest();
  /// The tables of the Program. Throws INVALID where there can be none.
  RowTables& tables();

  /// Notes that the kernel touches `count` elements from `view` on.
  void touch(const View& view, int64_t count, int64_t bytes_each);
  void touch(const Matrix& matrix, int64_t groups, int64_t rows, int64_t columns, int64_t bytes_each);

  /// True when everything was read.
  bool done() const { return at_ == words_.size(); }

 private:
  uint64_t word(char letter);

  const char* letters_;
  std::span<const uint64_t> words_;
  std::vector<Extent>& extents_;
  std::span<const schemoe_region> regions_;
  RowTables* tables_;
  size_t at_ = 0;
};

}  // namespace schemoe
