// Rows to codes that share scales in blocks of columns: neighbouring lanes have a block, each 16 bytes of it.
#include "cuda/kernels/codecs_scaled_codes.cuh"
#include "cuda/kernels/instructions.cuh"

namespace schemoe::cuda::codecs {

namespace {

/// Numbers of the rows, on which random bits depend.
struct Numbers {
  uint64_t seed;
  int64_t first, block_step, group_step;
  __device__ uint64_t of(const Shape& s, const Line& line) const {
    const int64_t group = quotient(line.line, s.rows);
    return static_cast<uint64_t>(first + line.block * block_step + group * group_step + line.line - group * s.rows);
  }
};

/// What lies behind the codes and the scales of a row is zero.
template <class F>
__device__ void pad_row(std::byte* row, int64_t columns, int64_t lane) {
  using Layout = RowLayout<F>;
  for (int64_t i = Layout::code_bytes(columns) + lane; i < Layout::scales_at(columns); i += 32) row[i] = std::byte{0};
  const int64_t end = Layout::scales_at(columns) + Layout::blocks(columns) * F::kScaleBytes;
  for (int64_t i = end + lane; i < Layout::bytes(columns); i += 32) row[i] = std::byte{0};
}

/// Bits of the largest magnitude in 16 bytes of a row; kInfinity or more where one of them is not finite.
__device__ uint32_t largest(const uint4& x, float) {
  const auto magnitude = [](uint32_t bits) { return fabsf(__uint_as_float(bits)); };
  return __float_as_uint(max_or_nan(max_or_nan(magnitude(x.x), magnitude(x.y)), max_or_nan(magnitude(x.z), magnitude(x.w))));
}

__device__ uint32_t largest(const uint4& x, bf16) {
  constexpr uint32_t kMagnitudes = 0x7fff7fffu;
  const uint32_t both = __vmaxu2(__vmaxu2(x.x & kMagnitudes, x.y & kMagnitudes), __vmaxu2(x.z & kMagnitudes, x.w & kMagnitudes));
  return max(both << 16, both & 0xffff0000u);
}

/// The largest finite magnitude.
template <int V>
__device__ uint32_t largest_finite(const float (&x)[V]) {
  uint32_t most = 0;
#pragma unroll
  for (int i = 0; i < V; ++i) most = max(most, finite(x[i]) ? magnitude_of(x[i]) : 0);
  return most;
}

/// Of kPieces numbers in each of L neighbouring lanes the largest: lane i gets that of piece i % kPieces.
template <int L>
__device__ uint32_t largest_of_lanes(const uint32_t (&x)[kPieces], int lane) {
  static_assert(kPieces == 4 && L >= kPieces);
  const bool odd = lane & 1, high = lane & 2;
  // Each exchange halves what a lane has, until it has one.
  const uint32_t low = max(odd ? x[1] : x[0], __shfl_xor_sync(kAllLanes, odd ? x[0] : x[1], 1));
  const uint32_t up = max(odd ? x[3] : x[2], __shfl_xor_sync(kAllLanes, odd ? x[2] : x[3], 1));
  uint32_t most = max(high ? up : low, __shfl_xor_sync(kAllLanes, high ? low : up, 2));
#pragma unroll
  for (int step = kPieces; step < L; step *= 2) most = max(most, __shfl_xor_sync(kAllLanes, most, step));
  return most;
}

/// V codes to the wire at once.
template <class F, int V>
__device__ void store_codes(std::byte* to, const uint32_t (&words)[2]) {
  constexpr int kBytes = V * F::kBits / 8;
  if constexpr (kBytes == 8) *reinterpret_cast<uint2*>(to) = make_uint2(words[0], words[1]);
  else if constexpr (kBytes == 4) *reinterpret_cast<uint32_t*>(to) = words[0];
  else *reinterpret_cast<uint16_t*>(to) = static_cast<uint16_t>(words[0]);
}

/// V codes of any values, rounded at random where there are words for that.
template <class F, int V>
__device__ void any_codes(uint32_t (&words)[2], const float (&x)[V], float inverse, const uint32_t* random) {
  const Scale scale{0, inverse, 0};
  words[0] = words[1] = 0;
#pragma unroll
  for (int i = 0; i < V; ++i) words[i * F::kBits / 32] |= F::code(x[i], scale, random, random ? random[i] : 0) << (i * F::kBits % 32);
}

/// Blocks with values that are not finite: apart, so that the others need no room for it.
template <class F, class T>
__device__ __noinline__ uint2 odd_codes(uint4 bits, float inverse) {
  constexpr int V = kVector<T>;
  float x[V];
  Raw<T, V>{bits}.unpack(x);
  uint32_t words[2];
  any_codes<F, V>(words, x, inverse, nullptr);
  return make_uint2(words[0], words[1]);
}

template <class T, class F, bool kRandom>
__global__ void __launch_bounds__(32 * kWarps) encode_wide_kernel(const T* x, std::byte* wire, Shape s, Numbers numbers) {
  using Layout = RowLayout<F>;
  constexpr int V = kVector<T>, kStep = kPieces * kPiece<T>, kLanes = F::kBlock / V;
  const auto lane = static_cast<int>(threadIdx.x % 32);
  each_line(s, [&](const Line& line, int64_t part) {
    std::byte* row = wire + line.block * s.block_bytes + line.line * Layout::bytes(s.columns);
    std::byte* scales = row + Layout::scales_at(s.columns);
    if (part == 0) pad_row<F>(row, s.columns, lane);
    // All lanes of a warp take part in each step, whether they have columns or not.
    for (int64_t begin = part * kStep; begin < s.columns; begin += kStep << s.shift) {
      const int64_t first = begin + lane * V;
      Raw<T, V> raw[kPieces];
#pragma unroll
      for (int k = 0; k < kPieces; ++k) {
        if (first + k * kPiece<T> < s.columns) raw[k].read(x + line.x + first + k * kPiece<T>);
        else raw[k].bits = make_uint4(0, 0, 0, 0);
      }
      uint32_t magnitudes[kPieces];
#pragma unroll
      for (int k = 0; k < kPieces; ++k) magnitudes[k] = largest(raw[k].bits, T{});
      // From here on to its scale a lane has one block, of which number lane % kPieces of its pieces is a part.
      uint32_t most = largest_of_lanes<kLanes>(magnitudes, lane);
      const bool odd = most >= kInfinity, any_odd = __any_sync(kAllLanes, odd);
      if (any_odd) {
#pragma unroll
        for (int k = 0; k < kPieces; ++k) {
          float v[V];
          raw[k].unpack(v);
          magnitudes[k] = largest_finite(v);
        }
        most = largest_of_lanes<kLanes>(magnitudes, lane);
      }
      const Scale scale = F::scale(float_of(most), odd);
      const int64_t block = (begin + lane % kPieces * kPiece<T>) / F::kBlock + lane / kLanes;
      if (lane % kLanes < kPieces && block * F::kBlock < s.columns) store_scale<F>(scales + block * F::kScaleBytes, scale.stored);
#pragma unroll
      for (int k = 0; k < kPieces; ++k) {
        const float inverse = __shfl_sync(kAllLanes, scale.inverse, k, kPieces);
        const int64_t j = first + k * kPiece<T>;
        if (j >= s.columns) continue;
        float v[V];
        raw[k].unpack(v);
        uint32_t words[2];
        if constexpr (kRandom) {
          uint32_t random[V];
#pragma unroll
          for (int i = 0; i < V; i += normals::kBlock) {
            const auto four = random_block(numbers.seed, numbers.of(s, line), j + i);
#pragma unroll
            for (int r = 0; r < normals::kBlock; ++r) random[i + r] = four.word[r];
          }
          any_codes<F, V>(words, v, inverse, random);
        } else if (any_odd) {
          const uint2 both = odd_codes<F, T>(raw[k].bits, inverse);
          words[0] = both.x, words[1] = both.y;
        } else {
          nearest_codes<F, V>(words, v, inverse);
        }
        store_codes<F, V>(row + j * F::kBits / 8, words);
      }
    }
  });
}

/// Unaligned bytes: one lane per block of columns, byte by byte.
template <class T, class F>
__global__ void __launch_bounds__(32 * kWarps) encode_any_kernel(const T* x, std::byte* wire, Shape s, Numbers numbers) {
  using Layout = RowLayout<F>;
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  each_line(s, [&](const Line& line, int64_t) {
    std::byte* row = wire + line.block * s.block_bytes + line.line * Layout::bytes(s.columns);
    pad_row<F>(row, s.columns, lane);
    const T* values = x + line.x;
    for (int64_t block = lane; block * F::kBlock < s.columns; block += 32) {
      const int64_t begin = block * F::kBlock, end = min(begin + F::kBlock, s.columns);
      uint32_t most = 0;
      bool odd = false;
      for (int64_t j = begin; j < end; ++j) {
        const uint32_t magnitude = magnitude_of(to_float(values[j]));
        if (magnitude >= kInfinity) odd = true;
        else most = max(most, magnitude);
      }
      const Scale scale = F::scale(float_of(most), odd);
      std::byte* stored = row + Layout::scales_at(s.columns) + block * F::kScaleBytes;
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
    }
  });
}

template <class F>
void encode(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) {
    using T = decltype(element);
    const auto* x = context.at<const T>(c.x);
    auto* wire = context.at<std::byte>(c.wire);
    const Numbers numbers{c.seed, c.first_number, c.block_step, c.group_step};
    // Rows on the wire are whole multiples of 16 bytes.
    if (!wide(c, s, context, 2)) {
      LAUNCH(context.stream, grid_for(s), 32 * kWarps, 0, (encode_any_kernel<T, F>), x, wire, s, numbers);
      return;
    }
    const Shape rows = shared(s, kPieces * kPiece<T>);
    if (c.seed) LAUNCH(context.stream, grid_for(rows), 32 * kWarps, 0, (encode_wide_kernel<T, F, true>), x, wire, rows, numbers);
    else LAUNCH(context.stream, grid_for(rows), 32 * kWarps, 0, (encode_wide_kernel<T, F, false>), x, wire, rows, numbers);
  });
}

}  // namespace

#define SCHEMOE_FORMAT(name, F) \
  void encode_##name(const Codec& c, const Shape& s, const Context& context) { encode<F>(c, s, context); }

SCHEMOE_FORMATS(SCHEMOE_FORMAT)

}  // namespace schemoe::cuda::codecs
