// Order of an expert's choices by the best scores of their tokens.
#include "cuda/kernels/priority.cuh"

namespace schemoe::cuda::places {

namespace {

constexpr int kThreads = 128;
constexpr int kFew = 128;      // compared with one another
constexpr int kChunk = 2048;   // sorted in shared memory

/// Bitonic; `size` is a power of two.
__device__ void sort(uint64_t* values, int size) {
  for (int length = 2; length <= size; length *= 2) {
    for (int step = length / 2; step > 0; step /= 2) {
      __syncthreads();
      for (int i = static_cast<int>(threadIdx.x); i < size / 2; i += kThreads) {
        const int low = i / step * 2 * step + i % step, high = low + step;
        const uint64_t a = values[low], b = values[high];
        if ((a > b) == ((low & length) == 0)) values[low] = b, values[high] = a;
      }
    }
  }
  __syncthreads();
}

/// How many of a sorted list are smaller.
__device__ int smaller(const uint64_t* list, int count, uint64_t value) {
  int low = 0, high = count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/// A block has those of one choice and one expert.
__global__ void __launch_bounds__(kThreads)
    priority_kernel(Sequence s, Priority p, int experts, int32_t* positions) {
  __shared__ uint64_t values[kChunk];
  const auto thread = static_cast<int>(threadIdx.x);
  const int expert = static_cast<int>(blockIdx.x) % experts, choice = static_cast<int>(blockIdx.x) / experts;
  const int start = p.starts[choice * s.experts + expert];
  const int count = p.starts[(choice + 1) * s.experts + expert] - start;
  uint64_t* list = p.list + p.bases[expert] + start;
  const auto put = [&](uint64_t value, int place) {
    const auto token = static_cast<int64_t>(value & 0xffffffffu);
    // A Program that changes choices meanwhile may have left anything in the list.
    if (token < s.tokens) positions[token * s.k + choice] = start + place;
  };
  if (count <= kFew) {
    for (int i = thread; i < count; i += kThreads) values[i] = list[i];
    __syncthreads();
    for (int i = thread; i < count; i += kThreads) {
      const uint64_t mine = values[i];
      int place = 0;
#pragma unroll 8
      for (int j = 0; j < count; ++j) place += values[j] < mine;
      put(mine, place);
    }
    return;
  }
  for (int first = 0; first < count; first += kChunk) {
    const int here = min(count - first, kChunk);
    int size = kFew;
    while (size < here) size *= 2;
    for (int i = thread; i < size; i += kThreads) values[i] = i < here ? list[first + i] : ~uint64_t{0};
    sort(values, size);
    for (int i = thread; i < here; i += kThreads) {
      if (count <= kChunk) put(values[i], i);
      else list[first + i] = values[i];
    }
    __syncthreads();
  }
  if (count <= kChunk) return;
  // Of more than one chunk: how many in each of the others go before.
  for (int i = thread; i < count; i += kThreads) {
    const uint64_t mine = list[i];
    int place = i % kChunk;
    for (int first = 0; first < count; first += kChunk) {
      if (first != i / kChunk * kChunk) place += smaller(list + first, min(count - first, kChunk), mine);
    }
    put(mine, place);
  }
}

}  // namespace

void order_by_priority(const Sequence& s, const Priority& p, int32_t* positions, const Context& context) {
  const int experts = s.targets ? std::min(s.sent, s.experts) : s.experts;
  if (experts == 0) return;
  LAUNCH(context.stream, grid_of(int64_t{experts} * s.k), kThreads, 0, priority_kernel, s, p, experts, positions);
}

}  // namespace schemoe::cuda::places
