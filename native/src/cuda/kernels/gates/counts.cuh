// How many choices there are of each expert.
#pragma once

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::gates {

inline constexpr int kLists = 2048;  // experts whose counts fit into a block's shared memory, with many blocks at once

/// The first `first` of each token's k choices, -1 being none. Counts in shared memory, then of all blocks in `sums`;
/// where experts are many there at once.
static __global__ void __launch_bounds__(256)
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

/// Counts into `sums`, which are set to 0 before.
inline void count_choices(int64_t tokens, int64_t rows, int64_t k, int64_t first, const int32_t* choices, int32_t* sums,
                          const Context& context) {
  CUDA_CHECK(cudaMemsetAsync(sums, 0, static_cast<size_t>(rows) * 4, context.stream));
  const int64_t count = tokens * first;
  if (count == 0) return;
  const auto grid = static_cast<unsigned>(std::clamp<int64_t>(ceil_div(count, 1024), 1, 1024));
  LAUNCH(context.stream, grid, 256, 0, count_kernel, tokens, static_cast<int>(rows), k, first, choices, sums,
         context.report());
}

}  // namespace schemoe::cuda::gates
