// The k values of a row that are largest in magnitude. One block per row: a radix select finds the k-th magnitude,
// then values above it, and the first that equal it, are compacted in the order of columns.
#include "codecs/both.h"
#include "codecs/sizes.h"
#include "cuda/kernels/codecs.cuh"

namespace schemoe::cuda::codecs {

namespace {

using namespace schemoe::codecs;

constexpr int kThreads = 256;

struct Kept {
  int64_t count, row_bytes;
  int width;  // bytes of a column's number
};

__device__ void store_word(std::byte* to, uint32_t word, int bytes) {
  for (int i = 0; i < bytes; ++i) to[i] = static_cast<std::byte>(word >> (8 * i) & 0xff);
}

__device__ uint32_t load_word(const std::byte* from, int bytes) {
  uint32_t word = 0;
  for (int i = 0; i < bytes; ++i) word |= static_cast<uint32_t>(from[i]) << (8 * i);
  return word;
}

/// The k-th largest magnitude of a row, and the number of the k that equal it.
template <class T>
__device__ void find_kth(const T* row, int64_t columns, int64_t k, uint32_t& kth, uint32_t& equal) {
  __shared__ uint32_t counts[256];
  __shared__ uint32_t found[2];
  uint32_t prefix = 0, left = static_cast<uint32_t>(k);
  for (int shift = 24; shift >= 0; shift -= 8) {
    counts[threadIdx.x] = 0;
    __syncthreads();
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) {
      const uint32_t magnitude = magnitude_of(to_float(row[j]));
      const bool here = shift == 24 || magnitude >> (shift + 8) == prefix >> (shift + 8);
      if (here) atomicAdd(&counts[magnitude >> shift & 0xffu], 1u);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      uint32_t above = 0;
      int digit = 255;
      while (digit > 0 && above + counts[digit] < left) above += counts[digit--];
      found[0] = prefix | static_cast<uint32_t>(digit) << shift;
      found[1] = left - above;
    }
    __syncthreads();
    prefix = found[0], left = found[1];
    __syncthreads();
  }
  kth = prefix, equal = left;
}

/// Exclusive prefix sum over the block of `yes`, and its total.
__device__ uint32_t count_before(bool yes, uint32_t& all) {
  __shared__ uint32_t sums[kThreads / 32];
  const uint32_t votes = __ballot_sync(kAllLanes, yes);
  const uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  __syncthreads();  // sums of the call before may still be read
  if (lane == 0) sums[warp] = static_cast<uint32_t>(__popc(votes));
  __syncthreads();
  uint32_t before = static_cast<uint32_t>(__popc(votes & ((1u << lane) - 1)));
  all = 0;
  for (uint32_t w = 0; w < kThreads / 32; ++w) {
    if (w < warp) before += sums[w];
    all += sums[w];
  }
  return before;
}

template <class T>
__global__ void __launch_bounds__(kThreads) encode_top_k_kernel(const T* x, std::byte* wire, Shape s, Kept kept) {
  for (int64_t index = blockIdx.x; index < s.lines * s.blocks; index += gridDim.x) {
    const Line line(s, index);
    const T* row = x + line.x;
    std::byte* values = wire + line.block * s.block_bytes + line.line * kept.row_bytes;
    std::byte* columns = values + kept.count * 4;
    uint32_t kth, equal;
    find_kth(row, s.columns, kept.count, kth, equal);
    int64_t written = 0;
    uint32_t equals = 0;
    for (int64_t begin = 0; begin < s.columns; begin += kThreads) {
      const int64_t j = begin + threadIdx.x;
      const float value = j < s.columns ? to_float(row[j]) : 0.0f;
      const uint32_t magnitude = magnitude_of(value);
      const bool same = j < s.columns && magnitude == kth;
      uint32_t all;
      const uint32_t before = count_before(same, all);
      const bool taken = j < s.columns && (magnitude > kth || (same && equals + before < equal));
      equals += all;
      const int64_t at = written + count_before(taken, all);
      written += all;
      if (!taken) continue;
      store_word(values + at * 4, bits_of(value), 4);
      store_word(columns + at * kept.width, static_cast<uint32_t>(j), kept.width);
    }
    const int64_t end = kept.count * (4 + kept.width);
    for (int64_t i = end + threadIdx.x; i < kept.row_bytes; i += kThreads) values[i] = std::byte{0};
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) decode_top_k_kernel(T* x, const std::byte* wire, Shape s, Kept kept) {
  for (int64_t index = blockIdx.x; index < s.lines * s.blocks; index += gridDim.x) {
    const Line line(s, index);
    T* row = x + line.x;
    const std::byte* values = wire + line.block * s.block_bytes + line.line * kept.row_bytes;
    const std::byte* columns = values + kept.count * 4;
    for (int64_t j = threadIdx.x; j < s.columns; j += kThreads) from_float(row[j], 0.0f);
    __syncthreads();
    for (int64_t i = threadIdx.x; i < kept.count; i += kThreads) {
      const uint32_t column = load_word(columns + i * kept.width, kept.width);
      // A wire may hold anything; of several values of a column the last counts, as on the CPU.
      bool last = column < s.columns;
      if (last && i + 1 < kept.count && load_word(columns + (i + 1) * kept.width, kept.width) <= column) {
        for (int64_t k = i + 1; k < kept.count && last; ++k) last = load_word(columns + k * kept.width, kept.width) != column;
      }
      if (last) from_float(row[column], __uint_as_float(load_word(values + i * 4, 4)));
    }
    __syncthreads();
  }
}

Kept kept_in(const Codec& c) {
  const int64_t count = kept_of(c.columns, c.parameter);
  return {count, top_k_row_bytes(c.columns, count), c.columns <= 65536 ? 2 : 4};
}

}  // namespace

void encode_topk(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) {
    using T = decltype(element);
    LAUNCH(context.stream, grid_of(s.lines * s.blocks), kThreads, 0, encode_top_k_kernel<T>, context.at<const T>(c.x),
           context.at<std::byte>(c.wire), s, kept_in(c));
  });
}

void decode_topk(const Codec& c, const Shape& s, const Context& context) {
  with_type(c.dtype, [&](auto element) {
    using T = decltype(element);
    LAUNCH(context.stream, grid_of(s.lines * s.blocks), kThreads, 0, decode_top_k_kernel<T>, context.at<T>(c.x),
           context.at<const std::byte>(c.wire), s, kept_in(c));
  });
}

}  // namespace schemoe::cuda::codecs
