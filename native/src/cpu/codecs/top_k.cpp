// The values of a row that are largest in magnitude, with their columns in order; among equals the lower column.
#include <algorithm>
#include <cstring>
#include <vector>

#include "codecs/both.h"
#include "codecs/sizes.h"
#include "cpu/codecs/codecs.h"

namespace schemoe::codecs {

int64_t encode_topk(const Piece& p, const float* x, int64_t) {
  const int64_t kept = kept_of(p.columns, p.parameter), bytes = top_k_row_bytes(p.columns, kept);
  std::byte* row = p.wire + p.line * bytes;
  // Kept from row to row: a lane's thread codes one after another.
  thread_local std::vector<uint64_t> order;
  order.resize(static_cast<size_t>(p.columns));
  for (int64_t j = 0; j < p.columns; ++j) {
    order[static_cast<size_t>(j)] = uint64_t{~magnitude_of(x[j])} << 32 | static_cast<uint32_t>(j);
  }
  const auto end = order.begin() + kept;
  if (kept < p.columns) std::nth_element(order.begin(), end, order.end());
  std::sort(order.begin(), end, [](uint64_t a, uint64_t b) { return static_cast<uint32_t>(a) < static_cast<uint32_t>(b); });
  const size_t width = p.columns <= 65536 ? 2 : 4;
  std::byte* columns = row + kept * 4;
  for (int64_t i = 0; i < kept; ++i) {
    const auto column = static_cast<uint32_t>(order[static_cast<size_t>(i)]);
    std::memcpy(row + i * 4, x + column, 4);
    std::memcpy(columns + i * static_cast<int64_t>(width), &column, width);
  }
  std::byte* rest = columns + kept * static_cast<int64_t>(width);
  std::memset(rest, 0, static_cast<size_t>(row + bytes - rest));
  return -1;
}

void decode_topk(const Piece& p, float* x, int64_t) {
  const int64_t kept = kept_of(p.columns, p.parameter);
  const std::byte* row = p.wire + p.line * top_k_row_bytes(p.columns, kept);
  const size_t width = p.columns <= 65536 ? 2 : 4;
  std::fill_n(x, p.columns, 0.0f);
  for (int64_t i = 0; i < kept; ++i) {
    uint32_t column = 0;
    std::memcpy(&column, row + kept * 4 + i * static_cast<int64_t>(width), width);
    // A wire may hold anything.
    if (column < p.columns) std::memcpy(x + column, row + i * 4, 4);
  }
}

}  // namespace schemoe::codecs
