// Causal attention of bfloat16 for Hopper GPUs, forward and backward. Memory is linear in the length.
#pragma once

#include <cuda_runtime_api.h>

#include "cuda/kernels/kernels.h"

namespace schemoe::cuda {

/// False for sizes and addresses that the kernels do not do, heads of other than 64 or 128 columns, and on other GPUs
/// than those of compute capability 9.0.
bool run_on_hopper(const Attention& attention, const Context& context);
bool run_on_hopper(const AttentionGrad& gradient, const Context& context);

namespace hopper {

/// q, out and their gradients are [batch, length, heads, dim], k, v and theirs [batch, length, key_heads, dim].
struct Heads {
  int64_t batch, length, heads, key_heads, dim;
  float scale;  // of the scores
};

struct AttentionForward {
  Heads heads;
  const void *q, *k, *v;
  void* out;
  float* logsum;  // [batch, heads, length]
};

struct AttentionBackward {
  Heads heads;
  const void *q, *k, *v, *out, *dout;
  const float* logsum;
  void *dq, *dk, *dv;
  float* scratch;  // scratch_of(heads)
};

/// Elements that the gradients need for themselves.
int64_t scratch_of(const Heads& heads);

void run(const AttentionForward& attention, cudaStream_t stream);
void run(const AttentionBackward& gradient, cudaStream_t stream);

}  // namespace hopper

}  // namespace schemoe::cuda
