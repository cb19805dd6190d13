// Rows of tokens to the experts: a warp moves a row, 16 bytes a lane where that is possible.
#include "cuda/kernels/places.cuh"

namespace schemoe::cuda {

using namespace routing;

namespace {

/// Bytes that stay in the cache while as many more are written.
constexpr int64_t kCached = 16 << 20;
/// Choices that there may be for each slot: more of them are dropped.
constexpr int64_t kMostChoices = 64;

/// Index in `slots` of a row.
__device__ int64_t slot_index(const Places& p, int64_t row) {
  const int chunk = find_chunk(p, [&](int64_t begin) { return begin * p.experts <= row; });
  const int64_t begin = p.bounds[chunk], size = p.bounds[chunk + 1] - begin;
  const int64_t inside = row - p.experts * begin;
  const int64_t expert = inside / size;
  return expert * p.capacity() + begin + (inside - expert * size);
}

/// A lane's first element of a row.
template <int V>
__device__ int64_t first_of() {
  return threadIdx.x % 32 * V;
}

/// Writes a part of a row, times a weight if there is one.
template <class T, int V>
__device__ void write_part(const RowPart<T, V>& part, T* to, int64_t j, int64_t columns, const float* weight) {
  const float factor = weight ? *weight : 1.0f;
  part.each(j, columns, [&](int u, int64_t at) {
    if (!weight) return part.raw[u].write(to + at);
    float v[V];
    part.raw[u].unpack(v);
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] *= factor;
    store(to + at, v);
  });
}

/// A warp moves a row from element j of this lane on, times a weight if there is one.
template <class T, int V>
__device__ void move_row(const T* from, T* to, int64_t j, int64_t columns, const float* weight) {
  for (; j < columns; j += RowPart<T, V>::kWhole) {
    RowPart<T, V> part;
    part.read(from, j, columns);
    write_part(part, to, j, columns, weight);
  }
}

/// Where a row comes from: a choice, or -1 if nothing is to be there.
__device__ int32_t choice_of(const int32_t* slots, const Places& p, int64_t row, int64_t choices, const Report& report) {
  const int32_t slot = slots[slot_index(p, row)];
  return slot != -1 && report.checked(Data::slots, slot, choices) ? slot : -1;
}

template <class T, int V>
__device__ void clear_row(T* to, int64_t columns) {
  const float zeros[V] = {};
  for (int64_t j = first_of<V>(); j < columns; j += 32 * V) store(to + j, zeros);
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
    else move_row<T, V>(x + int64_t{slot / k} * columns, to, first_of<V>(), columns, weights ? weights + slot : nullptr);
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
/// memory once where all tokens together are more than the cache holds. Warps after those clear rows, a lane looks at one.
template <class T, int V>
__global__ void __launch_bounds__(32 * kWarps)
    dispatch_tokens_kernel(const T* x, const int32_t* slots, const int64_t* row_of_choice, const float* weights, T* out,
                           Places places, int64_t columns, int32_t k, int64_t choices) {
  const int64_t rows = places.experts * places.capacity(), all = choices + (rows + 31) / 32;
  for (int64_t i = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; i < all; i += int64_t{gridDim.x} * kWarps) {
    if (i < choices) {
      const int64_t row = row_of_choice[i];
      if (row < 0) continue;
      move_row<T, V>(x + token_of(i, k) * columns, out + row * columns, first_of<V>(), columns, weights ? weights + i : nullptr);
    } else {
      const int64_t first = (i - choices) * 32, mine = first + threadIdx.x % 32;
      const bool empty = mine < rows && slots[slot_index(places, mine)] == -1;
      for (uint32_t left = __ballot_sync(kAllLanes, empty); left; left &= left - 1) {
        clear_row<T, V>(out + (first + __ffs(static_cast<int>(left)) - 1) * columns, columns);
      }
    }
  }
}

}  // namespace

void run(const Dispatch& d, const Context& context) {
  const int64_t rows = d.experts * d.rows.capacity(), choices = d.tokens * d.k;
  if (d.columns == 0 || rows == 0) return;
  const auto* slots = context.at<const int32_t>(d.slots);
  const auto* weights = context.at<const float>(d.weights);
  const Places places = places_of(d.rows, context);
  int64_t* row_of_choice = nullptr;
  // No buffer holds the choices themselves: room for them is made only where slots are in proportion.
  const bool bounded = choices / kMostChoices <= rows;
  if (bounded && d.k > 1 && d.tokens * d.columns * element_bytes(d.dtype) > kCached) {
    row_of_choice = context.scratch.get<int64_t>(static_cast<size_t>(choices), context.stream);
    CUDA_CHECK(cudaMemsetAsync(row_of_choice, 0xff, static_cast<size_t>(choices) * sizeof(int64_t), context.stream));
    LAUNCH(context.stream, grid_of(ceil_div(rows, 256)), 256, 0, rows_of_choices_kernel, slots, places, choices,
           row_of_choice, context.report());
  }
  with_vectors(d.dtype, d.columns, {context.at<void>(d.x), context.at<void>(d.out)}, [&](auto element, auto v) {
    using T = decltype(element);
    const auto* x = context.at<const T>(d.x);
    auto* out = context.at<T>(d.out);
    const auto k = static_cast<int32_t>(d.k);
    if (row_of_choice) {
      LAUNCH(context.stream, grid_of(ceil_div(choices + ceil_div(rows, 32), kWarps)), 32 * kWarps, 0, (dispatch_tokens_kernel<T, v()>), x,
             slots, row_of_choice, weights, out, places, d.columns, k, choices);
    } else {
      LAUNCH(context.stream, grid_of(ceil_div(rows, kWarps)), 32 * kWarps, 0, (dispatch_kernel<T, v()>), x, slots, weights,
             out, places, d.columns, k, choices, context.report());
    }
  });
}

}  // namespace schemoe::cuda
