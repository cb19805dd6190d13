// Rows of the experts back to their tokens, and products of rows of both.
#include "cuda/kernels/dots.cuh"
#include "cuda/kernels/places.cuh"

namespace schemoe::cuda {

using namespace routing;

namespace {

/// Fewer tokens than this many warps are cut into pieces.
constexpr int64_t kEnoughWarps = 16384;

/// One warp per piece of a token; the rows of kAtOnce choices are in flight before any is used.
template <class T, int V, int kAtOnce>
__global__ void __launch_bounds__(32 * kWarps)
    combine_kernel(const T* in, const int32_t* choices, const int32_t* positions, const float* weights, T* y,
                   bool accumulate, Places places, int64_t tokens, int64_t columns, int32_t pieces, int32_t k,
                   Report report) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  const int64_t width = (columns + 32 * V * pieces - 1) / (32 * V * pieces) * (32 * V);
  for (int64_t work = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; work < tokens * pieces;
       work += int64_t{gridDim.x} * kWarps) {
    const int64_t token = work / pieces, begin = (work - token * pieces) * width;
    const int64_t end = min(begin + width, columns);
    T* to = y + token * columns;
    for (int32_t first = 0; first < max(k, 1); first += kAtOnce) {
      // Lane i looks up choice first + i; a dropped one reads row 0 and adds nothing.
      int64_t mine = -1;
      float weight = 1.0f;
      if (lane < kAtOnce && first + lane < k) {
        const int64_t i = token * k + first + lane;
        mine = row_of_choice(places, choices[i], positions[i], report);
        if (weights) weight = weights[i];
      }
      int64_t row[kAtOnce];
      float scale[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        row[u] = __shfl_sync(kAllLanes, mine, u);
        scale[u] = __shfl_sync(kAllLanes, weight, u);
      }
      const bool add = accumulate || first > 0;
#pragma unroll 2
      for (int64_t j = begin + lane * V; j < end; j += 32 * V) {
        Raw<T, V> raw[kAtOnce];
#pragma unroll
        for (int u = 0; u < kAtOnce; ++u) raw[u].read(in + (row[u] < 0 ? 0 : row[u]) * columns + j);
        float sum[V] = {};
        if (add) load(sum, to + j);
#pragma unroll
        for (int u = 0; u < kAtOnce; ++u) {
          if (row[u] < 0) continue;
          float v[V];
          raw[u].unpack(v);
#pragma unroll
          for (int i = 0; i < V; ++i) sum[i] += weights ? scale[u] * v[i] : v[i];
        }
        store(to + j, sum);
      }
    }
  }
}

template <class T, int V>
__global__ void __launch_bounds__(32 * kWarps)
    row_dot_kernel(const T* a, const T* b, const int32_t* choices, const int32_t* positions, float* out, Places places,
                   int64_t count, int64_t columns, int32_t k, Report report) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t i = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; i < count; i += int64_t{gridDim.x} * kWarps) {
    int64_t row = 0;
    if (lane == 0) row = row_of_choice(places, choices[i], positions[i], report);
    row = __shfl_sync(kAllLanes, row, 0);
    double sum = 0;
    if (row >= 0) {
      const T* left = a + token_of(i, k) * columns;
      const T* right = b + row * columns;
#pragma unroll 4
      for (int64_t j = lane * V; j < columns; j += 32 * V) {
        float u[V], v[V];
        load(u, left + j);
        load(v, right + j);
        add_products<T>(sum, u, v);
      }
      sum = warp_sum(sum);
    }
    if (lane == 0) out[i] = static_cast<float>(sum);
  }
}

template <class T, int V, int kAtOnce>
void combine(const Combine& c, const Context& context) {
  const int64_t most = ceil_div(c.columns, 32 * V * 2);
  const auto pieces = static_cast<int32_t>(std::clamp<int64_t>(kEnoughWarps / c.tokens, 1, std::max<int64_t>(most, 1)));
  LAUNCH(context.stream, grid_of(ceil_div(c.tokens * pieces, kWarps)), 32 * kWarps, 0, (combine_kernel<T, V, kAtOnce>),
         context.at<const T>(c.in), context.at<const int32_t>(c.choices), context.at<const int32_t>(c.positions),
         context.at<const float>(c.weights), context.at<T>(c.y), c.accumulate, places_of(c.rows, context), c.tokens,
         c.columns, pieces, static_cast<int32_t>(c.k), context.report());
}

}  // namespace

void run(const Combine& c, const Context& context) {
  if (c.columns == 0 || c.tokens == 0) return;
  if (c.rows.count() == 0) {
    // No row exists, so none can be read.
    if (!c.accumulate) {
      const auto bytes = static_cast<size_t>(c.tokens * c.columns * element_bytes(c.dtype));
      CUDA_CHECK(cudaMemsetAsync(context.at<void>(c.y), 0, bytes, context.stream));
    }
    return;
  }
  with_vectors(c.dtype, c.columns, {context.at<void>(c.in), context.at<void>(c.y)}, [&](auto element, auto v) {
    using T = decltype(element);
    if (c.k >= 5) combine<T, v(), 8>(c, context);
    else if (c.k >= 3) combine<T, v(), 4>(c, context);
    else if (c.k == 2) combine<T, v(), 2>(c, context);
    else combine<T, v(), 1>(c, context);
  });
}

void run(const RowDot& r, const Context& context) {
  const int64_t count = r.tokens * r.k;
  if (count == 0) return;
  with_vectors(r.dtype, r.columns, {context.at<void>(r.a), context.at<void>(r.b)}, [&](auto element, auto v) {
    using T = decltype(element);
    LAUNCH(context.stream, grid_of(ceil_div(count, kWarps)), 32 * kWarps, 0, (row_dot_kernel<T, v()>),
           context.at<const T>(r.a), context.at<const T>(r.b), context.at<const int32_t>(r.choices),
           context.at<const int32_t>(r.positions), context.at<float>(r.out), places_of(r.rows, context), count,
           r.columns, static_cast<int32_t>(r.k), context.report());
  });
}

}  // namespace schemoe::cuda
