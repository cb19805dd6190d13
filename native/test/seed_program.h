// A Program that has most kernels, for tests that change it.
#pragma once

#include "codecs/table.h"
#include "packed.h"
#include "runtime/nvtx_ranges.h"

/// On two ranks, in a buffer of 2048 bytes.
inline Packed seed_program(uint64_t b) {
  Packed packed(2);
  for (uint32_t rank = 0; rank < 2; ++rank) {
    packed.operation(0, rank, 0, {});
    packed.kernel(7, Words().i(4, 4).v(b).v(b, 64)).kernel(8, Words().i(4, 4, 2, 1).v(b).v(b, 64).v(b, 128).v(b, 160));
    packed.kernel(9, Words().i(4, 4, 2, 1).v(b, 64).v(b, 128).v(b, 192).v(b, 224));
    packed.kernel(10, Words().i(4, 4, 2).v(b, 64).v(b, 128).v(b, 240)).kernel(11, Words().i(4, 2, 4, 2).v(b, 128).v(b, 192).v(b, 256));
    packed.kernel(12, Words().i(0, 4, 4, 2, 4).v(b).v(b, 256).none().v(b, 512).i(2, 0, 1, 2));
    packed.operation(1, rank, 1, {.communication = true, .seconds = 1e-5, .waits = {2 * rank}});
    packed.send(1 - rank, 64, b, 512).receive(1 - rank, 64, b, 640).copy(64, Words().v(b, 576).v(b, 704));
    if (rank == 0) continue;
  }
  for (uint32_t rank = 0; rank < 2; ++rank) {
    packed.operation(2, rank, 0, {.waits = {2 * rank + 1}});
    packed.kernel(16, Words().i(0, schemoe::codec_number("int8"), 0, 0, 2, 1, 2, 4).v(b, 640).i(8, 8, 4).v(b, 1024).i(24).i(0, 0, 0));
    packed.kernel(17, Words().i(0, schemoe::codec_number("int8"), 0, 0, 2, 1, 2, 4).v(b, 640).i(8, 8, 4).v(b, 1024).i(24).i(0, 0, 0));
    packed.kernel(17, Words().i(0, schemoe::codec_number("zfp"), 8, 0, 1, 2, 5, 3).v(b, 640).i(0, 0, 3).v(b, 1024).i(0).i(0, 0, 0).i(2, 3));
    packed.kernel(1, Words().i(0, 0, 0, 1, 2, 2, 2, 4).m(b, 4, 8, 640).m(b, 4, 8, 512).m(b, 2, 4, 1280).f(1).f(0).none().i(0, 0));
    packed.kernel(2, Words().i(0, 1, 2, 4).m(b, 4, 0, 640).v(b).i(0).m(b, 4, 0, 1408).i(2));
    packed.kernel(13, Words().i(0, 4, 4, 2, 4).v(b, 512).v(b, 128).v(b, 192).v(b, 160).v(b, 1536).i(1, 2, 0, 1, 2));
    packed.kernel(14, Words().i(0, 4, 4, 2, 4).v(b).v(b, 512).v(b, 128).v(b, 192).v(b, 1600).i(2, 0, 1, 2));
    packed.kernel(15, Words().i(4, 4, 2, 1).v(b, 64).v(b, 128).v(b, 160).v(b, 1600).v(b, 1664).f(0.1));
    packed.kernel(6, Words().i(0, 1, 2, 4).m(b, 4, 0, 640).v(b, 1728).i(0, 0)).kernel(18, Words().i(2, 4, 4).v(b).v(b, 1744));
    packed.kernel(20, Words().i(4).v(b, 1760).f(1)).kernel(21, Words().i(4).v(b, 224).v(b, 1776)).kernel(23, Words().i(4).v(b).v(b, 1780));
  }
  for (uint32_t rank = 0; rank < 2; ++rank) {
    packed.operation(3, rank, 0, {});
    packed.kernel(25, Words().i(0, 4, 4, 2, 4).v(b).v(b, 128).v(b, 192).none().v(b, 512).i(1, 0, 4, 0, 4, 8, 8, 8));
    packed.kernel(26, Words().i(0, 0, 4, 2, 2, 0, 2, 1, 3).v(b, 512).v(b, 1024).i(3, 0, 1, 2));
    packed.kernel(27, Words().i(0, 1, 4, 2, 2, 1, 1, 0, 3).v(b, 512).v(b, 1024).i(3, 0, 1, 2));
    packed.kernel(24, Words().i(0, 0, 0, 1, 2, 3, 2, 4).m(b, 4, 0, 512).m(b, 4, 8, 1024).m(b, 2, 0, 1280).f(1).f(0)
                          .none().i(0, 0).i(0, 1, 2, 2));
    packed.kernel(24, Words().i(0, 0, 1, 0, 2, 2, 2, 3).m(b, 4, 0, 512).m(b, 4, 0, 1024).m(b, 2, 4, 1280).f(1).f(1)
                          .none().i(0, 0).i(0, 3, 3, 0));
    packed.kernel(2, Words().i(0, 2, 3, 4).m(b, 4, 0, 640).v(b).i(4).m(b, 4, 0, 1408).i(2).i(0, 1, 2, 2));
    packed.kernel(6, Words().i(0, 2, 3, 4).m(b, 4, 0, 640).v(b, 1728).i(4, 0).i(1, 3, 4, 0));
  }
  if (schemoe::has_nvtx()) packed.names = std::string("run\0a\0b\0c\0d\0", 12);
  return packed;
}
