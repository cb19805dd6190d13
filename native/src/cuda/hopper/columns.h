// What gates look for in the columns of a matrix, for Hopper: eight blocks that can read each other's shared memory have
// a few columns, all of whose keys lie there, so the matrix is read once and by one launch.
#pragma once

#include "cuda/kernels/kernels.h"

namespace schemoe::cuda {

/// False for more rows than the shared memory of eight blocks can hold, for so many experts that a search by a sample is
/// sooner, and on other GPUs than those of compute capability 9.0.
bool run_on_hopper(const ChooseTokens& choose, const Context& context);
bool run_on_hopper(const RoundChoices& round, const Context& context);

namespace hopper {

/// Likewise out[column] = minus the place-th largest of logits[row, column] - margins[row].
bool find_quantiles(int64_t rows, int64_t columns, int64_t place, const float* logits, const float* margins, float* out,
                    cudaStream_t stream);

}  // namespace hopper

}  // namespace schemoe::cuda
