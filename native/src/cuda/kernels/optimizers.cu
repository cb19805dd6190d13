// Sums of gradients in a fixed order, clipping, and updates of parameters.
#include <cmath>

#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;
/// Blocks of a sum, whatever the GPU: the order must not depend on it.
constexpr int kBlocks = 512;

__device__ double block_sum(double value, double* parts) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
  __syncthreads();
  double sum = 0;
  for (int i = 0; i < kThreads / 32; ++i) sum += parts[i];
  return sum;
}

__global__ void __launch_bounds__(kThreads) sum_parts_kernel(bool squares, int64_t count, const float* x, double* out) {
  __shared__ double parts[kThreads / 32];
  double sum = 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += int64_t{kBlocks} * kThreads) {
    sum += squares ? x[i] * x[i] : x[i];
  }
  sum = block_sum(sum, parts);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) sum_of_parts_kernel(const double* in, float* out) {
  __shared__ double parts[kThreads / 32];
  double sum = 0;
  for (int i = threadIdx.x; i < kBlocks; i += kThreads) sum += in[i];
  sum = block_sum(sum, parts);
  if (threadIdx.x == 0) *out = static_cast<float>(sum);
}

__global__ void clip_scale_kernel(int64_t count, const float* sums, float* out, double limit) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += sums[i];
  const double norm = sqrt(sum);
  out[0] = static_cast<float>(norm);
  out[1] = limit > 0 && norm > limit ? static_cast<float>(limit / norm) : 1.0f;
}

struct Factors {
  float keep1, take1, keep2, take2, epsilon;
  double decay;
};

__global__ void __launch_bounds__(kThreads)
    adamw_kernel(int64_t count, float* p, const float* gradient, float* m, float* v, const float* clip,
                 const float* rates, Factors f) {
  const float factor = clip[1], rate = rates[0], bias1 = rates[1], bias2 = rates[2];
  const auto shrink = static_cast<float>(1 - rate * f.decay);
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += int64_t{gridDim.x} * kThreads) {
    const float g = gradient[i] * factor;
    const float first = f.keep1 * m[i] + f.take1 * g, second = f.keep2 * v[i] + f.take2 * (g * g);
    m[i] = first;
    v[i] = second;
    p[i] = p[i] * shrink - rate * (first / bias1) / (__fsqrt_rn(second / bias2) + f.epsilon);
  }
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

void run(const SumValues& s, const Context& context) {
  auto* parts = context.scratch.get<double>(kBlocks, context.stream);
  LAUNCH(context.stream, kBlocks, kThreads, 0, sum_parts_kernel, s.squares, s.count, context.at<const float>(s.x), parts);
  LAUNCH(context.stream, 1, kThreads, 0, sum_of_parts_kernel, parts, context.at<float>(s.out));
}

void run(const ClipScale& c, const Context& context) {
  LAUNCH(context.stream, 1, 1, 0, clip_scale_kernel, c.count, context.at<const float>(c.sums), context.at<float>(c.out),
         c.limit);
}

void run(const Adamw& a, const Context& context) {
  if (a.count == 0) return;
  const Factors factors{static_cast<float>(a.beta1), static_cast<float>(1 - a.beta1), static_cast<float>(a.beta2),
                        static_cast<float>(1 - a.beta2), static_cast<float>(a.epsilon), a.decay};
  LAUNCH(context.stream, grid_of(ceil_div(a.count, kThreads)), kThreads, 0, adamw_kernel, a.count,
         context.at<float>(a.parameter), context.at<const float>(a.gradient), context.at<float>(a.first),
         context.at<float>(a.second), context.at<const float>(a.clip), context.at<const float>(a.rates), factors);
}

void run(const Sgd& s, const Context& context) {
  if (s.count == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(s.count, kThreads)), kThreads, 0, sgd_kernel, s.count,
         context.at<float>(s.parameter), context.at<const float>(s.gradient), context.at<float>(s.velocity),
         context.at<const float>(s.clip), context.at<const float>(s.rates), static_cast<float>(s.momentum));
}

}  // namespace schemoe::cuda
