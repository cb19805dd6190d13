// Updates of parameters by AdamW, and their rounding to bfloat16: all parameters of a task in one launch, each of whose
// numbers is read and written once.
#include <cmath>

#include "cuda/kernels/alike.h"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256, kWide = 4;
/// Loads of each tensor that a thread has under way.
constexpr int kTurns = 2;
constexpr int64_t kChunk = int64_t{kThreads} * kWide * kTurns;

struct Factors {
  float keep1, take1, keep2, take2, epsilon;
};

struct Tensor {
  float* p;
  const float* gradient;
  float *m, *v;
  bf16* rounded;  // or nullptr
  int64_t count;
  double decay;
  int64_t first;  // of its blocks
  bool wide;
};

struct Tensors {
  Tensor list[kMostAlike];
  int count;
};

/// What is the same for all elements of a tensor.
struct Step {
  float factor, rate, bias1, bias2, shrink;

  __device__ void take(float& p, float gradient, float& m, float& v, const Factors& f) const {
    const float g = gradient * factor;
    m = f.keep1 * m + f.take1 * g;
    v = f.keep2 * v + f.take2 * (g * g);
    p = p * shrink - rate * (m / bias1) / (__fsqrt_rn(v / bias2) + f.epsilon);
  }
};

/// A block has kChunk elements of one tensor.
__global__ void __launch_bounds__(kThreads)
    adamw_kernel(const __grid_constant__ Tensors all, const float* clip, const float* rates, Factors f) {
  int number = 0;
  while (number + 1 < all.count && blockIdx.x >= all.list[number + 1].first) ++number;
  const Tensor& t = all.list[number];
  const float rate = rates[0];
  const Step step{clip[1], rate, rates[1], rates[2], static_cast<float>(1 - rate * t.decay)};
  const int64_t begin = (blockIdx.x - t.first) * kChunk, end = min(begin + kChunk, t.count);
  if (!t.wide || end < begin + kChunk) {
    for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
      float p = t.p[i], m = t.m[i], v = t.v[i];
      step.take(p, t.gradient[i], m, v, f);
      t.p[i] = p, t.m[i] = m, t.v[i] = v;
      if (t.rounded) from_float(t.rounded[i], p);
    }
    return;
  }
  float p[kTurns][kWide], g[kTurns][kWide], m[kTurns][kWide], v[kTurns][kWide];
  const auto at = [&](int turn) { return begin + (turn * kThreads + static_cast<int64_t>(threadIdx.x)) * kWide; };
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
    load(p[turn], t.p + at(turn));
    load(g[turn], t.gradient + at(turn));
    load(m[turn], t.m + at(turn));
    load(v[turn], t.v + at(turn));
  }
#pragma unroll
  for (int turn = 0; turn < kTurns; ++turn) {
#pragma unroll
    for (int i = 0; i < kWide; ++i) step.take(p[turn][i], g[turn][i], m[turn][i], v[turn][i], f);
    store(t.p + at(turn), p[turn]);
    store(t.m + at(turn), m[turn]);
    store(t.v + at(turn), v[turn]);
    if (t.rounded) store(t.rounded + at(turn), p[turn]);
  }
}

}  // namespace

void run(std::span<const Update> updates, const Context& context) {
  const Adamw& a = *updates.front().step;
  Tensors all{};
  int64_t blocks = 0;
  for (const auto& [step, rounded] : updates) {
    if (step->count == 0) continue;
    Tensor& t = all.list[all.count++];
    t = {context.at<float>(step->parameter),
         context.at<const float>(step->gradient),
         context.at<float>(step->first),
         context.at<float>(step->second),
         rounded ? context.at<bf16>(rounded->out) : nullptr,
         step->count,
         step->decay,
         blocks,
         false};
    t.wide = aligned(t.p) && aligned(t.gradient) && aligned(t.m) && aligned(t.v) && aligned(t.rounded);
    blocks += ceil_div(step->count, kChunk);
  }
  if (blocks == 0) return;
  if (blocks > INT32_MAX) fail(SCHEMOE_UNSUPPORTED, "updates of more than ", INT32_MAX * kChunk, " parameters in one task");
  const Factors factors{static_cast<float>(a.beta1), static_cast<float>(1 - a.beta1), static_cast<float>(a.beta2),
                        static_cast<float>(1 - a.beta2), static_cast<float>(a.epsilon)};
  LAUNCH(context.stream, grid_of(blocks), kThreads, 0, adamw_kernel, all, context.at<const float>(a.clip),
         context.at<const float>(a.rates), factors);
}

void run(const Adamw& a, const Context& context) {
  const Update alone{&a, nullptr};
  run(std::span(&alone, 1), context);
}

}  // namespace schemoe::cuda
