// Rows to int8: each with its least value and step.
#include "cuda/kernels/codecs_int8.cuh"

namespace schemoe::cuda::codecs {

namespace {

/// One block per row; its first kKept pieces stay in registers between the two passes.
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

/// Least and largest of elements as they lie in memory, or NaN where one is.
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
      least = __hmin2_nan(least, pair), most = __hmax2_nan(most, pair);
    }
  }
  __device__ float low() const {
    float low = __low2float(least);
    lower(low, __high2float(least));
    return low;
  }
  __device__ float high() const {
    float high = __low2float(most);
    higher(high, __high2float(most));
    return high;
  }
};

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
  write([&](float value) { return quantize(value, scale.min, AnyQuotient::by(scale.step)); });
}

template <class T, int K, int W>
void encode_kept(const T* x, std::byte* wire, const Shape& s, cudaStream_t stream) {
  constexpr int kThreads = std::max(4, W) * 32;
  LAUNCH(stream, grid_of(ceil_div(s.lines * s.blocks * W * 32, kThreads)), kThreads, 0, (encode_kept_kernel<T, K, W>), x,
         wire, s);
}

template <class T>
void encode(const Codec& c, const Shape& s, const Context& context) {
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

}  // namespace

void encode_int8(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) { encode<decltype(element)>(c, s, context); });
}

}  // namespace schemoe::cuda::codecs
