// Rows whose columns share scales in blocks: what encoding and decoding have in common.
#pragma once

#include "codecs/scaled_formats.h"
#include "cuda/kernels/codecs.cuh"

namespace schemoe::cuda::codecs {

using namespace schemoe::codecs;

/// Pieces of a warp that are under way at once: of each, a lane has the 16 bytes of a row beside its neighbours'.
inline constexpr int kPieces = 4;

/// Columns of a piece.
template <class T>
inline constexpr int kPiece = 32 * kVector<T>;

/// Whether codes are e4m3 or e5m2, which the GPU converts.
template <class F>
inline constexpr bool kConverted = std::is_base_of_v<Fp8, F> || std::is_same_v<F, E5m2>;

template <class F>
__device__ inline void store_scale(std::byte* to, uint32_t stored) {
  if constexpr (F::kScaleBytes == 4) *reinterpret_cast<uint32_t*>(to) = stored;
  else if constexpr (F::kScaleBytes == 2) *reinterpret_cast<uint16_t*>(to) = static_cast<uint16_t>(stored);
  else *to = static_cast<std::byte>(stored);
}

template <class F>
__device__ inline uint32_t load_scale(const std::byte* from) {
  if constexpr (F::kScaleBytes == 4) return *reinterpret_cast<const uint32_t*>(from);
  else if constexpr (F::kScaleBytes == 2) return *reinterpret_cast<const uint16_t*>(from);
  else return static_cast<uint32_t>(*from);
}

/// The formats, by the name that the table of codecs has for them.
#define SCHEMOE_FORMATS(EACH) \
  EACH(fp8, Fp8) EACH(e5m2, E5m2) EACH(mxfp8, Mxfp8) EACH(mxfp4, Mxfp4) EACH(int8block, Int8Block) EACH(int4, Int4)

}  // namespace schemoe::cuda::codecs
