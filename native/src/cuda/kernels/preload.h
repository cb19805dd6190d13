// Loading of all kernels ahead of their first launch.
#pragma once

#include "cuda/world.h"

namespace schemoe::cuda {

/// Notes a kernel of a source file, by which all kernels of the file are found; returns true.
bool note_kernels(const void* kernel);

/// Loads the kernels of all source files on the GPUs of a world, once: the driver loads a kernel at its
/// first launch otherwise, which would count as time of the first run that has it. It may also wait for
/// the GPU to be idle for that, which it never is while kernels wait for others that have not been launched.
void preload_kernels(const World& world);

}  // namespace schemoe::cuda
