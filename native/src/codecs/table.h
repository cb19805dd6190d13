// The codecs: the one place that ties name, parameter, size and kernels of each together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "schemoe.h"

namespace schemoe {

namespace cuda {
struct Context;
namespace codecs {
struct Shape;
}
}  // namespace cuda
struct Codec;

/// Rows of one group that a codec is given together, and where they lie in a wire block.
struct Piece {
  std::byte* wire;         // of the block
  int64_t lines, line;     // rows of the block; the first one here
  int64_t group_offset;    // where the group begins in the wire, for codecs that code a group as a whole
  int64_t group_line;      // the first row's number in its group
  int64_t group_rows;
  int64_t rows, columns;
  int64_t parameter;
  uint64_t seed;           // 0: to nearest; else random bits depend on it, the row's number and the column
  int64_t number;          // of the first row here
};

/// The number of a codec in kernel arguments: FNV-1a of its name, so that no list of numbers is kept anywhere.
constexpr uint32_t codec_number(std::string_view name) {
  uint32_t hash = 0x811c9dc5u;
  for (const char letter : name) hash = (hash ^ static_cast<uint8_t>(letter)) * 0x01000193u;
  return hash;
}

struct CodecSpec {
  const char* name;
  /// Meaning and bounds of the parameter.
  const char* parameter;
  int64_t least, most;
  /// Rows that are coded together at most.
  int64_t height;
  /// Whether it can round at random.
  bool random;
  /// Bytes of a group of rows; a block has the sum over its groups.
  int64_t (*bytes)(int64_t rows, int64_t columns, schemoe_dtype dtype, int64_t parameter);
  /// Up to `height` float rows, `stride` from each other. nullptr: bytes are moved as they are.
  /// `encode` returns the first row with a value that the codec cannot represent, or -1.
  int64_t (*encode)(const Piece& piece, const float* x, int64_t stride);
  void (*decode)(const Piece& piece, float* x, int64_t stride);
  // Of a library without the CUDA engine none.
  void (*cuda_encode)(const Codec& codec, const cuda::codecs::Shape& shape, const cuda::Context& context) = nullptr;
  void (*cuda_decode)(const Codec& codec, const cuda::codecs::Shape& shape, const cuda::Context& context) = nullptr;
};

std::span<const CodecSpec> codec_table();

/// The codec with a number; nullptr where there is none.
const CodecSpec* find_codec(int64_t number);

}  // namespace schemoe
