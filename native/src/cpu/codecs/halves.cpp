// Two bytes a value: float16 and bfloat16, to nearest even.
#include "cpu/codecs/codecs.h"
#include "cpu/kernels/half.h"

namespace schemoe::codecs {

namespace {

std::byte* row_of(const Piece& p) { return p.wire + p.line * p.columns * 2; }

}  // namespace

int64_t encode_fp16(const Piece& p, const float* x, int64_t) {
  halves_from_floats(row_of(p), x, p.columns);
  return -1;
}
void decode_fp16(const Piece& p, float* x, int64_t) { floats_from_halves(x, row_of(p), p.columns); }

int64_t encode_bf16(const Piece& p, const float* x, int64_t) {
  bfloat16s_from_floats(row_of(p), x, p.columns);
  return -1;
}
void decode_bf16(const Piece& p, float* x, int64_t) { floats_from_bfloat16s(x, row_of(p), p.columns); }

}  // namespace schemoe::codecs
