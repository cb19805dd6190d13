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
    {0, "none", "unused", 0, 0, 1, plain_bytes, nullptr, nullptr ON_CUDA(encode_plain, decode_plain)},
    {1, "fp16", "unused", 0, 0, 1, half_bytes, encode_fp16, decode_fp16 ON_CUDA(encode_narrow, decode_narrow)},
    {2, "int8", "unused", 0, 0, 1, int8_bytes, encode_int8, decode_int8 ON_CUDA(encode_int8, decode_int8)},
    {3, "bf16", "unused", 0, 0, 1, half_bytes, encode_bf16, decode_bf16 ON_CUDA(encode_narrow, decode_narrow)},
    {4, "zfp1", "bits a value", 3, 16, 1, zfp1_bytes, encode_zfp1, decode_zfp1 ON_CUDA(encode_zfp1, decode_zfp1)},
    {5, "zfp2", "bits a value", 3, 16, 4, zfp2_bytes, encode_zfp2, decode_zfp2 ON_CUDA(encode_zfp2, decode_zfp2)},
};

}  // namespace

std::span<const CodecSpec> codec_table() { return kTable; }

const CodecSpec* find_codec(int64_t code) {
  for (const CodecSpec& spec : kTable) {
    if (spec.code == code) return &spec;
  }
  return nullptr;
}

}  // namespace schemoe
