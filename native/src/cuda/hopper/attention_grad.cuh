// What the kernels of attention's gradients are given.
#pragma once

#include "cuda/hopper/attention_parts.cuh"

namespace schemoe::cuda::hopper {

constexpr int64_t kPadded = 128;  // rows of statistics come in as many, so that a whole tile's can be copied

struct GradArguments {
  CUtensorMap q, k, v, dout;
  Extent of;
  int32_t padded;      // length of statistics
  const float* shift;  // [batch, heads, padded]: minus the logarithm of a row's sum of exponentials, to base 2
  const float* delta;  // [batch, heads, padded]: the sum of dout * out
  bf16 *dq, *dk, *dv;
};

void run_query_grad(const Heads& heads, const GradArguments& arguments, cudaStream_t stream);
void run_key_grad(const Heads& heads, const GradArguments& arguments, cudaStream_t stream);

}  // namespace schemoe::cuda::hopper
