// Rows to the bytes of a wire and back: which rows lie where, whatever the codec.
#include <algorithm>
#include <cstring>

#include "codecs/table.h"
#include "cpu/kernels/half.h"
#include "cpu/kernels/kernels.h"
#include "runtime/failure.h"

namespace schemoe {

namespace {

/// Calls `body(piece, block, byte offset of its first row in X)` for rows that are coded together.
template <class Body>
void each_piece(const Codec& c, const Context& context, Body&& body) {
  Piece piece{};
  piece.columns = c.columns;
  piece.parameter = c.parameter;
  piece.seed = c.seed;
  piece.lines = c.lines();
  // Rows without columns take wire only where they have scales.
  if (piece.lines == 0 || (c.columns == 0 && c.spec->bytes(1, 0, c.dtype, c.parameter) == 0)) return;
  for (int64_t block = 0; block < c.blocks; ++block) {
    piece.wire = context.at<std::byte>(c.wire) + block * c.block_bytes;
    int64_t first = 0;
    piece.group_offset = 0;
    for (int64_t group = 0; group < c.groups && !context.stop; ++group) {
      const int64_t rows = c.rows_of(group);
      for (int64_t row = 0; row < rows; row += c.spec->height) {
        piece.rows = std::min(c.spec->height, rows - row);
        piece.line = first + row;
        piece.group_line = row;
        piece.group_rows = rows;
        piece.number = c.first_number + block * c.block_step + group * c.group_step + row;
        body(piece, block, (block * c.block_stride + c.group_begin(group, first) + row * c.row_stride) * element_bytes(c.dtype));
      }
      piece.group_offset += c.spec->bytes(rows, c.columns, c.dtype, c.parameter);
      first += rows;
    }
  }
}

/// Bytes as they are.
void move(const Codec& c, const Context& context, bool encode) {
  const auto bytes = static_cast<size_t>(c.columns * element_bytes(c.dtype));
  if (bytes == 0) return;
  each_piece(c, context, [&](const Piece& piece, int64_t, int64_t at) {
    std::byte* x = context.at<std::byte>(c.x) + at;
    std::byte* wire = piece.wire + piece.line * static_cast<int64_t>(bytes);
    std::memmove(encode ? wire : x, encode ? x : wire, bytes);
  });
}

[[noreturn]] void refuse(const Codec& c, int64_t line) {
  fail(SCHEMOE_INVALID, "row ", line, " of ", c.lines() * c.blocks, " holds a value that is not finite, which ",
       c.spec->name, " cannot represent");
}

}  // namespace

void run(const Encode& c, const Context& context) {
  // Where there are no rows, columns may be any number: no room is made for them.
  if (c.blocks == 0) return;
  if (!c.spec->encode) return move(c, context, true);
  auto& floats = context.scratch.floats;
  if (c.dtype == SCHEMOE_BF16) floats.resize(static_cast<size_t>(c.spec->height * c.columns));
  const std::byte* x = context.at<const std::byte>(c.x);
  each_piece(c, context, [&](const Piece& piece, int64_t block, int64_t at) {
    const float* rows = reinterpret_cast<const float*>(x + (c.columns > 0 ? at : 0));
    int64_t stride = c.row_stride;
    if (c.dtype == SCHEMOE_BF16) {
      stride = c.columns;
      for (int64_t r = 0; r < piece.rows; ++r) {
        floats_from_bfloat16s(floats.data() + r * stride, x + at + r * c.row_stride * 2, c.columns);
      }
      rows = floats.data();
    }
    const int64_t odd = c.spec->encode(piece, rows, stride);
    if (odd >= 0) refuse(c, block * piece.lines + piece.line + odd);
  });
}

void run(const Decode& c, const Context& context) {
  if (c.blocks == 0) return;
  if (!c.spec->decode) return move(c, context, false);
  auto& floats = context.scratch.floats;
  if (c.dtype == SCHEMOE_BF16) floats.resize(static_cast<size_t>(c.spec->height * c.columns));
  std::byte* x = context.at<std::byte>(c.x);
  each_piece(c, context, [&](const Piece& piece, int64_t, int64_t at) {
    if (c.columns == 0) return;
    if (c.dtype != SCHEMOE_BF16) return c.spec->decode(piece, reinterpret_cast<float*>(x + at), c.row_stride);
    c.spec->decode(piece, floats.data(), c.columns);
    for (int64_t r = 0; r < piece.rows; ++r) {
      bfloat16s_from_floats(x + at + r * c.row_stride * 2, floats.data() + r * c.columns, c.columns);
    }
  });
}

}  // namespace schemoe
