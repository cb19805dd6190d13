// Gradients of attention. One kernel has those of queries and one those of keys and values; both compute the scores again,
// which is seven products instead of five, but no sum whose order depends on timing.
#include "cuda/hopper/attention_grad.cuh"

namespace schemoe::cuda::hopper {

namespace {

/// Statistics of each query: as many lanes as have its 16 bytes each.
template <int D>
__global__ void __launch_bounds__(256) statistics_kernel(Extent of, int64_t items, int32_t padded, const bf16* out,
                                                         const bf16* dout, const float* logsum, float* shift, float* delta) {
  constexpr int kLanes = D / 8;
  const int64_t item = (int64_t{blockIdx.x} * 256 + threadIdx.x) / kLanes;  // of [batch, padded, heads]
  const int lane = static_cast<int>(threadIdx.x) % kLanes;
  const int64_t row = item / of.heads, head = item % of.heads, sequence = row / padded, token = row % padded;
  const bool there = item < items && token < of.length;
  float sum = 0;
  if (there) {
    const int64_t at = ((sequence * of.length + token) * of.heads + head) * D + 8 * lane;
    float a[8], b[8];
    load(a, out + at);
    load(b, dout + at);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum = __fmaf_rn(a[i], b[i], sum);
  }
#pragma unroll
  for (int step = kLanes / 2; step > 0; step /= 2) sum += __shfl_xor_sync(kAllLanes, sum, step);
  if (item >= items || lane != 0) return;
  const int64_t sums = sequence * of.heads + head;
  delta[sums * padded + token] = sum;
  shift[sums * padded + token] = there ? -logsum[sums * of.length + token] * kLog2e : 0.0f;
}

int32_t padded_of(const Heads& h) { return static_cast<int32_t>(ceil_div(h.length, kPadded) * kPadded); }

template <int D>
void launch_statistics(const AttentionBackward& a, float* shift, float* delta, cudaStream_t stream) {
  const Heads& h = a.heads;
  const int64_t items = h.batch * padded_of(h) * h.heads;
  LAUNCH(stream, grid_of(ceil_div(items * (D / 8), 256)), 256, 0, statistics_kernel<D>, extent_of(h), items, padded_of(h),
         static_cast<const bf16*>(a.out), static_cast<const bf16*>(a.dout), a.logsum, shift, delta);
}

}  // namespace

int64_t scratch_of(const Heads& h) { return 2 * h.batch * h.heads * padded_of(h); }

void run(const AttentionBackward& a, cudaStream_t stream) {
  const Heads& h = a.heads;
  float *const shift = a.scratch, *const delta = shift + h.batch * h.heads * padded_of(h);
  if (h.dim == 64) launch_statistics<64>(a, shift, delta, stream);
  else launch_statistics<128>(a, shift, delta, stream);
  const GradArguments p{map_of(a.q, h, h.heads),
                        map_of(a.k, h, h.key_heads),
                        map_of(a.v, h, h.key_heads),
                        map_of(a.dout, h, h.heads),
                        extent_of(h),
                        padded_of(h),
                        shift,
                        delta,
                        static_cast<bf16*>(a.dq),
                        static_cast<bf16*>(a.dk),
                        static_cast<bf16*>(a.dv)};
  run_query_grad(h, p, stream);
  run_key_grad(h, p, stream);
}

}  // namespace schemoe::cuda::hopper
