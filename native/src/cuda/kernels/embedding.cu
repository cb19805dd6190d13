// Embeddings of tokens and rotary positions. The gradient takes one block per row of the table, which
// looks at all tokens: quadratic (vocabulary * tokens comparisons), but sums in the order of tokens.
#include <cmath>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    embedding_kernel(int64_t tokens, int64_t columns, int64_t vocabulary, int64_t length, const int32_t* ids,
                     const float* table, const float* positions, float* out, Report report) {
  for (int64_t token = blockIdx.x; token < tokens; token += gridDim.x) {
    const int64_t id = ids[token];
    if (!report.checked(Data::ids, id, vocabulary)) continue;
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) {
      const float value = table[id * columns + j];
      out[token * columns + j] = positions ? value + positions[token % length * columns + j] : value;
    }
  }
}

/// Rows of the table, then rows of the positions.
__global__ void __launch_bounds__(kThreads)
    embedding_grad_kernel(int64_t tokens, int64_t columns, int64_t vocabulary, int64_t length, const int32_t* ids,
                          const float* dy, float* table, float* positions, Report report) {
  const int64_t rows = vocabulary + (positions ? length : 0);
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const bool of_table = row < vocabulary;
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) {
      float sum = 0;
      if (of_table) {
        for (int64_t token = 0; token < tokens; ++token) {
          const int64_t id = ids[token];
          if (row == 0 && j == 0) report.checked(Data::ids, id, vocabulary);
          if (id == row) sum += dy[token * columns + j];
        }
        table[row * columns + j] = sum;
      } else {
        for (int64_t token = row - vocabulary; token < tokens; token += length) sum += dy[token * columns + j];
        positions[(row - vocabulary) * columns + j] = sum;
      }
    }
  }
}

/// A thread turns one pair; its angle is computed in double, as the CPU does.
__global__ void __launch_bounds__(kThreads)
    rotary_kernel(int64_t pairs, int64_t length, int64_t heads, int64_t dim, float* x, double base, bool back) {
  const int64_t half = dim / 2;
  for (int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x; at < pairs; at += int64_t{gridDim.x} * kThreads) {
    const int64_t i = at % half, row = at / half;
    const auto position = static_cast<double>(row / heads % length);
    const double angle = position * pow(base, -2.0 * static_cast<double>(i) / static_cast<double>(dim));
    const auto cosine = static_cast<float>(cos(angle)), sine = static_cast<float>(back ? -sin(angle) : sin(angle));
    float *low = x + row * dim + i, *high = low + half;
    const float a = *low, b = *high;
    *low = a * cosine - b * sine;
    *high = b * cosine + a * sine;
  }
}

}  // namespace

void run(const Embedding& e, const Context& context) {
  if (e.tokens == 0) return;
  LAUNCH(context.stream, grid_of(e.tokens), kThreads, 0, embedding_kernel, e.tokens, e.columns, e.vocabulary, e.length,
         context.at<const int32_t>(e.ids), context.at<const float>(e.table), context.at<const float>(e.positions),
         context.at<float>(e.out), context.report());
}

void run(const EmbeddingGrad& e, const Context& context) {
  const int64_t rows = e.vocabulary + (e.positions.null() ? 0 : e.length);
  if (rows == 0) return;
  LAUNCH(context.stream, grid_of(rows), kThreads, 0, embedding_grad_kernel, e.tokens, e.columns, e.vocabulary, e.length,
         context.at<const int32_t>(e.ids), context.at<const float>(e.dy), context.at<float>(e.table),
         context.at<float>(e.positions), context.report());
}

void run(const Rotary& r, const Context& context) {
  const int64_t pairs = r.tokens * r.heads * (r.dim / 2);
  if (pairs == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(pairs, kThreads)), kThreads, 0, rotary_kernel, pairs, r.length, r.heads, r.dim,
         context.at<float>(r.x), r.base, r.back);
}

}  // namespace schemoe::cuda
