// Which products of a gate are those of planes on Hopper GPUs.
#pragma once

#include <span>

#include "cuda/kernels/kernels.h"
#include "runtime/program.h"

namespace schemoe::cuda {

/// Logits of bfloat16 rows and a float32 weight, or the gradient of either; false for others, few experts, sizes and
/// addresses that the kernels do not do, and on other GPUs than those of compute capability 9.0.
bool run_on_hopper(const Gemm& gemm, const Context& context);

/// Both gradients, where they come after each other: those of the logits are split once. Returns how many calls it ran,
/// 2 or 0; the bits are those of the calls alone.
size_t run_gate_gradients(std::span<const schemoe::Call> calls, const Context& context);

}  // namespace schemoe::cuda
