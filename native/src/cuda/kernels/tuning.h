// What choosing an algorithm needs of the GPU.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "schemoe.h"

namespace schemoe::cuda {

/// Fills with numbers that look random and depend on the seed alone.
void numbers(void* to, int64_t count, schemoe_dtype dtype, uint32_t seed, cudaStream_t stream);
/// Sets `different` to 1 where any byte differs of an even number.
void find_difference(const void* a, const void* b, int64_t bytes, unsigned* different, cudaStream_t stream);

}  // namespace schemoe::cuda
