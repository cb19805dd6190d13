// Choices by the number of a token, and how many there are of each row.
#include "cuda/kernels/gates/rows.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

constexpr int kLists = 2048;  // rows whose counts fit into a block's shared memory, with many blocks at once

/// A thread has a choice; without any it looks at the token's number alone.
__global__ void __launch_bounds__(256)
    look_up_kernel(int64_t tokens, int64_t k, int64_t vocabulary, int64_t rows, const int32_t* ids, const int32_t* table,
                   int32_t* choices, Report report) {
  const int64_t each = k > 0 ? k : 1, step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < tokens * each; i += step) {
    const int64_t token = i / each, id = ids[token];
    if (!report.checked(Data::token_ids, id, vocabulary) || k == 0) continue;
    const int32_t choice = table[id * k + (i - token * k)];
    if (report.checked(Data::table, choice, rows)) choices[i] = choice;
  }
}

/// Counts in shared memory, then of all blocks in `sums`; where rows are many there at once.
__global__ void __launch_bounds__(256)
    count_kernel(int64_t tokens, int rows, int64_t k, int64_t first, const int32_t* choices, int32_t* sums, Report report) {
  __shared__ int32_t mine[kLists];
  const bool in_shared = rows <= kLists;
  for (int e = static_cast<int>(threadIdx.x); in_shared && e < rows; e += 256) mine[e] = 0;
  __syncthreads();
  const int64_t step = int64_t{gridDim.x} * 256;
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < tokens * first; i += step) {
    const int32_t choice = choices[first == k ? i : i / first * k + i % first];
    if (choice == -1 || !report.checked(Data::choices, choice, rows)) continue;
    atomicAdd(in_shared ? &mine[choice] : &sums[choice], 1);
  }
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); in_shared && e < rows; e += 256) {
    if (mine[e] > 0) atomicAdd(&sums[e], mine[e]);
  }
}

__global__ void __launch_bounds__(256) to_floats_kernel(int64_t count, const int32_t* sums, float* out) {
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count; i += int64_t{gridDim.x} * 256) {
    out[i] = static_cast<float>(sums[i]);
  }
}

}  // namespace

void run(const LookUp& l, const Context& context) {
  if (l.tokens == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(l.tokens * std::max<int64_t>(l.k, 1), 256)), 256, 0, look_up_kernel, l.tokens,
         l.k, l.vocabulary, l.rows, context.at<const int32_t>(l.ids), context.at<const int32_t>(l.table),
         context.at<int32_t>(l.choices), context.report());
}

void run(const CountChoices& c, const Context& context) {
  if (c.rows == 0) return;
  auto* sums = context.scratch.get<int32_t>(static_cast<size_t>(c.rows), context.stream);
  CUDA_CHECK(cudaMemsetAsync(sums, 0, static_cast<size_t>(c.rows) * 4, context.stream));
  const int64_t count = c.tokens * c.first;
  if (count > 0) {
    const auto grid = static_cast<unsigned>(std::clamp<int64_t>(ceil_div(count, 1024), 1, 1024));
    LAUNCH(context.stream, grid, 256, 0, count_kernel, c.tokens, static_cast<int>(c.rows), c.k, c.first,
           context.at<const int32_t>(c.choices), sums, context.report());
  }
  LAUNCH(context.stream, grid_of(ceil_div(c.rows, 256)), 256, 0, to_floats_kernel, c.rows, sums,
         context.at<float>(c.counts));
}

}  // namespace schemoe::cuda
