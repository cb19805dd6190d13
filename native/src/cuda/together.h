// Calls of a task that one kernel, or few, compute together.
#pragma once

#include <span>

#include "cuda/kernels/kernels.h"
#include "runtime/program.h"

namespace schemoe::cuda {

/// Runs as many of the calls, from the first, as are done together; 0 where none is. What is done together follows from
/// the calls' form and addresses alone.
size_t run_together(std::span<const schemoe::Call> calls, const Context& context);

}  // namespace schemoe::cuda
