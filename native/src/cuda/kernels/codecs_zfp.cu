// zfp at a fixed rate: a thread codes a block of 4 x 4, or two neighbours of 4 in a row, which end on a byte.
#include "codecs/sizes.h"
#include "codecs/zfp_block.h"
#include "cuda/kernels/codecs.cuh"

namespace schemoe::cuda::codecs {

namespace {

using namespace schemoe::codecs;
using namespace schemoe::codecs::zfp;

constexpr int kThreads = 128;

/// Groups of strips (1 or 4 rows) and the streams that they become.
struct Streams {
  int64_t blocks, block_stride, block_bytes;        // of the wire
  int64_t groups, group_stride, group_bytes;        // of a wire block; streams for zfp2
  int64_t rows, row_stride, columns;                // of a group
  int64_t strips, pieces;                           // of a group; threads of a strip
  int64_t strip_bytes;                              // from strip to strip
  uint32_t rate;
  int64_t lines, first_line, all_lines;             // to name a row
};

/// The part of a thread: a strip of rows, and a piece of that.
struct Place {
  int64_t block, group, strip, piece;
  __device__ Place(const Streams& s, int64_t index) {
    piece = index % s.pieces;
    index /= s.pieces;
    strip = index % s.strips;
    index /= s.strips;
    group = index % s.groups;
    block = index / s.groups;
  }
};

/// Coefficients of a block to at most `bits` bits.
template <int D, int W, int kSize>
__device__ bool encode_block(const float (&x)[kSize], uint32_t bits, BitWriter<W>& to) {
  bool finite;
  const int exponent = exponent_of(x, finite);
  if (!finite || exponent == -kBias) return finite;
  to.put(static_cast<uint32_t>(2 * (exponent + kBias) + 1), kHeader);
  Planes<kSize> planes;
  to_planes<D>(x, exponent, planes.u);
  write_planes<kSize>(to, bits - kHeader, [&] { return planes.take(); });
  return true;
}

template <int D, int W, int kSize>
__device__ void decode_block(const uint64_t (&words)[W], uint32_t bits, float (&x)[kSize]) {
  BitReader<W> from{words};
  const uint32_t header = low_bits(from.peek(), kHeader);
  if (!(header & 1u)) {
#pragma unroll
    for (int i = 0; i < kSize; ++i) x[i] = 0.0f;
    return;
  }
  from.at = kHeader;
  Planes<kSize> planes;
  const int left = 32 - read_planes<kSize>(from, bits - kHeader, [&](uint32_t plane) { planes.give(plane); });
#pragma unroll
  for (int i = 0; i < kSize; ++i) planes.u[i] = left < 32 ? planes.u[i] << left : 0;
  from_planes<D>(planes.u, static_cast<int>(header >> 1) - kBias, x);
}

/// `count` units of U bytes from the words of a block, or to them.
template <class U, int W>
__device__ void store_words(std::byte* to, const uint64_t (&words)[W], uint32_t bytes) {
  constexpr uint32_t kEach = sizeof(U);
#pragma unroll
  for (uint32_t at = 0; at < 8 * W; at += kEach) {
    if (at >= bytes) break;
    if constexpr (kEach == 16) {
      *reinterpret_cast<ulonglong2*>(to + at) = make_ulonglong2(words[at / 8], words[at / 8 + 1]);
    } else {
      *reinterpret_cast<U*>(to + at) = static_cast<U>(words[at / 8] >> (at % 8 * 8));
    }
  }
}

template <class U, int W>
__device__ void load_words(const std::byte* from, uint64_t (&words)[W], uint32_t bytes) {
  constexpr uint32_t kEach = sizeof(U);
#pragma unroll
  for (int w = 0; w < W; ++w) words[w] = 0;
#pragma unroll
  for (uint32_t at = 0; at < 8 * W; at += kEach) {
    if (at >= bytes) break;
    if constexpr (kEach == 16) {
      const auto pair = *reinterpret_cast<const ulonglong2*>(from + at);
      words[at / 8] = pair.x, words[at / 8 + 1] = pair.y;
    } else {
      words[at / 8] |= static_cast<uint64_t>(*reinterpret_cast<const U*>(from + at)) << (at % 8 * 8);
    }
  }
}

/// Four values of a row, of which `n` are there; `wide` where all rows are aligned to four.
template <class T>
__device__ void load_four(float* to, const T* from, int64_t n, bool wide) {
  if (wide && n >= 4) {
    float v[4];
    load(v, from);
#pragma unroll
    for (int i = 0; i < 4; ++i) to[i] = v[i];
    return;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) to[i] = i < n ? to_float(from[i]) : 0.0f;
  pad(to, n, 1);
}

template <class T>
__device__ void store_four(T* to, const float* from, int64_t n, bool wide) {
  if (wide && n >= 4) {
    const float v[4] = {from[0], from[1], from[2], from[3]};
    return store(to, v);
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (i < n) from_float(to[i], from[i]);
  }
}

template <class T, class U, int W>
__global__ void __launch_bounds__(kThreads) encode_zfp2_kernel(const T* x, std::byte* wire, Streams s, bool wide, Report report) {
  const int64_t total = s.blocks * s.groups * s.strips * s.pieces;
  for (int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x; index < total; index += int64_t{gridDim.x} * kThreads) {
    const Place at(s, index);
    const int64_t row = at.strip * 4, rows = min(int64_t{4}, s.rows - row), n = min(int64_t{4}, s.columns - at.piece * 4);
    const T* from = x + at.block * s.block_stride + at.group * s.group_stride + row * s.row_stride + at.piece * 4;
    float block[16];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r < rows) load_four(block + 4 * r, from + r * s.row_stride, n, wide);
    }
    if (rows < 4) {
#pragma unroll
      for (int i = 0; i < 4; ++i) pad(block + i, rows, 4);
    }
    BitWriter<W> bits;
    if (!encode_block<2>(block, 16 * s.rate, bits)) {
      int odd = 0;
#pragma unroll
      for (int i = 15; i >= 0; --i) odd = finite(block[i]) ? odd : i / 4;
      report.found(Data::rows, at.block * s.lines + s.first_line + at.group * s.rows + row + odd, s.all_lines);
    }
    bits.keep();
    std::byte* stream = wire + at.block * s.block_bytes + at.group * s.group_bytes;
    std::byte* to = stream + at.strip * s.strip_bytes + at.piece * 2 * s.rate;
    store_words<U>(to, bits.words, 2 * s.rate);
    if (at.strip == s.strips - 1 && at.piece == s.pieces - 1) {
      for (std::byte* end = to + 2 * s.rate; end < stream + s.group_bytes; ++end) *end = std::byte{0};
    }
  }
}

template <class T, class U, int W>
__global__ void __launch_bounds__(kThreads) decode_zfp2_kernel(T* x, const std::byte* wire, Streams s, bool wide) {
  const int64_t total = s.blocks * s.groups * s.strips * s.pieces;
  for (int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x; index < total; index += int64_t{gridDim.x} * kThreads) {
    const Place at(s, index);
    const int64_t row = at.strip * 4, rows = min(int64_t{4}, s.rows - row), n = min(int64_t{4}, s.columns - at.piece * 4);
    uint64_t words[W];
    load_words<U>(wire + at.block * s.block_bytes + at.group * s.group_bytes + at.strip * s.strip_bytes + at.piece * 2 * s.rate,
                  words, 2 * s.rate);
    float block[16];
    decode_block<2>(words, 16 * s.rate, block);
    T* to = x + at.block * s.block_stride + at.group * s.group_stride + row * s.row_stride + at.piece * 4;
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      if (r < rows) store_four(to + r * s.row_stride, block + 4 * r, n, wide);
    }
  }
}

/// Two blocks of a row, `rate` bytes.
template <class T>
__global__ void __launch_bounds__(kThreads) encode_zfp1_kernel(const T* x, std::byte* wire, Streams s, bool wide, Report report) {
  const int64_t total = s.blocks * s.groups * s.strips * s.pieces;
  for (int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x; index < total; index += int64_t{gridDim.x} * kThreads) {
    const Place at(s, index);
    const T* from = x + at.block * s.block_stride + at.group * s.group_stride + at.strip * s.row_stride + at.piece * 8;
    uint64_t words[2] = {0, 0};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t n = min(int64_t{4}, s.columns - at.piece * 8 - half * 4);
      if (n <= 0) break;
      float block[4];
      load_four(block, from + half * 4, n, wide);
      BitWriter<1> bits;
      if (!encode_block<1>(block, 4 * s.rate, bits)) {
        report.found(Data::rows, at.block * s.lines + s.first_line + at.group * s.rows + at.strip, s.all_lines);
      }
      bits.keep();
      if (half == 0) {
        words[0] = bits.words[0];
      } else if (s.rate == 16) {
        words[1] = bits.words[0];
      } else {
        words[0] |= bits.words[0] << (4 * s.rate);
        words[1] = bits.words[0] >> (64 - 4 * s.rate);
      }
    }
    std::byte* row = wire + at.block * s.block_bytes + at.group * s.group_bytes + at.strip * s.strip_bytes;
    std::byte* to = row + at.piece * s.rate;
    // The last one also fills the row's stream up to its end.
    const int64_t bytes = at.piece == s.pieces - 1 ? s.strip_bytes - at.piece * s.rate : s.rate;
    for (int64_t i = 0; i < bytes; ++i) {
      to[i] = static_cast<std::byte>(i < 16 ? words[i / 8] >> (i % 8 * 8) & 0xff : 0);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) decode_zfp1_kernel(T* x, const std::byte* wire, Streams s, bool wide) {
  const int64_t total = s.blocks * s.groups * s.strips * s.pieces;
  for (int64_t index = int64_t{blockIdx.x} * kThreads + threadIdx.x; index < total; index += int64_t{gridDim.x} * kThreads) {
    const Place at(s, index);
    const std::byte* from = wire + at.block * s.block_bytes + at.group * s.group_bytes + at.strip * s.strip_bytes + at.piece * s.rate;
    uint64_t both[2] = {0, 0};
    const int64_t left = s.strip_bytes - at.piece * s.rate, bytes = left < s.rate ? left : s.rate;
    for (int64_t i = 0; i < bytes; ++i) both[i / 8] |= static_cast<uint64_t>(from[i]) << (i % 8 * 8);
    T* to = x + at.block * s.block_stride + at.group * s.group_stride + at.strip * s.row_stride + at.piece * 8;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int64_t n = min(int64_t{4}, s.columns - at.piece * 8 - half * 4);
      if (n <= 0) break;
      uint64_t words[1] = {both[0]};
      if (half == 1) words[0] = s.rate == 16 ? both[1] : both[0] >> (4 * s.rate) | both[1] << (64 - 4 * s.rate);
      float block[4];
      decode_block<1>(words, 4 * s.rate, block);
      store_four(to + half * 4, block, n, wide);
    }
  }
}

/// Groups of `rows` rows from the wire block's row `first` on, strips `height` high, a thread having `columns_each`.
Streams streams_of(const Codec& c, const Shape& s, int height, int64_t groups, int64_t rows, int64_t first,
                   int64_t columns_each, int64_t strip_bytes) {
  Streams t{};
  t.blocks = s.blocks, t.block_stride = s.block_stride, t.block_bytes = s.block_bytes;
  t.groups = groups, t.group_stride = s.group_stride, t.group_bytes = c.spec->bytes(rows, s.columns, c.dtype, c.parameter);
  t.rows = rows, t.row_stride = s.row_stride, t.columns = s.columns;
  t.strips = ceil_div(rows, height), t.pieces = ceil_div(s.columns, columns_each);
  t.strip_bytes = strip_bytes;
  t.rate = static_cast<uint32_t>(c.parameter);
  t.lines = s.lines, t.first_line = first, t.all_lines = s.lines * s.blocks;
  return t;
}

unsigned grid_for(const Streams& t) { return grid_of(ceil_div(t.blocks * t.groups * t.strips * t.pieces, kThreads)); }

/// Whether four elements of any row can be moved together.
template <class T>
bool fours(const T* x, const Streams& t) {
  const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(x));
  const auto strides = (t.block_stride | t.group_stride | t.row_stride) * static_cast<int64_t>(sizeof(T));
  return (address | strides) % static_cast<int64_t>(4 * sizeof(T)) == 0;
}

template <class T, class U, int W, bool kEncode>
void launch_zfp2(T* x, std::byte* wire, const Streams& t, const Context& context) {
  const bool wide = fours(x, t);
  if constexpr (kEncode) {
    LAUNCH(context.stream, grid_for(t), kThreads, 0, (encode_zfp2_kernel<T, U, W>), x, wire, t, wide, context.report());
  } else {
    LAUNCH(context.stream, grid_for(t), kThreads, 0, (decode_zfp2_kernel<T, U, W>), x, wire, t, wide);
  }
}

/// One launch for groups that are alike. Units are as large as the streams' places allow.
template <class T, bool kEncode>
void zfp2(const Codec& c, const Shape& s, const Context& context, int64_t groups, int64_t rows, int64_t first, int64_t offset) {
  const int64_t each = 2 * c.parameter;
  const Streams t = streams_of(c, s, 4, groups, rows, first, 4, ceil_div(s.columns, 4) * each);
  T* x = context.at<T>(c.x) + (groups > 1 ? 0 : first * s.row_stride);
  std::byte* wire = context.at<std::byte>(c.wire) + offset;
  const int64_t places = static_cast<int64_t>(reinterpret_cast<uintptr_t>(wire)) | t.block_bytes | t.group_bytes | t.strip_bytes | each;
  if (c.parameter <= 8) {
    if (places % 16 == 0) launch_zfp2<T, ulonglong2, 2, kEncode>(x, wire, t, context);
    else if (places % 4 == 0) launch_zfp2<T, uint32_t, 2, kEncode>(x, wire, t, context);
    else launch_zfp2<T, uint8_t, 2, kEncode>(x, wire, t, context);
  } else {
    if (places % 16 == 0) launch_zfp2<T, ulonglong2, 4, kEncode>(x, wire, t, context);
    else if (places % 4 == 0) launch_zfp2<T, uint32_t, 4, kEncode>(x, wire, t, context);
    else launch_zfp2<T, uint8_t, 4, kEncode>(x, wire, t, context);
  }
}

template <bool kEncode>
void zfp2(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) {
    using T = decltype(element);
    if (c.group_rows.empty()) return zfp2<T, kEncode>(c, s, context, c.groups, c.rows, 0, 0);
    int64_t first = 0, offset = 0;
    for (int64_t group = 0; group < c.groups; ++group) {
      const int64_t rows = c.rows_of(group);
      if (rows > 0) zfp2<T, kEncode>(c, s, context, 1, rows, first, offset);
      first += rows;
      offset += c.spec->bytes(rows, c.columns, c.dtype, c.parameter);
    }
  });
}

template <bool kEncode>
void zfp1(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) {
    using T = decltype(element);
    const Streams t = streams_of(c, s, 1, s.lines / s.rows, s.rows, 0, 8, c.spec->bytes(1, s.columns, c.dtype, c.parameter));
    T* x = context.at<T>(c.x);
    auto* wire = context.at<std::byte>(c.wire);
    if constexpr (kEncode) {
      LAUNCH(context.stream, grid_for(t), kThreads, 0, encode_zfp1_kernel<T>, x, wire, t, fours(x, t), context.report());
    } else {
      LAUNCH(context.stream, grid_for(t), kThreads, 0, decode_zfp1_kernel<T>, x, wire, t, fours(x, t));
    }
  });
}

}  // namespace

void encode_zfp1(const Codec& c, const Shape& s, const Context& context) { zfp1<true>(c, s, context); }
void decode_zfp1(const Codec& c, const Shape& s, const Context& context) { zfp1<false>(c, s, context); }
void encode_zfp2(const Codec& c, const Shape& s, const Context& context) { zfp2<true>(c, s, context); }
void decode_zfp2(const Codec& c, const Shape& s, const Context& context) { zfp2<false>(c, s, context); }

}  // namespace schemoe::cuda::codecs
