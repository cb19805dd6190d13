// Rows to the bytes of a wire and back, a codec a file; see `CodecSpec`.
#pragma once

#include "codecs/table.h"

namespace schemoe::codecs {

#define SCHEMOE_CODEC(name)                                               \
  int64_t encode_##name(const Piece& piece, const float* x, int64_t stride); \
  void decode_##name(const Piece& piece, float* x, int64_t stride);

SCHEMOE_CODEC(fp16)
SCHEMOE_CODEC(bf16)
SCHEMOE_CODEC(int8)
SCHEMOE_CODEC(zfp1)
SCHEMOE_CODEC(zfp2)
SCHEMOE_CODEC(topk)

#undef SCHEMOE_CODEC

/// Of a format in `scaled_formats.h`.
template <class F>
int64_t encode_scaled(const Piece& piece, const float* x, int64_t stride);
template <class F>
void decode_scaled(const Piece& piece, float* x, int64_t stride);

}  // namespace schemoe::codecs
