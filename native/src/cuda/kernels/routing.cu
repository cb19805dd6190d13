// Rows between tokens and experts: a warp moves a row, 16 bytes a lane where that is possible.
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8;
constexpr int kUnroll = 4;
/// Fewer tokens than this many warps are cut into pieces.
constexpr int64_t kEnoughWarps = 16384;
/// Bytes that stay in the cache while as many more are written.
constexpr int64_t kCached = 16 << 20;

/// Chunk bounds in device memory, and the first rows of ragged chunks; see `Rows`.
struct Places {
  const int32_t* bounds;
  const int32_t* firsts;
  int chunks;
  int64_t experts;
  __device__ int64_t capacity() const { return bounds[chunks]; }
};

Places places_of(const Rows& rows, const Context& context) {
  const int32_t* firsts = rows.ragged() ? context.bounds + rows.bounds.size() : nullptr;
  return {context.bounds, firsts, static_cast<int>(rows.chunks()), rows.experts};
}

/// The last chunk whose beginning `before(begin)` says is not after what is looked for.
template <class NotAfter>
__device__ int find_chunk(const Places& p, NotAfter not_after) {
  int low = 0, high = p.chunks;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (not_after(p.bounds[middle]) ? low : high) = middle;
  }
  return low;
}

__device__ int64_t row_of(const Places& p, int64_t expert, int64_t place) {
  const int chunk = find_chunk(p, [&](int64_t begin) { return begin <= place; });
  const int64_t begin = p.bounds[chunk], end = p.bounds[chunk + 1];
  return p.experts * begin + expert * (end - begin) + (place - begin);
}

/// The row of a choice where only places that are taken have one: each choice has, or makes no sense.
__device__ int64_t ragged_row(const Places& p, int64_t expert, int64_t place, const Report& report) {
  if (!report.checked(Data::positions, place, p.capacity())) return -1;
  const int chunk = find_chunk(p, [&](int64_t begin) { return begin <= place; });
  const int32_t* first = p.firsts + chunk * p.experts + expert;
  const int64_t begin = p.bounds[chunk];
  if (!report.checked(Data::positions, place, begin + (first[1] - first[0]))) return -1;
  return first[0] + (place - begin);
}

/// The row that a choice went to, or -1 if it was dropped or makes no sense.
__device__ int64_t row_of_choice(const Places& p, int32_t choice, int32_t position, const Report& report) {
  if (!report.checked(Data::choices, choice, p.experts)) return -1;
  if (!report.checked(Data::positions, position, INT32_MAX)) return -1;
  if (p.firsts) return ragged_row(p, choice, position, report);
  return position < p.capacity() ? row_of(p, choice, position) : -1;
}

/// A warp moves a row, times a weight if there is one.
template <class T, int V>
__device__ void move_row(const T* from, T* to, int64_t columns, const float* weight) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  const float factor = weight ? *weight : 1.0f;
  const auto move = [&](const Raw<T, V>& raw, int64_t j) {
    if (!weight) return raw.write(to + j);
    float v[V];
    raw.unpack(v);
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] *= factor;
    store(to + j, v);
  };
  int64_t j = lane * V;
  for (; j + (kUnroll - 1) * 32 * V < columns; j += kUnroll * 32 * V) {
    Raw<T, V> raw[kUnroll];
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) raw[u].read(from + j + u * 32 * V);
#pragma unroll
    for (int u = 0; u < kUnroll; ++u) move(raw[u], j + u * 32 * V);
  }
  for (; j < columns; j += 32 * V) {
    Raw<T, V> raw;
    raw.read(from + j);
    move(raw, j);
  }
}

/// Index in `slots` of a row.
__device__ int64_t slot_index(const Places& p, int64_t row) {
  const int chunk = find_chunk(p, [&](int64_t begin) { return begin * p.experts <= row; });
  const int64_t begin = p.bounds[chunk], size = p.bounds[chunk + 1] - begin;
  const int64_t inside = row - p.experts * begin;
  const int64_t expert = inside / size;
  return expert * p.capacity() + begin + (inside - expert * size);
}

/// Where a row comes from: a choice, or -1 if nothing is to be there.
__device__ int32_t choice_of(const int32_t* slots, const Places& p, int64_t row, int64_t choices, const Report& report) {
  const int32_t slot = slots[slot_index(p, row)];
  return slot != -1 && report.checked(Data::slots, slot, choices) ? slot : -1;
}

template <class T, int V>
__device__ void clear_row(T* to, int64_t columns) {
  const float zeros[V] = {};
  for (int64_t j = threadIdx.x % 32 * V; j < columns; j += 32 * V) store(to + j, zeros);
}

/// A warp fills a row.
template <class T, int V>
__global__ void __launch_bounds__(32 * kWarps)
    dispatch_kernel(const T* x, const int32_t* slots, const float* weights, T* out, Places places, int64_t columns,
                    int32_t k, int64_t choices, Report report) {
  const int64_t rows = places.experts * places.capacity();
  for (int64_t row = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; row < rows; row += int64_t{gridDim.x} * kWarps) {
    int32_t slot = 0;
    if (threadIdx.x % 32 == 0) slot = choice_of(slots, places, row, choices, report);
    slot = __shfl_sync(kAllLanes, slot, 0);
    T* to = out + row * columns;
    if (slot == -1) clear_row<T, V>(to, columns);
    else move_row<T, V>(x + int64_t{slot / k} * columns, to, columns, weights ? weights + slot : nullptr);
  }
}

/// The row of each choice, which is -1 before.
__global__ void rows_of_choices_kernel(const int32_t* slots, Places places, int64_t choices, int64_t* row_of_choice,
                                       Report report) {
  const int64_t row = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (row >= places.experts * places.capacity()) return;
  const int32_t slot = choice_of(slots, places, row, choices, report);
  if (slot != -1) row_of_choice[slot] = row;
}

/// The same token by token: the rows of a token are written at about the same time, so that it is read from
/// memory once where all tokens together are more than the cache holds. Warps after those clear rows.
template <class T, int V>
__global__ void __launch_bounds__(32 * kWarps)
    dispatch_tokens_kernel(const T* x, const int32_t* slots, const int64_t* row_of_choice, const float* weights, T* out,
                           Places places, int64_t columns, int32_t k, int64_t choices) {
  const int64_t all = choices + places.experts * places.capacity();
  for (int64_t i = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; i < all; i += int64_t{gridDim.x} * kWarps) {
    if (i < choices) {
      const int64_t row = row_of_choice[i];
      if (row >= 0) move_row<T, V>(x + i / k * columns, out + row * columns, columns, weights ? weights + i : nullptr);
    } else if (const int64_t row = i - choices; slots[slot_index(places, row)] == -1) {
      clear_row<T, V>(out + row * columns, columns);
    }
  }
}

/// A warp has one choice of one token, so that the choices of a token read it at about the same time.
template <class T, int V>
__global__ void __launch_bounds__(32 * kWarps)
    place_kernel(const T* x, const int32_t* choices, const int32_t* positions, const float* weights, T* out,
                 Places places, int64_t count, int64_t columns, int32_t k, Report report) {
  for (int64_t i = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; i < count; i += int64_t{gridDim.x} * kWarps) {
    int64_t row = 0;
    if (threadIdx.x % 32 == 0) row = row_of_choice(places, choices[i], positions[i], report);
    row = __shfl_sync(kAllLanes, row, 0);
    if (row < 0) continue;
    move_row<T, V>(x + i / k * columns, out + row * columns, columns, weights ? weights + i : nullptr);
  }
}

/// A warp has a piece of one token; the rows of kAtOnce choices are read before any is used.
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
      const T* left = a + i / k * columns;
      const T* right = b + row * columns;
#pragma unroll 4
      for (int64_t j = lane * V; j < columns; j += 32 * V) {
        float u[V], v[V];
        load(u, left + j);
        load(v, right + j);
        if constexpr (sizeof(T) == 2) {
          // Products of bfloat16 are exact in float32, and few are added before double takes over.
          float few = 0;
#pragma unroll
          for (int n = 0; n < V; ++n) few = __fmaf_rn(u[n], v[n], few);
          sum += few;
        } else {
#pragma unroll
          for (int n = 0; n < V; ++n) sum = fma(static_cast<double>(u[n]), static_cast<double>(v[n]), sum);
        }
      }
      sum = warp_sum(sum);
    }
    if (lane == 0) out[i] = static_cast<float>(sum);
  }
}

/// Calls `body` with the element type and how many elements go at a time.
template <class Body>
void choose(schemoe_dtype dtype, int64_t columns, std::initializer_list<const void*> data, Body&& body) {
  with_type(dtype, [&](auto element) {
    using T = decltype(element);
    const bool wide = columns % kVector<T> == 0 && std::all_of(data.begin(), data.end(), aligned);
    if (wide) body(element, std::integral_constant<int, kVector<T>>{});
    else body(element, std::integral_constant<int, 1>{});
  });
}

}  // namespace

void run(const Dispatch& d, const Context& context) {
  const int64_t rows = d.experts * d.rows.capacity(), choices = d.tokens * d.k;
  if (d.columns == 0 || rows == 0) return;
  const auto* slots = context.at<const int32_t>(d.slots);
  const auto* weights = context.at<const float>(d.weights);
  const Places places = places_of(d.rows, context);
  int64_t* row_of_choice = nullptr;
  if (d.k > 1 && d.tokens * d.columns * element_bytes(d.dtype) > kCached) {
    row_of_choice = context.scratch.get<int64_t>(static_cast<size_t>(choices), context.stream);
    CUDA_CHECK(cudaMemsetAsync(row_of_choice, 0xff, static_cast<size_t>(choices) * sizeof(int64_t), context.stream));
    LAUNCH(context.stream, grid_of(ceil_div(rows, 256)), 256, 0, rows_of_choices_kernel, slots, places, choices,
           row_of_choice, context.report());
  }
  choose(d.dtype, d.columns, {context.at<void>(d.x), context.at<void>(d.out)}, [&](auto element, auto v) {
    using T = decltype(element);
    const auto* x = context.at<const T>(d.x);
    auto* out = context.at<T>(d.out);
    const auto k = static_cast<int32_t>(d.k);
    if (row_of_choice) {
      LAUNCH(context.stream, grid_of(ceil_div(choices + rows, kWarps)), 32 * kWarps, 0, (dispatch_tokens_kernel<T, v()>), x,
             slots, row_of_choice, weights, out, places, d.columns, k, choices);
    } else {
      LAUNCH(context.stream, grid_of(ceil_div(rows, kWarps)), 32 * kWarps, 0, (dispatch_kernel<T, v()>), x, slots, weights,
             out, places, d.columns, k, choices, context.report());
    }
  });
}

void run(const PlaceTokens& p, const Context& context) {
  const int64_t count = p.tokens * p.k;
  if (count == 0 || p.columns == 0) return;
  choose(p.dtype, p.columns, {context.at<void>(p.x), context.at<void>(p.out)}, [&](auto element, auto v) {
    using T = decltype(element);
    LAUNCH(context.stream, grid_of(ceil_div(count, kWarps)), 32 * kWarps, 0, (place_kernel<T, v()>),
           context.at<const T>(p.x), context.at<const int32_t>(p.choices), context.at<const int32_t>(p.positions),
           context.at<const float>(p.weights), context.at<T>(p.out), places_of(p.rows, context), count, p.columns,
           static_cast<int32_t>(p.k), context.report());
  });
}

namespace {

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
  choose(c.dtype, c.columns, {context.at<void>(c.in), context.at<void>(c.y)}, [&](auto element, auto v) {
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
  choose(r.dtype, r.columns, {context.at<void>(r.a), context.at<void>(r.b)}, [&](auto element, auto v) {
    using T = decltype(element);
    LAUNCH(context.stream, grid_of(ceil_div(count, kWarps)), 32 * kWarps, 0, (row_dot_kernel<T, v()>),
           context.at<const T>(r.a), context.at<const T>(r.b), context.at<const int32_t>(r.choices),
           context.at<const int32_t>(r.positions), context.at<float>(r.out), places_of(r.rows, context), count,
           r.columns, static_cast<int32_t>(r.k), context.report());
  });
}

}  // namespace schemoe::cuda
