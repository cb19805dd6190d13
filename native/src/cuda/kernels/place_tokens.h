// Tokens to rows that exist only where places are taken, beside products with what is there.
#pragma once

#include <span>

#include "cuda/kernels/kernels.h"
#include "runtime/program.h"

namespace schemoe::cuda {

/// The dot products of tokens with rows and, in the same kernel, the tokens to rows that lie alike: gradients of the
/// weights and of the rows, whose tokens are read once. Returns how many calls it ran, 2 or 0; the bits are those of the
/// calls alone.
size_t run_dots_and_places(std::span<const schemoe::Call> calls, const Context& context);

}  // namespace schemoe::cuda
