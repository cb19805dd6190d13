// Updates of a selection bias from the loads of all ranks.
#include "cuda/kernels/gates/means.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

struct Shift {
  bool quantile;
  double ranks, rate;
  /// What the bias moves to before it is centred.
  __device__ double moved(float bias, float load) const { return rate * bias + (1 - rate) * load / ranks; }
};

__global__ void __launch_bounds__(256) shift_bias_kernel(int64_t rows, Shift s, const float* loads, float* bias) {
  double part = 0;
  for (int64_t e = threadIdx.x; e < rows; e += 256) part += s.quantile ? s.moved(bias[e], loads[e]) : loads[e];
  const double mean = block_sum(part) / static_cast<double>(rows);
  for (int64_t e = threadIdx.x; e < rows; e += 256) {
    if (s.quantile) {
      bias[e] = static_cast<float>(s.moved(bias[e], loads[e]) - mean);
    } else {
      const double short_of = mean - loads[e];
      bias[e] += static_cast<float>(short_of > 0 ? s.rate : short_of < 0 ? -s.rate : 0.0);
    }
  }
}

__global__ void __launch_bounds__(256)
    budget_bias_kernel(int64_t rows, int64_t experts, double rate, double share, const float* loads, float* bias) {
  double part = 0;
  for (int64_t e = threadIdx.x; e < rows; e += 256) part += loads[e];
  const double all = block_sum(part);
  if (all == 0) return;
  for (int64_t e = threadIdx.x; e < experts; e += 256) {
    bias[e] += static_cast<float>(rate * (share / static_cast<double>(experts) - loads[e] / all));
  }
}

}  // namespace

void run(const BudgetBias& b, const Context& context) {
  if (b.rows == 0) return;
  LAUNCH(context.stream, 1, 256, 0, budget_bias_kernel, b.rows, b.experts, b.rate, b.share,
         context.at<const float>(b.loads), context.at<float>(b.bias));
}

void run(const ShiftBias& s, const Context& context) {
  if (s.rows == 0) return;
  LAUNCH(context.stream, 1, 256, 0, shift_bias_kernel, s.rows, Shift{s.quantile, static_cast<double>(s.ranks), s.rate},
         context.at<const float>(s.loads), context.at<float>(s.bias));
}

}  // namespace schemoe::cuda
