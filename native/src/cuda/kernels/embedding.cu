// Embeddings of tokens. For the gradient tokens are sorted by their ids, each list in the order of
// tokens, so that sums have one order: no float atomics.
#include <cmath>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256, kScan = 1024;

template <class T>
__global__ void __launch_bounds__(kThreads)
    embedding_kernel(int64_t tokens, int64_t columns, int64_t vocabulary, int64_t length, const int32_t* ids,
                     const T* table, const T* positions, T* out, Report report) {
  for (int64_t token = blockIdx.x; token < tokens; token += gridDim.x) {
    const int64_t id = ids[token];
    if (!report.checked(Data::ids, id, vocabulary)) continue;
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) {
      const float value = to_float(table[id * columns + j]);
      from_float(out[token * columns + j], positions ? value + to_float(positions[token % length * columns + j]) : value);
    }
  }
}

/// Tokens of each id, and each token's place among those of its id in no fixed order.
__global__ void __launch_bounds__(kThreads)
    count_kernel(int64_t tokens, int64_t vocabulary, const int32_t* ids, int32_t* counts, int32_t* places, Report report) {
  const int64_t token = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (token >= tokens) return;
  const int64_t id = ids[token];
  places[token] = report.checked(Data::ids, id, vocabulary) ? atomicAdd(counts + id, 1) : -1;
}

/// counts[i] becomes the sum of those before, counts[vocabulary] that of all; one block.
__global__ void __launch_bounds__(kScan) prefix_kernel(int64_t vocabulary, int32_t* counts) {
  __shared__ int32_t sums[kScan];
  const int64_t each = (vocabulary + kScan - 1) / kScan;
  const int64_t begin = threadIdx.x * each, end = begin + each < vocabulary ? begin + each : vocabulary;
  int32_t sum = 0;
  for (int64_t i = begin; i < end; ++i) sum += counts[i];
  sums[threadIdx.x] = sum;
  for (int step = 1; step < kScan; step *= 2) {
    __syncthreads();
    const int32_t before = threadIdx.x >= step ? sums[threadIdx.x - step] : 0;
    __syncthreads();
    sums[threadIdx.x] += before;
  }
  int32_t first = sums[threadIdx.x] - sum;
  for (int64_t i = begin; i < end; ++i) {
    const int32_t count = counts[i];
    counts[i] = first;
    first += count;
  }
  if (threadIdx.x == kScan - 1) counts[vocabulary] = sums[kScan - 1];
}

__global__ void __launch_bounds__(kThreads)
    place_kernel(int64_t tokens, const int32_t* ids, const int32_t* firsts, const int32_t* places, int32_t* list) {
  const int64_t token = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (token < tokens && places[token] >= 0) list[firsts[ids[token]] + places[token]] = static_cast<int32_t>(token);
}

/// Each list in the order of tokens: a token's place is the number of smaller ones in its list.
__global__ void __launch_bounds__(kThreads)
    sort_kernel(int64_t tokens, const int32_t* ids, const int32_t* firsts, const int32_t* places, const int32_t* list,
                int32_t* sorted) {
  const int64_t token = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (token >= tokens || places[token] < 0) return;
  const int32_t first = firsts[ids[token]], end = firsts[ids[token] + 1];
  int32_t smaller = 0;
#pragma unroll 4
  for (int32_t i = first; i < end; ++i) smaller += list[i] < token;
  sorted[first + smaller] = static_cast<int32_t>(token);
}

/// Rows of the table, then rows of the positions.
template <class T>
__global__ void __launch_bounds__(kThreads)
    embedding_grad_kernel(int64_t tokens, int64_t columns, int64_t vocabulary, int64_t length, const int32_t* firsts,
                          const int32_t* sorted, const T* dy, float* table, float* positions) {
  const int64_t rows = vocabulary + (positions ? length : 0);
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const bool of_table = row < vocabulary;
    const int32_t first = of_table ? firsts[row] : 0, end = of_table ? firsts[row + 1] : 0;
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) {
      float sum = 0;
      if (of_table) {
#pragma unroll 8
        for (int32_t i = first; i < end; ++i) sum += to_float(dy[sorted[i] * columns + j]);
        table[row * columns + j] = sum;
      } else {
#pragma unroll 8
        for (int64_t token = row - vocabulary; token < tokens; token += length) sum += to_float(dy[token * columns + j]);
        positions[(row - vocabulary) * columns + j] = sum;
      }
    }
  }
}

}  // namespace

void run(const Embedding& e, const Context& context) {
  if (e.tokens == 0) return;
  with_type(e.dtype, [&](auto like) {
    using T = decltype(like);
    LAUNCH(context.stream, grid_of(e.tokens), kThreads, 0, embedding_kernel<T>, e.tokens, e.columns, e.vocabulary, e.length,
           context.at<const int32_t>(e.ids), context.at<const T>(e.table), context.at<const T>(e.positions),
           context.at<T>(e.out), context.report());
  });
}

void run(const EmbeddingGrad& e, const Context& context) {
  const int64_t rows = e.vocabulary + (e.positions.null() ? 0 : e.length);
  if (rows == 0) return;
  const auto* ids = context.at<const int32_t>(e.ids);
  const auto list_size = static_cast<size_t>(e.tokens), counted = static_cast<size_t>(e.vocabulary) + 1;
  auto* firsts = context.scratch.get<int32_t>(counted + 3 * list_size, context.stream);
  int32_t *places = firsts + counted, *list = places + list_size, *sorted = list + list_size;
  CUDA_CHECK(cudaMemsetAsync(firsts, 0, counted * sizeof *firsts, context.stream));
  const unsigned grid = grid_of(ceil_div(e.tokens, kThreads));
  LAUNCH(context.stream, grid, kThreads, 0, count_kernel, e.tokens, e.vocabulary, ids, firsts, places, context.report());
  LAUNCH(context.stream, 1, kScan, 0, prefix_kernel, e.vocabulary, firsts);
  LAUNCH(context.stream, grid, kThreads, 0, place_kernel, e.tokens, ids, firsts, places, list);
  LAUNCH(context.stream, grid, kThreads, 0, sort_kernel, e.tokens, ids, firsts, places, list, sorted);
  with_type(e.dtype, [&](auto like) {
    using T = decltype(like);
    LAUNCH(context.stream, grid_of(rows), kThreads, 0, embedding_grad_kernel<T>, e.tokens, e.columns, e.vocabulary, e.length,
           firsts, sorted, context.at<const T>(e.dy), context.at<float>(e.table), context.at<float>(e.positions));
  });
}

}  // namespace schemoe::cuda
