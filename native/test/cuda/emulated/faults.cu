#include "faults.h"

#include "cuda/hopper/ptx.cuh"
#include "cuda/hopper/wgmma.cuh"
#include "cuda/kernels/launch.cuh"

namespace faults {

namespace {

using namespace schemoe::cuda;

/// Each thread takes what its neighbour has put into shared memory.
__global__ void rotate(int* x, bool wrong) {
  __shared__ int row[kThreads];
  row[threadIdx.x] = x[threadIdx.x];
  if (!wrong) __syncthreads();
  x[threadIdx.x] = row[(threadIdx.x + 1) % kThreads];
}

/// The same in a warp; lanes that meet in a shuffle order no memory.
__global__ void rotate_in_warp(int* x, bool wrong) {
  DYNAMIC_SHARED(int, row);
  row[threadIdx.x] = x[threadIdx.x];
  if (wrong) __shfl_sync(kAllLanes, 0, 0);
  else __syncwarp();
  x[threadIdx.x] = row[threadIdx.x ^ 1];
}

__global__ void sum_without_one(int* x, bool wrong) {
  x[threadIdx.x] = wrong && threadIdx.x == 5 ? 0 : warp_sum(x[threadIdx.x]);
}

__global__ void vote_or_shuffle(int* x, bool wrong) {
  x[threadIdx.x] = wrong && threadIdx.x % 2 ? __shfl_sync(kAllLanes, 1, 0) : __all_sync(kAllLanes, true);
}

__global__ void two_barriers(int* x, bool wrong) {
  if (wrong && threadIdx.x >= 64) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  x[threadIdx.x] = 1;
}

__global__ void end_before_vote(int* x, bool wrong) {
  if (wrong && threadIdx.x == 0) return;
  x[threadIdx.x] = __ballot_sync(kAllLanes, true) != 0;
}

__global__ void one_too_many(int* x, bool wrong) {
  for (int i = threadIdx.x; i < kThreads + wrong; i += 32) x[i] += 1;
}

__global__ void four_at_once(int* x, bool wrong) { reinterpret_cast<int4*>(x + wrong)[threadIdx.x] = make_int4(1, 2, 3, 4); }

__global__ void beyond_array(int* x, bool wrong) {
  __shared__ int first[kThreads], second[kThreads];
  second[threadIdx.x] = 2;
  __syncthreads();
  first[threadIdx.x + wrong] = 1;
  __syncthreads();
  x[threadIdx.x] = first[threadIdx.x] + second[threadIdx.x];
}

__global__ void beyond_dynamic(int* x, bool wrong) {
  DYNAMIC_SHARED(int, row);
  row[threadIdx.x + wrong] = 1;
  x[threadIdx.x] = 0;
}

__global__ void count(int* x, bool wrong) {
  if (wrong) *x += static_cast<int>(threadIdx.x) + 1;
  else atomicAdd(x, 1);
}

__global__ void wait_for_nobody(int* x, bool wrong) {
  DYNAMIC_SHARED(uint64_t, memory);
  const hopper::Barrier barrier{hopper::shared_address(memory)};
  if (threadIdx.x == 0) barrier.init(1);
  __syncthreads();
  if (threadIdx.x == 0 && !wrong) barrier.arrive();
  barrier.wait(0);
  x[threadIdx.x] = 1;
}

__global__ void different_products(int* x, bool wrong) {
  hopper::Sums<64> sums;
  const uint32_t rows[4] = {};
  hopper::begin_products();
  hopper::multiply<64, true>(sums, rows, hopper::Factor<true>::describe(wrong && threadIdx.x >= 64 ? 2048 : 0), 0);
  hopper::commit_products();
  hopper::await_products<0>();
  x[threadIdx.x] = static_cast<int>(sums[0][0]);
}

__global__ void factors_beyond(int* x, bool wrong) {
  hopper::Sums<64> sums;
  const uint32_t rows[4] = {};
  hopper::multiply<64, true>(sums, rows, hopper::Factor<true>::describe(wrong ? 1024 : 0), 0);
  hopper::commit_products();
  hopper::await_products<0>();
  x[threadIdx.x] = static_cast<int>(sums[0][0]);
}

/// Each block of a cluster takes what the other one has put into its shared memory.
__global__ void swap_blocks(int* x, bool wrong) {
  DYNAMIC_SHARED(int, row);
  row[threadIdx.x] = static_cast<int>(hopper::block_in_cluster());
  if (!wrong) hopper::meet_cluster();
  x[threadIdx.x] = hopper::in_block(row, 1 - hopper::block_in_cluster())[threadIdx.x] + static_cast<int>(hopper::block_in_cluster());
  hopper::meet_cluster();
}

__global__ void end_before_other(int* x, bool wrong) {
  DYNAMIC_SHARED(int, row);
  row[threadIdx.x] = 1;
  hopper::meet_cluster();
  if (wrong && hopper::block_in_cluster() == 1) return;
  __syncthreads();
  x[threadIdx.x] = hopper::in_block(row, 1)[threadIdx.x];
  hopper::meet_cluster();
}

__global__ void two_meetings(int* x, bool wrong) {
  if (wrong && hopper::block_in_cluster() == 1) {
    hopper::meet_cluster();
  } else {
    hopper::meet_cluster();
  }
  x[threadIdx.x] = 1;
}

__global__ void beyond_cluster(int* x, bool wrong) {
  DYNAMIC_SHARED(int, row);
  row[threadIdx.x] = 1;
  hopper::meet_cluster();
  x[threadIdx.x] = *hopper::in_block(row, wrong ? 2 : 1);
  hopper::meet_cluster();
}

__global__ void fixed_in_cluster(int* x, bool wrong) {
  __shared__ int fixed;
  DYNAMIC_SHARED(int, row);
  (wrong ? fixed : row[0]) = 1;
  __syncthreads();
  x[threadIdx.x] = wrong ? fixed : row[0];
}

__global__ void mark(int* x) { *x = 1; }

}  // namespace

#define ON(grid, threads, shared, kernel) \
  #kernel, [](int* x, bool wrong) { LAUNCH(nullptr, grid, threads, shared, kernel, x, wrong); }
#define ON_TWO(kernel) \
  #kernel, [](int* x, bool wrong) { LAUNCH_CLUSTERS(2, nullptr, 2, kThreads, kThreads * 4, kernel, x, wrong); }

std::vector<Faulty> all() {
  return {
      {ON(1, kThreads, 0, rotate), {"race", "of a shared array"}},
      {ON(1, 32, 128, rotate_in_warp), {"race", "of shared memory"}},
      {ON(1, 32, 0, sum_without_one), {"lanes diverge", "thread 5 has ended", "a shuffle at launch.cuh"}},
      {ON(1, 32, 0, vote_or_shuffle), {"lanes diverge", "a shuffle at faults.cu", "a vote"}},
      {ON(1, kThreads, 0, two_barriers), {"threads diverge", "barrier at faults.cu"}},
      {ON(1, 32, 0, end_before_vote), {"lanes diverge", "thread 0 has ended"}},
      {ON(1, 32, 0, one_too_many), {"outside of all buffers", "4 bytes from byte 512 on of 512"}},
      {ON(1, 32, 0, four_at_once), {"aligned"}},
      {ON(1, kThreads, 0, beyond_array), {"index 128", "beyond an array"}},
      {ON(1, kThreads, kThreads * 4, beyond_dynamic), {"outside of all buffers"}},
      {ON(1, kThreads, 0, count), {"race"}},
      {ON(1, kThreads, 8, wait_for_nobody), {"waits for a barrier in shared memory at faults.cu"}},
      {ON(1, kThreads, 4096, different_products), {"threads of a warpgroup diverge"}},
      {ON(1, kThreads, 2048, factors_beyond), {"shared memory that the launch has not asked for"}},
      {ON_TWO(swap_blocks), {"race"}},
      {ON_TWO(end_before_other), {"outside of all buffers", "of shared memory of its cluster"}},
      {ON_TWO(two_meetings), {"threads diverge", "the cluster's barrier at faults.cu"}},
      {ON_TWO(beyond_cluster), {"block 2 of its cluster"}},
      {ON_TWO(fixed_in_cluster), {"of fixed size in a cluster"}},
      {"mark, in clusters of three", [](int* x, bool wrong) { LAUNCH_CLUSTERS(3, nullptr, wrong ? 4 : 3, kThreads, 0, mark, x); }, {"cannot be launched"}},
      {"mark, where all write the same", [](int* x, bool) { LAUNCH(nullptr, 4, kThreads, 0, mark, x); }, {}},
      {"mark by too many threads", [](int* x, bool wrong) { LAUNCH(nullptr, 1, wrong ? 2048 : 1024, 0, mark, x); }, {"cannot be launched"}},
  };
}

}  // namespace faults
