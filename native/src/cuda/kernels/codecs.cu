// Rows to the bytes of a wire and back, bit for bit as the CPU engine does it.
#include <cuda_fp16.h>

#include <cmath>
#include <type_traits>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8;
/// Elements of a lane at a time: 16 bytes, so that a warp's accesses lie side by side.
template <class T>
constexpr int kWide = kVector<T>;

struct Shape {
  int64_t lines, rows, columns;  // lines of a block, and of a group
  int64_t blocks, block_stride, group_stride, row_stride, block_bytes;
};

/// Where line `index` over all blocks begins in X, and its block and place in the wire.
struct Line {
  int64_t block, line, x;
  __device__ Line(const Shape& s, int64_t index) {
    block = index / s.lines;
    line = index - block * s.lines;
    const int64_t group = line / s.rows;
    x = block * s.block_stride + group * s.group_stride + (line - group * s.rows) * s.row_stride;
  }
};

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

/// Two bytes a value. A warp has a row.
template <class T, class Format, int V, bool kEncode>
__global__ void __launch_bounds__(32 * kWarps) narrow_kernel(T* x, std::byte* wire, Shape s) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; index < s.lines * s.blocks;
       index += int64_t{gridDim.x} * kWarps) {
    const Line line(s, index);
    T* row = x + line.x;
    std::byte* bytes = wire + line.block * s.block_bytes + line.line * s.columns * 2;
#pragma unroll 4
    for (int64_t j = lane * V; j < s.columns; j += 32 * V) {
      float values[V];
      uint16_t bits[V];
      if constexpr (kEncode) {
        load(values, row + j);
#pragma unroll
        for (int i = 0; i < V; ++i) bits[i] = Format::bits(values[i]);
        store_bits(bytes + 2 * j, bits);
      } else {
        load_bits(bits, bytes + 2 * j);
#pragma unroll
        for (int i = 0; i < V; ++i) values[i] = Format::value(bits[i]);
        store(row + j, values);
      }
    }
  }
}

/// Elements as they are.
template <class Unit, bool kEncode>
__global__ void __launch_bounds__(32 * kWarps) plain_kernel(std::byte* x, std::byte* wire, Shape s, int64_t size) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  const int64_t units = s.columns * size / static_cast<int64_t>(sizeof(Unit));
  for (int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; index < s.lines * s.blocks;
       index += int64_t{gridDim.x} * kWarps) {
    const Line line(s, index);
    auto* row = reinterpret_cast<Unit*>(x + line.x * size);
    auto* bytes = reinterpret_cast<Unit*>(wire + line.block * s.block_bytes + line.line * s.columns * size);
    const Unit* from = kEncode ? row : bytes;
    Unit* to = kEncode ? bytes : row;
#pragma unroll 4
    for (int64_t j = lane; j < units; j += 32) to[j] = from[j];
  }
}

struct Scale {
  float min, step;
};

/// Quotients by the step of a row: what a flat row, a usual one and any other need. The block agrees on one.
struct FlatQuotient {
  __device__ float operator()(float) const { return -INFINITY; }  // level 0
};

/// Correctly rounded with the rounded reciprocal and one remainder (Markstein, "Computation of
/// elementary functions on the IBM RISC System/6000", 1990), where neither can overflow or underflow.
struct UsualQuotient {
  float step, inverse;
  static __device__ bool fits(float step) { return step > 0x1p-60f && step < 0x1p60f; }
  __device__ float operator()(float x) const {
    const float near = __fmul_rn(x, inverse);
    return __fmaf_rn(__fmaf_rn(-near, step, x), inverse, near);
  }
};

struct AnyQuotient {
  float step;
  __device__ float operator()(float x) const { return __fdiv_rn(x, step); }
};

template <class Body>
__device__ void with_quotient(float step, Body&& body) {
  if (UsualQuotient::fits(step)) return body(UsualQuotient{step, __fdiv_rn(1.0f, step)});
  if (step == 0.0f) return body(FlatQuotient{});
  body(AnyQuotient{step});
}

// The numbers among the two, as comparing with `<` gives them; which of two zeros does not matter.
__device__ void lower(float& most, float value) { most = fminf(most, value); }
__device__ void higher(float& most, float value) { most = fmaxf(most, value); }

/// Of the least and the largest value of a row.
__device__ Scale scale_of(float low, float high) {
  // Which of two zeros is found depends on the order of comparing; adding zero makes it +0.
  low = __fadd_rn(low, 0.0f);
  return {low, __fdiv_rn(__fsub_rn(high, low), 255.0f)};
}

/// From all values of a block; every thread gets it.
template <int kThreads>
__device__ Scale scale_of(float low, float high, int64_t columns) {
  __shared__ float lows[kThreads / 32], highs[kThreads / 32];
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    lower(low, __shfl_xor_sync(kAllLanes, low, step));
    higher(high, __shfl_xor_sync(kAllLanes, high, step));
  }
  __syncthreads();  // the values of the row before may still be read
  if (threadIdx.x % 32 == 0) lows[threadIdx.x / 32] = low, highs[threadIdx.x / 32] = high;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < kThreads / 32; ++i) lower(low, lows[i]), higher(high, highs[i]);
  return columns == 0 ? Scale{0.0f, 0.0f} : scale_of(low, high);
}

/// The level of a value in the lowest byte; the others are of no use. Added to 2^23, a value rounded
/// down is its whole part in the last bits of the sum, which is faster than a conversion.
template <class Quotient>
__device__ uint32_t quantize(float x, float min, const Quotient& quotient) {
  const float level = __fadd_rn(quotient(__fsub_rn(x, min)), 0.5f);
  return __float_as_uint(__fadd_rd(fminf(fmaxf(level, 0.0f), 255.0f), 0x1p23f));
}

/// The lowest bytes of four words.
__device__ uint32_t lowest_bytes(const uint32_t* words) {
  return __byte_perm(__byte_perm(words[0], words[1], 0x0040), __byte_perm(words[2], words[3], 0x0040), 0x5410);
}

/// A block has a row; the first kKept pieces of it stay in registers between looking and writing.
template <class T, int V, int kThreads>
__global__ void __launch_bounds__(kThreads, 1024 / kThreads) encode_int8_kernel(const T* x, std::byte* wire, Shape s) {
  constexpr int kKept = 4;
  for (int64_t index = blockIdx.x; index < s.lines * s.blocks; index += gridDim.x) {
    const Line line(s, index);
    const T* row = x + line.x;
    float kept[kKept][V];
    float low = INFINITY, high = -INFINITY;
#pragma unroll
    for (int p = 0; p < kKept; ++p) {
      const int64_t j = (p * kThreads + threadIdx.x) * V;
      if (j >= s.columns) break;
      load(kept[p], row + j);
#pragma unroll
      for (int i = 0; i < V; ++i) lower(low, kept[p][i]), higher(high, kept[p][i]);
    }
    for (int64_t j = (kKept * kThreads + threadIdx.x) * int64_t{V}; j < s.columns; j += kThreads * V) {
      float v[V];
      load(v, row + j);
#pragma unroll
      for (int i = 0; i < V; ++i) lower(low, v[i]), higher(high, v[i]);
    }
    const Scale scale = scale_of<kThreads>(low, high, s.columns);
    std::byte* block = wire + line.block * s.block_bytes;
    if (threadIdx.x == 0) {
      // Byte by byte: a wire may begin anywhere.
      const auto* bytes = reinterpret_cast<const std::byte*>(&scale);
      for (int i = 0; i < 8; ++i) block[line.line * 8 + i] = bytes[i];
    }
    std::byte* to = block + s.lines * 8 + line.line * s.columns;
    with_quotient(scale.step, [&](auto quotient) {
      const auto write = [&](const float(&v)[V], int64_t j) {
        uint32_t levels[V];
#pragma unroll
        for (int i = 0; i < V; ++i) levels[i] = quantize(v[i], scale.min, quotient);
        if constexpr (V == 8) {
          *reinterpret_cast<uint2*>(to + j) = make_uint2(lowest_bytes(levels), lowest_bytes(levels + 4));
        } else {
#pragma unroll
          for (int i = 0; i < V; ++i) to[j + i] = static_cast<std::byte>(levels[i] & 0xffu);
        }
      };
#pragma unroll
      for (int p = 0; p < kKept; ++p) {
        const int64_t j = (p * kThreads + threadIdx.x) * V;
        if (j >= s.columns) break;
        write(kept[p], j);
      }
      for (int64_t j = (kKept * kThreads + threadIdx.x) * int64_t{V}; j < s.columns; j += kThreads * V) {
        float v[V];
        load(v, row + j);
        write(v, j);
      }
    });
  }
}

/// The numbers among elements as they lie in memory: least and largest.
template <class T>
struct Range {
  float least = INFINITY, most = -INFINITY;
  __device__ void take(const uint4& bits) {
    const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) lower(least, __uint_as_float(words[i])), higher(most, __uint_as_float(words[i]));
  }
  __device__ float low() const { return least; }
  __device__ float high() const { return most; }
};

/// Two at a time.
template <>
struct Range<bf16> {
  __nv_bfloat162 least = __float2bfloat162_rn(INFINITY), most = __float2bfloat162_rn(-INFINITY);
  __device__ void take(const uint4& bits) {
    const uint32_t words[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const auto pair = reinterpret_cast<const __nv_bfloat162&>(words[i]);
      least = __hmin2(least, pair), most = __hmax2(most, pair);
    }
  }
  __device__ float low() const { return fminf(__low2float(least), __high2float(least)); }
  __device__ float high() const { return fmaxf(__low2float(most), __high2float(most)); }
};

__device__ float add_saturated(float a, float b) {
  float sum;
  asm("add.rn.sat.f32 %0, %1, %2;" : "=f"(sum) : "f"(a), "f"(b));
  return sum;
}

/// Levels of a usual row, as `quantize` gives them. All is 2^-8 of what it is there, which changes no
/// bit of a fraction, so that clamping to 0..1 comes with the addition and also makes NaN 0.
struct Levels {
  float min, step, inverse;
  static __device__ Levels of(const Scale& scale) {
    return {scale.min, scale.step * 0x1p8f, __fdiv_rn(1.0f, scale.step) * 0x1p-8f};
  }
  __device__ uint32_t operator()(float value) const {
    const float x = __fsub_rn(value, min), near = __fmul_rn(x, inverse);
    const float quotient = __fmaf_rn(__fmaf_rn(-near, step, x), inverse, near);
    return __float_as_uint(__fadd_rd(add_saturated(quotient, 0x1p-9f), 0x1p15f));
  }
};

/// Stores the lowest bytes.
__device__ void store_levels(std::byte* to, const uint32_t (&levels)[4]) {
  *reinterpret_cast<uint32_t*>(to) = lowest_bytes(levels);
}
__device__ void store_levels(std::byte* to, const uint32_t (&levels)[8]) {
  *reinterpret_cast<uint2*>(to) = make_uint2(lowest_bytes(levels), lowest_bytes(levels + 4));
}

/// W warps have a row and keep all of it in registers, K pieces of 16 bytes a thread: every byte is read
/// once, and all of them are under way at once.
template <class T, int K, int W>
__global__ void __launch_bounds__(std::max(4, W) * 32) encode_kept_kernel(const T* x, std::byte* wire, Shape s) {
  constexpr int V = kVector<T>;
  constexpr int kRows = W < 4 ? 4 / W : 1;
  const int warp = static_cast<int>(threadIdx.x / 32), place = warp % W * 32 + static_cast<int>(threadIdx.x % 32);
  const int64_t index = int64_t{blockIdx.x} * kRows + warp / W;
  const bool mine = index < s.lines * s.blocks;
  const Line line(s, mine ? index : 0);
  const int64_t columns = mine ? s.columns : 0;
  const T* row = x + line.x;
  Raw<T, V> raw[K];
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int64_t j = (k * 32 * W + place) * V;
    if (j < columns) raw[k].read(row + j);
  }
  Range<T> range;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    if ((k * 32 * W + place) * V < columns) range.take(raw[k].bits);
  }
  float low = range.low(), high = range.high();
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    lower(low, __shfl_xor_sync(kAllLanes, low, step));
    higher(high, __shfl_xor_sync(kAllLanes, high, step));
  }
  if constexpr (W > 1) {
    __shared__ float lows[kRows * W], highs[kRows * W];
    if (threadIdx.x % 32 == 0) lows[warp] = low, highs[warp] = high;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < W; ++i) lower(low, lows[warp / W * W + i]), higher(high, highs[warp / W * W + i]);
  }
  if (!mine) return;
  const Scale scale = scale_of(low, high);
  std::byte* block = wire + line.block * s.block_bytes;
  if (place == 0) reinterpret_cast<float2*>(block)[line.line] = make_float2(scale.min, scale.step);
  std::byte* to = block + s.lines * 8 + line.line * s.columns;
  const auto write = [&](auto level) {
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const int64_t j = (k * 32 * W + place) * V;
      if (j >= columns) break;
      float v[V];
      uint32_t levels[V];
      raw[k].unpack(v);
#pragma unroll
      for (int i = 0; i < V; ++i) levels[i] = level(v[i]);
      store_levels(to + j, levels);
    }
  };
  if (UsualQuotient::fits(scale.step)) return write(Levels::of(scale));
  if (scale.step == 0.0f) return write([](float) { return 0u; });
  write([&](float value) { return quantize(value, scale.min, AnyQuotient{scale.step}); });
}

/// Where all bytes are aligned: a row is decoded by a warp, kAtOnce pieces being under way at once.
template <class T>
__global__ void __launch_bounds__(32 * kWarps) decode_wide_kernel(T* x, const std::byte* wire, Shape s) {
  constexpr int V = kVector<T>, kAtOnce = 8;
  using Bytes = std::conditional_t<V == 8, uint2, uint32_t>;
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; index < s.lines * s.blocks;
       index += int64_t{gridDim.x} * kWarps) {
    const Line line(s, index);
    const std::byte* block = wire + line.block * s.block_bytes;
    const std::byte* from = block + s.lines * 8 + line.line * s.columns;
    T* row = x + line.x;
    const float2 scale = reinterpret_cast<const float2*>(block)[line.line];
    const float min = scale.x, step = scale.y;
    // `product` is given 2^23 + q.
    const auto decode = [&](auto product) {
      for (int64_t begin = lane * V; begin < s.columns; begin += kAtOnce * 32 * V) {
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
            v[i] = __fadd_rn(min, product(sum));
          }
          store(row + j, v);
        }
      }
    };
    // With a step that is neither huge nor negative, (2^23 + q) step - 2^23 step, rounded once, is q step.
    if (__float_as_uint(step) < __float_as_uint(0x1p100f)) {
      const float base = -step * 0x1p23f;
      decode([&](float sum) { return __fmaf_rn(sum, step, base); });
    } else {
      decode([&](float sum) { return __fmul_rn(__fsub_rn(sum, 0x1p23f), step); });
    }
  }
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
      const float v[1] = {__fadd_rn(min, __fmul_rn(static_cast<float>(static_cast<uint8_t>(from[j])), step))};
      store(row + j, v);
    }
  }
}

/// Whether all rows and all pieces of the wire can be moved 8 elements at a time.
bool wide(const Codec& c, const Shape& s, const Context& context, int64_t wire_element) {
  const int64_t size = element_bytes(c.dtype);
  const int64_t unit = 8 * wire_element;  // bytes of 8 elements on the wire
  const auto all = [](int64_t by, std::initializer_list<int64_t> values) {
    return std::all_of(values.begin(), values.end(), [&](int64_t value) { return value % by == 0; });
  };
  const auto wire = static_cast<int64_t>(reinterpret_cast<uintptr_t>(context.at<std::byte>(c.wire)));
  // Scales in front of int8 rows take 8 bytes each.
  return c.columns % 8 == 0 && aligned(context.at<std::byte>(c.x)) &&
         all(16, {s.block_stride * size, s.group_stride * size, s.row_stride * size}) &&
         all(unit, {wire, s.block_bytes});
}

template <class T, class Format, bool kEncode>
void narrow(const Codec& c, const Shape& s, const Context& context, unsigned grid) {
  auto* x = context.at<T>(c.x);
  auto* wire = context.at<std::byte>(c.wire);
  if (wide(c, s, context, 2)) {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, (narrow_kernel<T, Format, kWide<T>, kEncode>), x, wire, s);
  } else {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, (narrow_kernel<T, Format, 1, kEncode>), x, wire, s);
  }
}

template <bool kEncode>
void plain(const Codec& c, const Shape& s, const Context& context, unsigned grid) {
  const int64_t size = element_bytes(c.dtype);
  auto* x = context.at<std::byte>(c.x);
  auto* wire = context.at<std::byte>(c.wire);
  const auto bits = static_cast<int64_t>(reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(wire)) |
                    s.columns * size | s.row_stride * size | s.group_stride * size | s.block_stride * size |
                    s.block_bytes;
  if (bits % 16 == 0) {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, (plain_kernel<uint4, kEncode>), x, wire, s, size);
  } else if (bits % 4 == 0) {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, (plain_kernel<uint32_t, kEncode>), x, wire, s, size);
  } else {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, (plain_kernel<uint8_t, kEncode>), x, wire, s, size);
  }
}

template <class T, int K, int W>
void encode_kept(const T* x, std::byte* wire, const Shape& s, cudaStream_t stream) {
  constexpr int kThreads = std::max(4, W) * 32;
  LAUNCH(stream, grid_of(ceil_div(s.lines * s.blocks * W * 32, kThreads)), kThreads, 0, (encode_kept_kernel<T, K, W>), x,
         wire, s);
}

template <class T>
void encode_int8(const Codec& c, const Shape& s, const Context& context) {
  const auto* x = context.at<const T>(c.x);
  auto* wire = context.at<std::byte>(c.wire);
  const unsigned grid = grid_of(s.lines * s.blocks);
  const int64_t pieces = ceil_div(s.columns, kVector<T> * 32);  // of a warp
  if (!wide(c, s, context, 1) || s.columns == 0) {
    LAUNCH(context.stream, grid, 256, 0, (encode_int8_kernel<T, 1, 256>), x, wire, s);
  } else if (pieces > 128 || s.lines * s.blocks > INT32_MAX) {
    LAUNCH(context.stream, grid, 128, 0, (encode_int8_kernel<T, 8, 128>), x, wire, s);
  } else if (pieces > 64) {
    encode_kept<T, 8, 16>(x, wire, s, context.stream);
  } else if (pieces > 32) {
    encode_kept<T, 8, 8>(x, wire, s, context.stream);
  } else if (pieces > 16) {
    encode_kept<T, 8, 4>(x, wire, s, context.stream);
  } else if (pieces > 8) {
    encode_kept<T, 16, 1>(x, wire, s, context.stream);
  } else if (pieces > 4) {
    encode_kept<T, 8, 1>(x, wire, s, context.stream);
  } else {
    encode_kept<T, 4, 1>(x, wire, s, context.stream);
  }
}

template <class T>
void decode_int8(const Codec& c, const Shape& s, const Context& context, unsigned grid) {
  auto* x = context.at<T>(c.x);
  const auto* wire = context.at<const std::byte>(c.wire);
  if (wide(c, s, context, 1)) {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, decode_wide_kernel<T>, x, wire, s);
  } else {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, decode_int8_kernel<T>, x, wire, s);
  }
}

template <bool kEncode>
void code(const Codec& c, const Context& context) {
  const Shape s{c.groups * c.rows, c.rows, c.columns, c.blocks, c.block_stride, c.group_stride, c.row_stride,
                c.block_bytes};
  // Rows without columns take wire only for their scales.
  if (s.lines == 0 || s.blocks == 0 || (c.columns == 0 && c.codec != SCHEMOE_CODEC_INT8)) return;
  const unsigned grid = grid_of(ceil_div(s.lines * s.blocks, kWarps));
  with_type(c.dtype, [&](auto element) {
    using T = decltype(element);
    switch (c.codec) {
      case SCHEMOE_CODEC_NONE: return plain<kEncode>(c, s, context, grid);
      case SCHEMOE_CODEC_FP16: return narrow<T, Fp16, kEncode>(c, s, context, grid);
      case SCHEMOE_CODEC_BF16: return narrow<T, Bf16, kEncode>(c, s, context, grid);
      case SCHEMOE_CODEC_INT8:
        if constexpr (kEncode) return encode_int8<T>(c, s, context);
        else return decode_int8<T>(c, s, context, grid);
    }
  });
}

}  // namespace

void run(const Encode& c, const Context& context) { code<true>(c, context); }
void run(const Decode& c, const Context& context) { code<false>(c, context); }

}  // namespace schemoe::cuda
