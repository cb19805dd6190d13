// Sums over columns that the blocks which are done last add up, with no further launch. Their order is that of
// `finish_kernel`, and so are their bits: parts whose numbers differ by a multiple of 32 first, then these 32.
#pragma once

#include "cuda/kernels/gates/means.cuh"

namespace schemoe::cuda::gates {

inline constexpr unsigned kClasses = kFinish / 32;
/// Threads of a block, which are enough for as many columns: what follows from all sums has one of them a thread.
inline constexpr int kLastThreads = 512;

/// Parts, and behind them and their sums what blocks of one class have together [kClasses, columns].
inline Parts parts_for_last(unsigned blocks, int64_t columns, const Context& context) {
  context.scratch.get<double>(static_cast<size_t>((blocks + 1 + kClasses) * columns + 1), context.stream);
  return parts_for(blocks, columns, context);
}

/// Whether this block is the last of so many that come, to all of its threads. Leaves 0, as it was.
__device__ inline bool comes_last(unsigned* come, unsigned count) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(come, 1u) == count - 1;
    if (last) *come = 0;
  }
  __syncthreads();
  const bool mine = last;
  if (mine) __threadfence();
  return mine;
}

/// After a block's part has been written, by all of its threads; `zeros` are those of the context.
template <class Finish>
__device__ void finish_last(int64_t columns, const Parts& parts, unsigned* zeros, const Finish& then) {
  const unsigned own = blockIdx.x % kClasses;
  if (!comes_last(&zeros[1 + own], (parts.blocks - own + kClasses - 1) / kClasses)) return;
  // Others have written them: never from this multiprocessor's cache.
  const auto* of_blocks = static_cast<const volatile double*>(parts.sums);
  double* sums = parts.sums + parts.blocks * columns;
  double* of_classes = sums + columns + 1;
  const int64_t column = threadIdx.x;
  if (column < columns) {
    double share = 0;
#pragma unroll 8
    for (unsigned block = own; block < parts.blocks; block += kClasses) share += of_blocks[block * columns + column];
    of_classes[own * columns + column] = share;
  }
  const unsigned classes = min(parts.blocks, kClasses);
  if (!comes_last(zeros, classes)) return;
  if (column < columns) {
    const auto* from = static_cast<const volatile double*>(of_classes) + column;
    constexpr unsigned kHalf = kClasses / 2;
    double shares[kHalf];
#pragma unroll
    for (unsigned i = 0; i < kHalf; ++i) {
      const double a = i < classes ? from[i * columns] : 0.0, b = i + kHalf < classes ? from[(i + kHalf) * columns] : 0.0;
      shares[i] = a + b;
    }
#pragma unroll
    for (unsigned level = 2; level <= kHalf; level *= 2) {
#pragma unroll
      for (unsigned i = 0; i < kHalf / 2; ++i) {
        if (i < kHalf / level) shares[i] += shares[i + kHalf / level];
      }
    }
    sums[column] = shares[0];
  }
  __syncthreads();
  then(static_cast<const volatile double*>(sums), columns);
}

}  // namespace schemoe::cuda::gates
