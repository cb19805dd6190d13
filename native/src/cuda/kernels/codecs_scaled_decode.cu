// Codes that share scales in blocks of columns back to rows.
#include "cuda/kernels/codecs_scaled_codes.cuh"

namespace schemoe::cuda::codecs {

namespace {

/// V codes from the wire at once.
template <class F, int V>
__device__ void load_codes(uint32_t (&words)[2], const std::byte* from) {
  constexpr int kBytes = V * F::kBits / 8;
  if constexpr (kBytes == 8) {
    const uint2 both = *reinterpret_cast<const uint2*>(from);
    words[0] = both.x, words[1] = both.y;
  } else if constexpr (kBytes == 4) {
    words[0] = *reinterpret_cast<const uint32_t*>(from);
  } else {
    words[0] = *reinterpret_cast<const uint16_t*>(from);
  }
}

template <class T, class F>
__global__ void __launch_bounds__(32 * kWarps) decode_wide_kernel(T* x, const std::byte* wire, Shape s) {
  using Layout = RowLayout<F>;
  constexpr int V = kVector<T>, kStep = kPieces * kPiece<T>;
  const int64_t lane = static_cast<int64_t>(threadIdx.x % 32) * V;
  each_line(s, [&](const Line& line, int64_t part) {
    const std::byte* row = wire + line.block * s.block_bytes + line.line * Layout::bytes(s.columns);
    const std::byte* scales = row + Layout::scales_at(s.columns);
    for (int64_t begin = part * kStep + lane; begin < s.columns; begin += kStep << s.shift) {
      uint32_t words[kPieces][2], stored[kPieces];
#pragma unroll
      for (int u = 0; u < kPieces; ++u) {
        const int64_t j = begin + u * kPiece<T>;
        if (j >= s.columns) break;
        load_codes<F, V>(words[u], row + j * F::kBits / 8);
        stored[u] = load_scale<F>(scales + j / F::kBlock * F::kScaleBytes);
      }
#pragma unroll
      for (int u = 0; u < kPieces; ++u) {
        const int64_t j = begin + u * kPiece<T>;
        if (j >= s.columns) break;
        const float scale = F::stored(stored[u]);
        float v[V];
        values_of<F, V>(v, words[u]);
#pragma unroll
        for (int i = 0; i < V; ++i) v[i] = __fmul_rn(v[i], scale);
        store(x + line.x + j, v);
      }
    }
  });
}

/// Unaligned bytes: one lane per block of columns, byte by byte.
template <class T, class F>
__global__ void __launch_bounds__(32 * kWarps) decode_any_kernel(T* x, const std::byte* wire, Shape s) {
  using Layout = RowLayout<F>;
  each_line(s, [&](const Line& line, int64_t) {
    const std::byte* row = wire + line.block * s.block_bytes + line.line * Layout::bytes(s.columns);
    T* values = x + line.x;
    for (int64_t block = threadIdx.x % 32; block * F::kBlock < s.columns; block += 32) {
      const int64_t begin = block * F::kBlock, end = min(begin + F::kBlock, s.columns);
      const std::byte* stored = row + Layout::scales_at(s.columns) + block * F::kScaleBytes;
      uint32_t bits = 0;
      for (int i = 0; i < F::kScaleBytes; ++i) bits |= static_cast<uint32_t>(stored[i]) << (8 * i);
      const float scale = F::stored(bits);
      for (int64_t j = begin; j < end; ++j) {
        const auto byte = static_cast<uint32_t>(row[j * F::kBits / 8]);
        const uint32_t code = F::kBits == 8 ? byte : byte >> (j % 2 * 4) & 0xf;
        from_float(values[j], __fmul_rn(F::value(code), scale));
      }
    }
  });
}

template <class F>
void decode(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) {
    using T = decltype(element);
    auto* x = context.at<T>(c.x);
    const auto* wire = context.at<const std::byte>(c.wire);
    // Rows on the wire are whole multiples of 16 bytes.
    if (!wide(c, s, context, 2)) {
      LAUNCH(context.stream, grid_for(s), 32 * kWarps, 0, (decode_any_kernel<T, F>), x, wire, s);
      return;
    }
    const Shape rows = shared(s, kPieces * kPiece<T>);
    LAUNCH(context.stream, grid_for(rows), 32 * kWarps, 0, (decode_wide_kernel<T, F>), x, wire, rows);
  });
}

}  // namespace

#define SCHEMOE_FORMAT(name, F) \
  void decode_##name(const Codec& c, const Shape& s, const Context& context) { decode<F>(c, s, context); }

SCHEMOE_FORMATS(SCHEMOE_FORMAT)

}  // namespace schemoe::cuda::codecs
