// The CUDA kernels of each codec, for the table of all.
#pragma once

#include "codecs/table.h"

namespace schemoe::cuda::codecs {

#define SCHEMOE_CODEC(name)                                              \
  void encode_##name(const Codec& c, const Shape& s, const Context& context); \
  void decode_##name(const Codec& c, const Shape& s, const Context& context);

SCHEMOE_CODEC(plain)
/// Two bytes an element.
SCHEMOE_CODEC(fp16)
SCHEMOE_CODEC(bf16)
/// A byte an element between the least and the largest of its row.
SCHEMOE_CODEC(int8)
SCHEMOE_CODEC(zfp1)
SCHEMOE_CODEC(zfp2)
/// Blocks of columns that share a scale.
SCHEMOE_CODEC(fp8)
SCHEMOE_CODEC(e5m2)
SCHEMOE_CODEC(mxfp8)
SCHEMOE_CODEC(mxfp4)
SCHEMOE_CODEC(int8block)
SCHEMOE_CODEC(int4)
/// The largest values of a row.
SCHEMOE_CODEC(topk)

#undef SCHEMOE_CODEC

}  // namespace schemoe::cuda::codecs
