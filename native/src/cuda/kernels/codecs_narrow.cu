// float16 and bfloat16 on the wire.
#include <cuda_fp16.h>

#include "cuda/kernels/codecs.cuh"

namespace schemoe::cuda::codecs {

namespace {

/// Elements of a lane at a time: 16 bytes, so that a warp's accesses lie side by side.
template <class T>
constexpr int kWide = kVector<T>;

__device__ uint16_t half_bits(float value) {
  const uint32_t bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<uint16_t>((bits >> 16 & 0x8000u) | 0x7e00u | (bits >> 13 & 0x3ffu));
  }
  return __half_as_ushort(__float2half_rn(value));
}

__device__ float half_value(uint16_t bits) {
  if ((bits & 0x7fffu) > 0x7c00u) {
    return __uint_as_float((bits & 0x8000u) << 16 | 0x7fc00000u | (bits & 0x3ffu) << 13);
  }
  return __half2float(__ushort_as_half(bits));
}

__device__ uint16_t bfloat_bits(float value) {
  const uint32_t bits = __float_as_uint(value);
  const uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return static_cast<uint16_t>((nan ? bits | 0x400000u : rounded) >> 16);
}

__device__ float bfloat_value(uint16_t bits) { return __uint_as_float(uint32_t{bits} << 16); }

struct Fp16 {
  static __device__ uint16_t bits(float value) { return half_bits(value); }
  static __device__ float value(uint16_t bits) { return half_value(bits); }
};
struct Bf16 {
  static __device__ uint16_t bits(float value) { return bfloat_bits(value); }
  static __device__ float value(uint16_t bits) { return bfloat_value(bits); }
};

/// V elements of two bytes: one access where the bytes are aligned, else byte by byte.
template <int V>
__device__ void store_bits(std::byte* to, const uint16_t (&bits)[V]) {
  if constexpr (V == 4) {
    *reinterpret_cast<uint2*>(to) = make_uint2(bits[0] | uint32_t{bits[1]} << 16, bits[2] | uint32_t{bits[3]} << 16);
  } else if constexpr (V == 8) {
    uint32_t words[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) words[i] = bits[2 * i] | uint32_t{bits[2 * i + 1]} << 16;
    *reinterpret_cast<uint4*>(to) = make_uint4(words[0], words[1], words[2], words[3]);
  } else {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      to[2 * i] = static_cast<std::byte>(bits[i] & 0xff);
      to[2 * i + 1] = static_cast<std::byte>(bits[i] >> 8);
    }
  }
}

template <int V>
__device__ void load_bits(uint16_t (&bits)[V], const std::byte* from) {
  if constexpr (V == 4) {
    const uint2 v = *reinterpret_cast<const uint2*>(from);
    bits[0] = static_cast<uint16_t>(v.x), bits[1] = static_cast<uint16_t>(v.x >> 16);
    bits[2] = static_cast<uint16_t>(v.y), bits[3] = static_cast<uint16_t>(v.y >> 16);
  } else if constexpr (V == 8) {
    const uint4 v = *reinterpret_cast<const uint4*>(from);
    const uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      bits[2 * i] = static_cast<uint16_t>(words[i]);
      bits[2 * i + 1] = static_cast<uint16_t>(words[i] >> 16);
    }
  } else {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      bits[i] = static_cast<uint16_t>(static_cast<uint32_t>(from[2 * i]) | static_cast<uint32_t>(from[2 * i + 1]) << 8);
    }
  }
}

/// Accesses of a lane that are under way at once.
constexpr int kAtOnce = 4;

/// Two bytes a value.
template <class T, class Format, int V, bool kEncode>
__global__ void __launch_bounds__(32 * kWarps) narrow_kernel(T* x, std::byte* wire, Shape s) {
  const int64_t lane = static_cast<int64_t>(threadIdx.x % 32) * V;
  each_line(s, [&](const Line& line, int64_t part) {
    T* row = x + line.x;
    std::byte* bytes = wire + line.block * s.block_bytes + line.line * s.columns * 2;
    constexpr int kStep = 32 * V;
    for (int64_t begin = part * kAtOnce * kStep + lane; begin < s.columns; begin += kAtOnce * kStep << s.shift) {
      float values[kAtOnce][V];
      uint16_t bits[kAtOnce][V];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        const int64_t j = begin + u * kStep;
        if (j >= s.columns) break;
        if constexpr (kEncode) load(values[u], row + j);
        else load_bits(bits[u], bytes + 2 * j);
      }
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        const int64_t j = begin + u * kStep;
        if (j >= s.columns) break;
#pragma unroll
        for (int i = 0; i < V; ++i) {
          if constexpr (kEncode) bits[u][i] = Format::bits(values[u][i]);
          else values[u][i] = Format::value(bits[u][i]);
        }
        if constexpr (kEncode) store_bits(bytes + 2 * j, bits[u]);
        else store(row + j, values[u]);
      }
    }
  });
}

template <class T, class Format, int V, bool kEncode>
void launch(T* x, std::byte* wire, const Shape& s, cudaStream_t stream) {
  const Shape rows = shared(s, kAtOnce * 32 * V);
  LAUNCH(stream, grid_for(rows), 32 * kWarps, 0, (narrow_kernel<T, Format, V, kEncode>), x, wire, rows);
}

template <class T, class Format, bool kEncode>
void narrow(const Codec& c, const Shape& s, const Context& context) {
  auto* x = context.at<T>(c.x);
  auto* wire = context.at<std::byte>(c.wire);
  if (wide(c, s, context, 2)) launch<T, Format, kWide<T>, kEncode>(x, wire, s, context.stream);
  else launch<T, Format, 1, kEncode>(x, wire, s, context.stream);
}

template <class Format, bool kEncode>
void narrow(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) { narrow<decltype(element), Format, kEncode>(c, s, context); });
}

}  // namespace

void encode_fp16(const Codec& c, const Shape& s, const Context& context) { narrow<Fp16, true>(c, s, context); }
void decode_fp16(const Codec& c, const Shape& s, const Context& context) { narrow<Fp16, false>(c, s, context); }
void encode_bf16(const Codec& c, const Shape& s, const Context& context) { narrow<Bf16, true>(c, s, context); }
void decode_bf16(const Codec& c, const Shape& s, const Context& context) { narrow<Bf16, false>(c, s, context); }

}  // namespace schemoe::cuda::codecs
