// What Hopper GPUs have in hardware for a block: barriers that count bytes, copies of tiles, products of a warpgroup.
// Copies are done at once; products only when they are awaited, so that who reads sums or lets go of factors before that
// gets something else.
#pragma once

#include <cuda.h>

#include "block.h"

namespace emulated {

/// Of the shared memory that the launch asked for.
void* shared_at(uint32_t address, size_t bytes);

void init_barrier(uint32_t at, uint32_t arrivals);
/// Of one thread, which may say that the phase has so many bytes more to wait for.
void arrive(uint32_t at, uint32_t bytes);
void wait_for_phase(uint32_t at, uint32_t parity, Where where);

/// From a place in elements, the contiguous dimension first.
void copy_tile(uint32_t to, const CUtensorMap& map, const int32_t (&place)[3], uint32_t barrier);
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
