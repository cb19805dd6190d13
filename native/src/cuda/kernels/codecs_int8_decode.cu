// Rows from int8.
#include <type_traits>

#include "cuda/kernels/codecs_int8.cuh"

namespace schemoe::cuda::codecs {

namespace {

/// Accesses of a lane that are under way at once.
constexpr int kAtOnce = 8;

/// Where all bytes are aligned.
template <class T>
__global__ void __launch_bounds__(32 * kWarps) decode_wide_kernel(T* x, const std::byte* wire, Shape s) {
  constexpr int V = kVector<T>;
  using Bytes = std::conditional_t<V == 8, uint2, uint32_t>;
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  each_line(s, [&](const Line& line, int64_t part) {
    const std::byte* block = wire + line.block * s.block_bytes;
    const std::byte* from = block + s.lines * 8 + line.line * s.columns;
    T* row = x + line.x;
    const float2 scale = reinterpret_cast<const float2*>(block)[line.line];
    const float min = scale.x, step = scale.y;
    // `value` is given 2^23 + q.
    const auto decode = [&](auto value) {
      for (int64_t begin = (part * kAtOnce * 32 + lane) * V; begin < s.columns; begin += kAtOnce * 32 * V << s.shift) {
        Bytes bytes[kAtOnce];
#pragma unroll
        for (int u = 0; u < kAtOnce; ++u) {
          if (const int64_t j = begin + u * 32 * V; j < s.columns) {
            bytes[u] = *reinterpret_cast<const Bytes*>(from + j);
          }
        }
#pragma unroll
        for (int u = 0; u < kAtOnce; ++u) {
          const int64_t j = begin + u * 32 * V;
          if (j >= s.columns) break;
          float v[V];
#pragma unroll
          for (int i = 0; i < V; ++i) {
            uint32_t word;
            if constexpr (V == 8) word = i < 4 ? bytes[u].x : bytes[u].y;
            else word = bytes[u];
            const float sum = __uint_as_float(__byte_perm(word, 0x4b000000u, 0x7650 + i % 4));
            v[i] = value(sum);
          }
          store(row + j, v);
        }
      }
    };
    // With a step that is neither huge nor negative, (2^23 + q) step - 2^23 step, rounded once, is q step.
    if (__float_as_uint(step) < __float_as_uint(kWideStep)) {
      const float base = -step * 0x1p23f;
      decode([&](float sum) { return __fadd_rn(min, __fmaf_rn(sum, step, base)); });
    } else if (step >= kWideStep) {
      decode([&](float sum) { return wide_value(min, __fsub_rn(sum, 0x1p23f), step); });
    } else {
      decode([&](float sum) { return __fadd_rn(min, __fmul_rn(__fsub_rn(sum, 0x1p23f), step)); });
    }
  });
}

template <class T>
__global__ void __launch_bounds__(32 * kWarps) decode_int8_kernel(T* x, const std::byte* wire, Shape s) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; index < s.lines * s.blocks;
       index += int64_t{gridDim.x} * kWarps) {
    const Line line(s, index);
    const std::byte* block = wire + line.block * s.block_bytes;
    uint32_t words[2] = {0, 0};
    for (int i = 0; i < 8; ++i) words[i / 4] |= static_cast<uint32_t>(block[line.line * 8 + i]) << (i % 4 * 8);
    const float min = __uint_as_float(words[0]), step = __uint_as_float(words[1]);
    const std::byte* from = block + s.lines * 8 + line.line * s.columns;
    T* row = x + line.x;
    for (int64_t j = lane; j < s.columns; j += 32) {
      const auto level = static_cast<float>(static_cast<uint8_t>(from[j]));
      const float v[1] = {step >= kWideStep ? wide_value(min, level, step) : __fadd_rn(min, __fmul_rn(level, step))};
      store(row + j, v);
    }
  }
}

template <class T>
void decode(const Codec& c, const Shape& s, const Context& context) {
  auto* x = context.at<T>(c.x);
  const auto* wire = context.at<const std::byte>(c.wire);
  if (wide(c, s, context, 1)) {
    const Shape rows = shared(s, kAtOnce * 32 * kVector<T>);
    LAUNCH(context.stream, grid_for(rows), 32 * kWarps, 0, decode_wide_kernel<T>, x, wire, rows);
  } else {
    LAUNCH(context.stream, grid_for(s), 32 * kWarps, 0, decode_int8_kernel<T>, x, wire, s);
  }
}

}  // namespace

void decode_int8(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) { decode<decltype(element)>(c, s, context); });
}

}  // namespace schemoe::cuda::codecs
