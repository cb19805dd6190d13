// Causal attention of bfloat16 on tensor cores.
#pragma once

#include "cuda/kernels/kernels.h"

namespace schemoe::cuda {

/// False for sizes and addresses that the kernels do not do: heads of other than 64 or 128 columns.
bool run_on_tensor_cores(const Attention& attention, const Context& context);
bool run_on_tensor_cores(const AttentionGrad& gradient, const Context& context);

}  // namespace schemoe::cuda
