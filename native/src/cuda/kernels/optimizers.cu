// Clipping of gradients, updates by momentum, and rounding of parameters.
#include <cmath>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void clip_scale_kernel(int64_t count, const float* sums, float* out, double limit) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += sums[i];
  const double norm = sqrt(sum);
  out[0] = static_cast<float>(norm);
  out[1] = limit > 0 && norm > limit ? static_cast<float>(limit / norm) : 1.0f;
}

__global__ void __launch_bounds__(kThreads)
    sgd_kernel(int64_t count, float* p, const float* gradient, float* v, const float* clip, const float* rates,
               float momentum) {
  const float factor = clip[1], rate = rates[0];
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += int64_t{gridDim.x} * kThreads) {
    const float velocity = momentum * v[i] + gradient[i] * factor;
    v[i] = velocity;
    p[i] -= rate * velocity;
  }
}

template <int V>
__global__ void __launch_bounds__(kThreads) round_kernel(int64_t count, const float* x, bf16* out) {
  for (int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * V; i < count; i += int64_t{gridDim.x} * kThreads * V) {
    float values[V];
    load(values, x + i);
    store(out + i, values);
  }
}

}  // namespace

void run(const Round& r, const Context& context) {
  if (r.count == 0) return;
  const auto* x = context.at<const float>(r.x);
  auto* out = context.at<bf16>(r.out);
  constexpr int kWide = 8;
  if (r.count % kWide == 0 && aligned(x) && aligned(out)) {
    LAUNCH(context.stream, grid_of(ceil_div(r.count, kThreads * kWide)), kThreads, 0, round_kernel<kWide>, r.count, x, out);
  } else {
    LAUNCH(context.stream, grid_of(ceil_div(r.count, kThreads)), kThreads, 0, round_kernel<1>, r.count, x, out);
  }
}

void run(const ClipScale& c, const Context& context) {
  LAUNCH(context.stream, 1, 1, 0, clip_scale_kernel, c.count, context.at<const float>(c.sums), context.at<float>(c.out),
         c.limit);
}

void run(const Sgd& s, const Context& context) {
  if (s.count == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(s.count, kThreads)), kThreads, 0, sgd_kernel, s.count,
         context.at<float>(s.parameter), context.at<const float>(s.gradient), context.at<float>(s.velocity),
         context.at<const float>(s.clip), context.at<const float>(s.rates), static_cast<float>(s.momentum));
}

}  // namespace schemoe::cuda
