// Bytes of a group of rows under each codec; throw INVALID instead of overflowing.
#pragma once

#include "codecs/scaled_formats.h"
#include "runtime/reader.h"

namespace schemoe::codecs {

inline int64_t plain_bytes(int64_t rows, int64_t columns, schemoe_dtype dtype, int64_t) {
  return times(rows, times(columns, element_bytes(dtype)));
}

inline int64_t half_bytes(int64_t rows, int64_t columns, schemoe_dtype, int64_t) {
  return times(rows, times(columns, 2));
}

inline int64_t int8_bytes(int64_t rows, int64_t columns, schemoe_dtype, int64_t) {
  return times(rows, plus(columns, 8));
}

/// Streams end on 64 bits.
inline int64_t zfp_stream_bytes(int64_t blocks, int64_t bits) { return plus(times(blocks, bits), 63) / 64 * 8; }

/// A stream for each row.
inline int64_t zfp1_bytes(int64_t rows, int64_t columns, schemoe_dtype, int64_t rate) {
  return times(rows, zfp_stream_bytes(plus(columns, 3) / 4, 4 * rate));
}

/// A stream for all rows of a group.
inline int64_t zfp2_bytes(int64_t rows, int64_t columns, schemoe_dtype, int64_t rate) {
  return zfp_stream_bytes(times(plus(rows, 3) / 4, plus(columns, 3) / 4), 16 * rate);
}

/// Rows with codes of F and their scales; columns that no memory has would overflow.
template <class F>
int64_t scaled_bytes(int64_t rows, int64_t columns, schemoe_dtype, int64_t) {
  times(columns, 16);
  return times(rows, RowLayout<F>::bytes(columns));
}

/// Values that are kept of a row: its share in 65536ths, rounded up.
inline int64_t kept_of(int64_t columns, int64_t share) { return (times(columns, share) + 65535) / 65536; }

/// Float values, then their columns in two bytes, or four where rows are longer.
inline int64_t top_k_row_bytes(int64_t columns, int64_t kept) {
  return (times(kept, columns <= 65536 ? 6 : 8) + 15) / 16 * 16;
}

inline int64_t top_k_bytes(int64_t rows, int64_t columns, schemoe_dtype, int64_t share) {
  return times(rows, top_k_row_bytes(columns, kept_of(columns, share)));
}

}  // namespace schemoe::codecs
