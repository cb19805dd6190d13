#include "codecs/table.h"

#include "codecs/sizes.h"
#include "cpu/codecs/codecs.h"
#ifdef SCHEMOE_WITH_CUDA
#include "cuda/kernels/codecs_table.h"
#define ON_CUDA(encode, decode) , cuda::codecs::encode, cuda::codecs::decode
#else
#define ON_CUDA(encode, decode)
#endif

namespace schemoe {

namespace {

using namespace codecs;

constexpr CodecSpec kTable[] = {
    {"none", "unused", 0, 0, 1, false, plain_bytes, nullptr, nullptr ON_CUDA(encode_plain, decode_plain)},
    {"fp16", "unused", 0, 0, 1, false, half_bytes, encode_fp16, decode_fp16 ON_CUDA(encode_fp16, decode_fp16)},
    {"int8", "unused", 0, 0, 1, false, int8_bytes, encode_int8, decode_int8 ON_CUDA(encode_int8, decode_int8)},
    {"bf16", "unused", 0, 0, 1, false, half_bytes, encode_bf16, decode_bf16 ON_CUDA(encode_bf16, decode_bf16)},
    {"zfp1", "bits a value", 3, 16, 1, false, zfp1_bytes, encode_zfp1, decode_zfp1 ON_CUDA(encode_zfp1, decode_zfp1)},
    {"zfp", "bits a value", 3, 16, 4, false, zfp2_bytes, encode_zfp2, decode_zfp2 ON_CUDA(encode_zfp2, decode_zfp2)},
    {"fp8", "unused", 0, 0, 1, true, scaled_bytes<Fp8>, encode_scaled<Fp8>, decode_scaled<Fp8> ON_CUDA(encode_fp8, decode_fp8)},
    {"fp8e5m2", "unused", 0, 0, 1, true, scaled_bytes<E5m2>, encode_scaled<E5m2>, decode_scaled<E5m2> ON_CUDA(encode_e5m2, decode_e5m2)},
    {"mxfp8", "unused", 0, 0, 1, true, scaled_bytes<Mxfp8>, encode_scaled<Mxfp8>, decode_scaled<Mxfp8> ON_CUDA(encode_mxfp8, decode_mxfp8)},
    {"mxfp4", "unused", 0, 0, 1, true, scaled_bytes<Mxfp4>, encode_scaled<Mxfp4>, decode_scaled<Mxfp4> ON_CUDA(encode_mxfp4, decode_mxfp4)},
    {"int8Blocks", "unused", 0, 0, 1, true, scaled_bytes<Int8Block>, encode_scaled<Int8Block>, decode_scaled<Int8Block> ON_CUDA(encode_int8block, decode_int8block)},
    {"int4", "unused", 0, 0, 1, true, scaled_bytes<Int4>, encode_scaled<Int4>, decode_scaled<Int4> ON_CUDA(encode_int4, decode_int4)},
    {"topKValues", "share in 65536ths", 1, 65536, 1, false, top_k_bytes, encode_topk, decode_topk ON_CUDA(encode_topk, decode_topk)},
};

constexpr bool numbers_differ() {
  for (const CodecSpec& a : kTable) {
    for (const CodecSpec& b : kTable) {
      if (&a != &b && codec_number(a.name) == codec_number(b.name)) return false;
    }
  }
  return true;
}
static_assert(numbers_differ(), "two codecs have names with the same number: take another name");

}  // namespace

std::span<const CodecSpec> codec_table() { return kTable; }

const CodecSpec* find_codec(int64_t number) {
  for (const CodecSpec& spec : kTable) {
    if (codec_number(spec.name) == number) return &spec;
  }
  return nullptr;
}

}  // namespace schemoe
