// In place of the header of that name in src.
#pragma once

#include <cuda_runtime.h>

#include <cstring>

#include "cuda/kernels/mma_instructions.cuh"
#include "hopper.h"

namespace schemoe::cuda::hopper {

inline uint32_t shared_address(const void* at) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(at) - ::emulated::dynamic.begin);
}

struct Barrier {
  uint32_t at;
  void init(uint32_t arrivals) const { ::emulated::init_barrier(at, arrivals); }
  void expect(uint32_t bytes) const { ::emulated::arrive(at, bytes, ::emulated::running.rank); }
  void arrive() const { ::emulated::arrive(at, 0, ::emulated::running.rank); }
  void arrive_at(uint32_t block) const { ::emulated::arrive(at, 0, block); }
  void wait(uint32_t parity, WHERE) const { ::emulated::wait_for_phase(at, parity, where); }
};

inline void fence_barriers() {}
EMULATED void meet_cluster(WHERE) { ::emulated::sync_cluster(where); }
EMULATED uint32_t block_in_cluster() { return ::emulated::running.rank; }
template <class T>
EMULATED T* in_block(T* own, uint32_t block) {
  return static_cast<T*>(::emulated::in_block(own, block));
}
template <int kThreads>
inline void meet_consumers(uint32_t number, WHERE) { ::emulated::meet(number, kThreads, where); }
inline void fence_stores() {}
template <int kRegisters>
inline void give_registers() {}
template <int kRegisters>
inline void take_registers() {}

struct Place {
  int32_t x, y, z;
};
inline void load_tile(uint32_t to, const CUtensorMap* map, Place from, Barrier arrived) {
  ::emulated::copy_tile(to, *map, {from.x, from.y, from.z}, arrived.at, block_in_cluster());
}
inline void load_tile_for_both(uint32_t to, const CUtensorMap* map, Place from, Barrier arrived) {
  for (uint32_t block = 0; block < 2; ++block) ::emulated::copy_tile(to, *map, {from.x, from.y, from.z}, arrived.at, block);
}
inline void load_bytes(uint32_t to, const void* from, uint32_t bytes, Barrier arrived) {
  ::emulated::copy_bytes(to, from, bytes, arrived.at);
}
EMULATED void store_shared(uint32_t to, uint4 v) { __builtin_memcpy(::emulated::shared_at(to, sizeof v), &v, sizeof v); }
EMULATED uint4 load_shared(uint32_t from) {
  uint4 v;
  __builtin_memcpy(&v, ::emulated::shared_at(from, sizeof v), sizeof v);
  return v;
}
EMULATED float2 load_pair(uint32_t from) {
  float2 v;
  __builtin_memcpy(&v, ::emulated::shared_at(from, sizeof v), sizeof v);
  return v;
}


EMULATED void store_transposed(uint32_t to, const uint32_t (&m)[4], WHERE) { ::emulated::store_matrices(to, m, where); }
EMULATED void load_transposed(uint32_t (&m)[4], uint32_t from, WHERE) { ::schemoe::cuda::mma::load_four_transposed(m, from, where); }

}  // namespace schemoe::cuda::hopper
