// Code that was compiled for this run, on GPUs.
#pragma once

#include "cuda/world.h"
#include "runtime/program.h"

namespace schemoe::cuda {

/// Loads what the Program calls on all GPUs of this process, so that nothing is loaded while kernels wait for each
/// other, and calls each function that names its output twice, on zeros, for sizes that are new. Throws INVALID
/// where it writes beside its output, less than that, or something else the second time.
void prove_sources(const Program& program, const World& world);

}  // namespace schemoe::cuda
