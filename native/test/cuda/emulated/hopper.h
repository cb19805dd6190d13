// What Hopper GPUs have in hardware for a block: barriers that count bytes, copies of tiles, products of a warpgroup.
// Copies are done at once; products only when they are awaited, so that who reads sums or lets go of factors before that
// gets something else.
#pragma once

#include <cuda.h>

#include "block.h"

namespace emulated {

/// Of the shared memory that the launch asked for, of this block or of another one of the cluster.
void* shared_at(uint32_t address, size_t bytes);
void* shared_at(uint32_t address, size_t bytes, unsigned block);

void init_barrier(uint32_t at, uint32_t arrivals);
/// Of one thread, at the barrier of a block of its cluster; it may say that the phase has so many bytes more to wait for.
void arrive(uint32_t at, uint32_t bytes, unsigned block);
void wait_for_phase(uint32_t at, uint32_t parity, Where where);

/// So many threads meet at a barrier of that number.
void meet(uint32_t number, uint32_t threads, Where where);

/// Four matrices of 8 x 8, transposed, from the lanes of a warp, of which each gives the address of a row.
void store_matrices(uint32_t to, const uint32_t (&mine)[4], Where where);

/// From a place in elements, the contiguous dimension first, to a block of the cluster.
void copy_tile(uint32_t to, const CUtensorMap& map, const int32_t (&place)[3], uint32_t barrier, unsigned block);
void copy_bytes(uint32_t to, const void* from, uint32_t bytes, uint32_t barrier);

/// A thread's part of a product of 64 x 16 and 16 x columns.
struct Product {
  int columns;
  bool across_a, across_b, add;
  uint64_t a, b;         // descriptors
  const uint32_t* rows;  // or the first factor in registers
  float* sums;
};
void multiply(const Product& product, Where where);
void commit_products();
void await_products(unsigned left, Where where);

}  // namespace emulated
