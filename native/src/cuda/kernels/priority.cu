// Order of an expert's choices by the best scores of their tokens.
#include "cuda/kernels/priority.cuh"

namespace schemoe::cuda::places {

namespace {

constexpr int kLeastThreads = 64, kMostThreads = 1024;
constexpr int kFew = 128;                 // compared with one another
constexpr int kChunk = 2 * kMostThreads;  // sorted in shared memory

/// Bitonic; `size` is a power of two.
__device__ void sort(uint64_t* values, int size) {
  for (int length = 2; length <= size; length *= 2) {
    for (int step = length / 2; step > 0; step /= 2) {
      __syncthreads();
      for (auto i = static_cast<int>(threadIdx.x); i < size / 2; i += static_cast<int>(blockDim.x)) {
        const int low = 2 * i - (i & (step - 1)), high = low + step;
        const uint64_t a = values[low], b = values[high];
        if ((a > b) == ((low & length) == 0)) values[low] = b, values[high] = a;
      }
    }
  }
  __syncthreads();
}

/// The same of one value a thread, `size` of at least a warp and at most the block: steps within a warp need no shared
/// memory, of which the others use one half and the other in turn.
__device__ uint64_t sorted(uint64_t mine, uint64_t* values, int size) {
  const auto thread = static_cast<int>(threadIdx.x);
  int half = 0;
  for (int length = 2; length <= size; length *= 2) {
    for (int step = length / 2; step > 0; step /= 2) {
      uint64_t other;
      if (step < 32) {
        other = __shfl_xor_sync(kAllLanes, mine, step);
      } else {
        values[half + thread] = mine;
        __syncthreads();
        other = values[half + (thread ^ step)];
        half ^= kMostThreads;
      }
      const bool smaller = ((thread & step) == 0) == ((thread & length) == 0);
      mine = (other < mine) == smaller ? other : mine;
    }
  }
  return mine;
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
__global__ void __launch_bounds__(kMostThreads)
    priority_kernel(Sequence s, Priority p, int experts, int32_t* positions) {
  __shared__ uint64_t values[kChunk];
  const auto thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
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
    for (int i = thread; i < count; i += threads) values[i] = list[i];
    __syncthreads();
    for (int i = thread; i < count; i += threads) {
      const uint64_t mine = values[i];
      int place = 0;
#pragma unroll 8
      for (int j = 0; j < count; ++j) place += values[j] < mine;
      put(mine, place);
    }
    return;
  }
  if (count <= threads) {
    int size = 2 * kFew;
    while (size < count) size *= 2;
    const uint64_t mine = sorted(thread < count ? list[thread] : ~uint64_t{0}, values, size);
    if (thread < count) put(mine, thread);
    return;
  }
  for (int first = 0; first < count; first += kChunk) {
    const int here = min(count - first, kChunk);
    int size = kFew;
    while (size < here) size *= 2;
    for (int i = thread; i < size; i += threads) values[i] = i < here ? list[first + i] : ~uint64_t{0};
    sort(values, size);
    for (int i = thread; i < here; i += threads) {
      if (count <= kChunk) put(values[i], i);
      else list[first + i] = values[i];
    }
    __syncthreads();
  }
  if (count <= kChunk) return;
  // Of more than one chunk: how many in each of the others go before.
  for (int i = thread; i < count; i += threads) {
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
  // As many threads as mostly have one choice each where experts are chosen about alike.
  int64_t threads = kLeastThreads;
  while (threads < kMostThreads && 2 * threads * s.experts < 3 * s.tokens) threads *= 2;
  LAUNCH(context.stream, grid_of(int64_t{experts} * s.k), static_cast<unsigned>(threads), 0, priority_kernel, s, p, experts,
         positions);
}

}  // namespace schemoe::cuda::places
