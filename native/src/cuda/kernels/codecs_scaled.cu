// Rows to codes that share scales in blocks of columns, and back: neighbouring lanes have a block, each a vector of it.
#include "codecs/scaled_formats.h"
#include "cuda/kernels/codecs.cuh"

#include <cuda_fp16.h>
#include <cuda_fp8.h>

namespace schemoe::cuda::codecs {

namespace {

using namespace schemoe::codecs;

/// Pieces of a lane that are under way at once.
constexpr int kAtOnce = 4;

/// Numbers of the rows, on which random bits depend.
struct Numbers {
  uint64_t seed;
  int64_t first, block_step, group_step;
  __device__ uint64_t of(const Shape& s, const Line& line) const {
    const int64_t group = line.line / s.rows;
    return static_cast<uint64_t>(first + line.block * block_step + group * group_step + line.line - group * s.rows);
  }
};

/// The code of a value; for e4m3 and e5m2 to nearest the GPU's own conversion, which gives the same bits.
template <class F>
__device__ uint32_t code_of(float x, const Scale& scale, bool odd) {
  if constexpr (std::is_base_of_v<Fp8, F>) {
    if (!odd) return __nv_cvt_float_to_fp8(__fmul_rn(x, scale.inverse), __NV_SATFINITE, __NV_E4M3);
  } else if constexpr (std::is_same_v<F, E5m2>) {
    if (!odd) return __nv_cvt_float_to_fp8(__fmul_rn(x, scale.inverse), __NV_SATFINITE, __NV_E5M2);
  }
  return F::code(x, scale, false, 0);
}

template <class F>
__device__ float value_of(uint32_t code) {
  if constexpr (std::is_base_of_v<Fp8, F> || std::is_same_v<F, E5m2>) {
    constexpr auto kKind = std::is_same_v<F, E5m2> ? __NV_E5M2 : __NV_E4M3;
    return __half2float(__half(__nv_cvt_fp8_to_halfraw(static_cast<__nv_fp8_storage_t>(code), kKind)));
  } else {
    return F::value(code);
  }
}

/// V codes to the wire, or from it, at once.
template <class F, int V>
__device__ void store_codes(std::byte* to, const uint32_t (&codes)[V]) {
  uint32_t words[2] = {0, 0};
#pragma unroll
  for (int i = 0; i < V; ++i) words[i * F::kBits / 32] |= codes[i] << (i * F::kBits % 32);
  constexpr int kBytes = V * F::kBits / 8;
  if constexpr (kBytes == 8) *reinterpret_cast<uint2*>(to) = make_uint2(words[0], words[1]);
  else if constexpr (kBytes == 4) *reinterpret_cast<uint32_t*>(to) = words[0];
  else *reinterpret_cast<uint16_t*>(to) = static_cast<uint16_t>(words[0]);
}

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

template <class F>
__device__ void store_scale(std::byte* to, uint32_t stored) {
  if constexpr (F::kScaleBytes == 4) *reinterpret_cast<uint32_t*>(to) = stored;
  else if constexpr (F::kScaleBytes == 2) *reinterpret_cast<uint16_t*>(to) = static_cast<uint16_t>(stored);
  else *to = static_cast<std::byte>(stored);
}

template <class F>
__device__ uint32_t load_scale(const std::byte* from) {
  if constexpr (F::kScaleBytes == 4) return *reinterpret_cast<const uint32_t*>(from);
  else if constexpr (F::kScaleBytes == 2) return *reinterpret_cast<const uint16_t*>(from);
  else return static_cast<uint32_t>(*from);
}

/// What lies behind the codes and the scales of a row is zero.
template <class F>
__device__ void pad_row(std::byte* row, int64_t columns, int64_t lane) {
  using Layout = RowLayout<F>;
  for (int64_t i = Layout::code_bytes(columns) + lane; i < Layout::scales_at(columns); i += 32) row[i] = std::byte{0};
  const int64_t end = Layout::scales_at(columns) + Layout::blocks(columns) * F::kScaleBytes;
  for (int64_t i = end + lane; i < Layout::bytes(columns); i += 32) row[i] = std::byte{0};
}

template <class T, class F, bool kRandom>
__global__ void __launch_bounds__(32 * kWarps) encode_wide_kernel(const T* x, std::byte* wire, Shape s, Numbers numbers) {
  using Layout = RowLayout<F>;
  constexpr int V = kVector<T>, kStep = 32 * V, kLanes = F::kBlock / V;
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  each_line(s, [&](const Line& line, int64_t part) {
    std::byte* row = wire + line.block * s.block_bytes + line.line * Layout::bytes(s.columns);
    std::byte* scales = row + Layout::scales_at(s.columns);
    if (part == 0) pad_row<F>(row, s.columns, lane);
    // All lanes of a warp take part in each step, whether they have columns or not.
    for (int64_t begin = part * kAtOnce * kStep; begin < s.columns; begin += kAtOnce * kStep << s.shift) {
      Raw<T, V> raw[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        const int64_t j = begin + u * kStep + lane * V;
        if (j < s.columns) raw[u].read(x + line.x + j);
        else raw[u].bits = make_uint4(0, 0, 0, 0);
      }
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        const int64_t j = begin + u * kStep + lane * V;
        float v[V];
        raw[u].unpack(v);
        uint32_t most = 0, all = 0;
#pragma unroll
        for (int i = 0; i < V; ++i) {
          const uint32_t magnitude = magnitude_of(v[i]);
          all = max(all, magnitude);
          most = max(most, magnitude < kInfinity ? magnitude : 0);
        }
#pragma unroll
        for (int step = kLanes / 2; step > 0; step /= 2) {
          most = max(most, __shfl_xor_sync(kAllLanes, most, step));
          all = max(all, __shfl_xor_sync(kAllLanes, all, step));
        }
        if (j >= s.columns) continue;
        const bool odd = all >= kInfinity;
        const Scale scale = F::scale(float_of(most), odd);
        uint32_t codes[V];
#pragma unroll
        for (int i = 0; i < V; ++i) {
          if constexpr (!kRandom) codes[i] = code_of<F>(v[i], scale, odd);
        }
        if constexpr (kRandom) {
          const uint64_t number = numbers.of(s, line);
#pragma unroll
          for (int i = 0; i < V; i += normals::kBlock) {
            constexpr uint32_t kCodec = 0x636f6465u;
            const auto words = normals::block_words(numbers.seed, number, static_cast<uint32_t>((j + i) / normals::kBlock), kCodec);
#pragma unroll
            for (int k = 0; k < normals::kBlock; ++k) codes[i + k] = F::code(v[i + k], scale, true, words.word[k]);
          }
        }
        store_codes<F, V>(row + j * F::kBits / 8, codes);
        if (lane % kLanes == 0) store_scale<F>(scales + j / F::kBlock * F::kScaleBytes, scale.stored);
      }
    }
  });
}

template <class T, class F>
__global__ void __launch_bounds__(32 * kWarps) decode_wide_kernel(T* x, const std::byte* wire, Shape s) {
  using Layout = RowLayout<F>;
  constexpr int V = kVector<T>, kStep = 32 * V;
  const int64_t lane = static_cast<int64_t>(threadIdx.x % 32) * V;
  each_line(s, [&](const Line& line, int64_t part) {
    const std::byte* row = wire + line.block * s.block_bytes + line.line * Layout::bytes(s.columns);
    const std::byte* scales = row + Layout::scales_at(s.columns);
    for (int64_t begin = part * kAtOnce * kStep + lane; begin < s.columns; begin += kAtOnce * kStep << s.shift) {
      uint32_t words[kAtOnce][2], stored[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        const int64_t j = begin + u * kStep;
        if (j >= s.columns) break;
        load_codes<F, V>(words[u], row + j * F::kBits / 8);
        stored[u] = load_scale<F>(scales + j / F::kBlock * F::kScaleBytes);
      }
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        const int64_t j = begin + u * kStep;
        if (j >= s.columns) break;
        const float scale = F::stored(stored[u]);
        float v[V];
#pragma unroll
        for (int i = 0; i < V; ++i) {
          constexpr uint32_t kMask = (1u << F::kBits) - 1;
          v[i] = __fmul_rn(value_of<F>(words[u][i * F::kBits / 32] >> (i * F::kBits % 32) & kMask), scale);
        }
        store(x + line.x + j, v);
      }
    }
  });
}

/// Unaligned bytes: one lane per block of columns, byte by byte.
template <class T, class F, bool kEncode>
__global__ void __launch_bounds__(32 * kWarps) any_kernel(T* x, std::byte* wire, Shape s, Numbers numbers) {
  using Layout = RowLayout<F>;
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  each_line(s, [&](const Line& line, int64_t) {
    std::byte* row = wire + line.block * s.block_bytes + line.line * Layout::bytes(s.columns);
    if constexpr (kEncode) pad_row<F>(row, s.columns, lane);
    for (int64_t block = lane; block * F::kBlock < s.columns; block += 32) {
      const int64_t begin = block * F::kBlock, end = min(begin + F::kBlock, s.columns);
      std::byte* stored = row + Layout::scales_at(s.columns) + block * F::kScaleBytes;
      T* values = x + line.x;
      if constexpr (kEncode) {
        uint32_t most = 0;
        bool odd = false;
        for (int64_t j = begin; j < end; ++j) {
          const uint32_t magnitude = magnitude_of(to_float(values[j]));
          if (magnitude >= kInfinity) odd = true;
          else most = max(most, magnitude);
        }
        const Scale scale = F::scale(float_of(most), odd);
        for (int i = 0; i < F::kScaleBytes; ++i) stored[i] = static_cast<std::byte>(scale.stored >> (8 * i) & 0xff);
        const uint64_t number = numbers.seed ? numbers.of(s, line) : 0;
        uint32_t before = 0;
        for (int64_t j = begin; j < end; ++j) {
          const uint32_t word = numbers.seed ? random_word(numbers.seed, number, j) : 0;
          const uint32_t code = F::code(to_float(values[j]), scale, numbers.seed != 0, word);
          if constexpr (F::kBits == 8) {
            row[j] = static_cast<std::byte>(code);
          } else {
            // Blocks begin at even columns.
            row[j / 2] = static_cast<std::byte>(j % 2 == 0 ? code : before | code << 4);
            before = code;
          }
        }
      } else {
        uint32_t bits = 0;
        for (int i = 0; i < F::kScaleBytes; ++i) bits |= static_cast<uint32_t>(stored[i]) << (8 * i);
        const float scale = F::stored(bits);
        for (int64_t j = begin; j < end; ++j) {
          const auto byte = static_cast<uint32_t>(row[j * F::kBits / 8]);
          const uint32_t code = F::kBits == 8 ? byte : byte >> (j % 2 * 4) & 0xf;
          from_float(values[j], __fmul_rn(F::value(code), scale));
        }
      }
    }
  });
}

template <class F, bool kEncode>
void scaled(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) {
    using T = decltype(element);
    auto* x = context.at<T>(c.x);
    auto* wire = context.at<std::byte>(c.wire);
    const Numbers numbers{c.seed, c.first_number, c.block_step, c.group_step};
    // Rows on the wire are whole multiples of 16 bytes.
    if (!wide(c, s, context, 2)) {
      LAUNCH(context.stream, grid_for(s), 32 * kWarps, 0, (any_kernel<T, F, kEncode>), x, wire, s, numbers);
      return;
    }
    const Shape rows = shared(s, kAtOnce * 32 * kVector<T>);
    if constexpr (!kEncode) {
      LAUNCH(context.stream, grid_for(rows), 32 * kWarps, 0, (decode_wide_kernel<T, F>), x, wire, rows);
    } else if (c.seed) {
      LAUNCH(context.stream, grid_for(rows), 32 * kWarps, 0, (encode_wide_kernel<T, F, true>), x, wire, rows, numbers);
    } else {
      LAUNCH(context.stream, grid_for(rows), 32 * kWarps, 0, (encode_wide_kernel<T, F, false>), x, wire, rows, numbers);
    }
  });
}

}  // namespace

#define SCHEMOE_FORMAT(name, F)                                                                                 \
  void encode_##name(const Codec& c, const Shape& s, const Context& context) { scaled<F, true>(c, s, context); } \
  void decode_##name(const Codec& c, const Shape& s, const Context& context) { scaled<F, false>(c, s, context); }

SCHEMOE_FORMAT(fp8, Fp8)
SCHEMOE_FORMAT(e5m2, E5m2)
SCHEMOE_FORMAT(mxfp8, Mxfp8)
SCHEMOE_FORMAT(mxfp4, Mxfp4)
SCHEMOE_FORMAT(int8block, Int8Block)
SCHEMOE_FORMAT(int4, Int4)

}  // namespace schemoe::cuda::codecs
