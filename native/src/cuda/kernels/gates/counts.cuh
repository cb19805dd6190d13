// How many choices there are of each expert.
#pragma once

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda::gates {

inline constexpr int kLists = 2048;  // experts whose counts fit into a block's shared memory, with many blocks at once
inline constexpr int kCounting = 512;

/// The first `first` of each token's k choices, -1 being none. Counts in shared memory, then of all blocks in `sums`;
/// where experts are many there at once. The last block to be done writes them to `counts` and leaves `sums` and `done`
/// at 0, as they were.
template <class T>
static __global__ void __launch_bounds__(kCounting)
    count_kernel(int64_t tokens, int rows, int64_t k, int64_t first, const int32_t* choices, unsigned* sums, unsigned* done,
                 T* counts, Report report) {
  __shared__ unsigned mine[kLists];
  __shared__ bool last;
  constexpr int kAhead = 4;
  const bool in_shared = rows <= kLists;
  const auto thread = static_cast<int>(threadIdx.x);
  for (int e = thread; in_shared && e < rows; e += kCounting) mine[e] = 0;
  __syncthreads();
  const int64_t step = int64_t{gridDim.x} * kCounting, count = tokens * first;
  for (int64_t base = int64_t{blockIdx.x} * kCounting + thread; base < count; base += kAhead * step) {
    int32_t here[kAhead];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const int64_t i = base + u * step;
      here[u] = i < count ? choices[first == k ? i : i / first * k + i % first] : -1;
    }
#pragma unroll
    for (const int32_t choice : here) {
      if (choice == -1 || !report.checked(Data::choices, choice, rows)) continue;
      atomicAdd(in_shared ? &mine[choice] : &sums[choice], 1u);
    }
  }
  __syncthreads();
  for (int e = thread; in_shared && e < rows; e += kCounting) {
    if (mine[e] > 0) atomicAdd(&sums[e], mine[e]);
  }
  __threadfence();
  __syncthreads();
  if (thread == 0) last = atomicAdd(done, 1u) == gridDim.x - 1;
  __syncthreads();
  if (!last) return;
  for (int e = thread; e < rows; e += kCounting) counts[e] = static_cast<T>(atomicExch(&sums[e], 0u));
  if (thread == 0) *done = 0;
}

/// Whether the context has too few zeros for so many rows.
inline bool needs_sums(int64_t rows) { return rows >= Scratch::kZeros; }

/// Counts into `counts`; `sums` [rows] is needed only where `needs_sums`.
template <class T>
void count_choices(int64_t tokens, int64_t rows, int64_t k, int64_t first, const int32_t* choices, unsigned* sums,
                   T* counts, const Context& context) {
  unsigned* done = context.scratch.zeros();
  if (needs_sums(rows)) CUDA_CHECK(cudaMemsetAsync(sums, 0, static_cast<size_t>(rows) * 4, context.stream));
  else sums = done + 1;
  const auto grid = static_cast<unsigned>(std::clamp<int64_t>(ceil_div(tokens * first, 2 * kCounting), 1, 264));
  LAUNCH(context.stream, grid, kCounting, 0, count_kernel<T>, tokens, static_cast<int>(rows), k, first, choices, sums, done,
         counts, context.report());
}

}  // namespace schemoe::cuda::gates
