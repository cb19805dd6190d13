// Instructions of Hopper GPUs (sm_90a) that CUDA C++ has no functions for: barriers in shared memory that
// count bytes, copies of tiles by the tensor memory accelerator, and what clusters of blocks share.
// Source: the PTX ISA, chapters on mbarrier, cp.async.bulk.tensor and setmaxnreg.
#pragma once

#include <cuda.h>

#include <cstdint>

namespace schemoe::cuda::hopper {

__device__ inline uint32_t shared_address(const void* at) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(at));
}

/// A barrier, by its address in shared memory. Its phases alternate between 0 and 1.
struct Barrier {
  uint32_t at;

  __device__ void init(uint32_t arrivals) const {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(at), "r"(arrivals) : "memory");
  }
  /// Arrives, and lets the phase end only when so many bytes have come.
  __device__ void expect(uint32_t bytes) const {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(at), "r"(bytes) : "memory");
  }
  __device__ void arrive() const {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(at) : "memory");
  }
  /// Arrives at the barrier in the same place of another block of the cluster.
  __device__ void arrive_at(uint32_t block) const {
    asm volatile(
        "{\n"
        ".reg .b32 there;\n"
        "mapa.shared::cluster.u32 there, %0, %1;\n"
        "mbarrier.arrive.shared::cluster.b64 _, [there];\n"
        "}\n" ::"r"(at), "r"(block)
        : "memory");
  }
  /// Until the phase of that parity has ended.
  __device__ void wait(uint32_t parity) const {
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "again:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@done bra over;\n"
        "bra again;\n"
        "over:\n"
        "}\n" ::"r"(at), "r"(parity)
        : "memory");
  }
};

/// Makes new barriers known to the copies and to the other block.
__device__ inline void fence_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

/// All threads of the cluster's blocks meet.
__device__ inline void meet_cluster() {
  asm volatile("barrier.cluster.arrive.release;\nbarrier.cluster.wait.acquire;" ::: "memory");
}

__device__ inline uint32_t block_in_cluster() {
  uint32_t rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

/// Where what lies at `own` in this block's shared memory lies in that of another block of the cluster.
template <class T>
__device__ inline T* in_block(T* own, uint32_t block) {
  T* there;
  asm("mapa.u64 %0, %1, %2;" : "=l"(there) : "l"(own), "r"(block));
  return there;
}

/// So many threads meet, at a barrier of that number.
template <int kThreads>
__device__ inline void meet_consumers(uint32_t number) {
  asm volatile("bar.sync %0, %1;" ::"r"(number), "n"(kThreads) : "memory");
}

/// Makes this thread's stores to shared memory known to tensor cores and to copies of tiles.
__device__ inline void fence_stores() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

template <int kRegisters>
__device__ inline void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ inline void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// Where a tile lies in a tensor of three dimensions, the contiguous one first.
struct Place {
  int32_t x, y, z;
};

__device__ inline void prefetch_map(const CUtensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}

/// Copies a tile into this block's shared memory; what lies outside of the tensor comes as zeros.
__device__ inline void load_tile(uint32_t to, const CUtensorMap* map, Place from, Barrier arrived) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], [%5];"
      ::"r"(to), "l"(map), "r"(from.x), "r"(from.y), "r"(from.z), "r"(arrived.at)
      : "memory");
}

/// The same into both blocks of a cluster of two, whose barriers in that place both hear of it.
__device__ inline void load_tile_for_both(uint32_t to, const CUtensorMap* map, Place from, Barrier arrived) {
  constexpr uint16_t kBoth = 3;
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
      "[%0], [%1, {%2, %3, %4}], [%5], %6;"
      ::"r"(to), "l"(map), "r"(from.x), "r"(from.y), "r"(from.z), "r"(arrived.at), "h"(kBoth)
      : "memory");
}

/// Copies contiguous bytes, a multiple of 16 between addresses that are.
__device__ inline void load_bytes(uint32_t to, const void* from, uint32_t bytes, Barrier arrived) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(arrived.at)
               : "memory");
}

__device__ inline void store_shared(uint32_t to, uint4 v) {
  asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}
__device__ inline uint4 load_shared(uint32_t from) {
  uint4 v;
  asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "r"(from)
               : "memory");
  return v;
}
__device__ inline float2 load_pair(uint32_t from) {
  float2 v;
  asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(v.x), "=f"(v.y) : "r"(from) : "memory");
  return v;
}

/// Four matrices of 8 x 8 elements of 16 bits, transposed between registers and shared memory; a lane
/// gives the address of one row of eight.
__device__ inline void store_transposed(uint32_t to, const uint32_t (&m)[4]) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};"
               ::"r"(to), "r"(m[0]), "r"(m[1]), "r"(m[2]), "r"(m[3])
               : "memory");
}
__device__ inline void load_transposed(uint32_t (&m)[4], uint32_t from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(m[0]), "=r"(m[1]), "=r"(m[2]), "=r"(m[3])
               : "r"(from)
               : "memory");
}

}  // namespace schemoe::cuda::hopper
