// The gate backward.
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8;

__global__ void firsts_kernel(int64_t tokens, int64_t experts, int64_t k, const int32_t* choices, int32_t* counts,
                              Report report) {
  const int64_t token = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (token >= tokens) return;
  const int32_t choice = choices[token * k];
  if (report.checked(Data::choices, choice, experts)) atomicAdd(&counts[choice], 1);
}

struct Shape {
  int64_t tokens;
  int experts, k;
  bool normalize;
  double aux;
};

/// One warp per token. The auxiliary loss gives every token the same slope, aux * E * f_e / tokens,
/// where the fraction f_e of first choices has no gradient.
__global__ void __launch_bounds__(32 * kWarps)
    gate_grad_kernel(Shape shape, const float* scores, const int32_t* choices, const float* weights,
                     const float* d_weights, float* d_logits, const int32_t* counts) {
  const auto lane = static_cast<int>(threadIdx.x % 32);
  const int k = shape.k;
  for (int64_t token = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; token < shape.tokens;
       token += int64_t{gridDim.x} * kWarps) {
    const float* score = scores + token * shape.experts;
    const int32_t* choice = choices + token * k;
    const float* weight = weights + token * k;
    const float* d_weight = d_weights + token * k;
    double sum = 1, mean = 0;
    if (shape.normalize && k > 1) {
      // w_j = s_j / S, so ds_j = (dw_j - sum_i w_i dw_i) / S.
      sum = 0;
      for (int c = 0; c < k; ++c) {
        if (choice[c] >= 0 && choice[c] < shape.experts) sum += score[choice[c]];
        mean += static_cast<double>(weight[c]) * d_weight[c];
      }
    }
    const auto d_score = [&](int e) {
      double d = counts[e] * shape.aux;
      for (int c = 0; c < k; ++c) {
        if (choice[c] == e) d += (d_weight[c] - mean) / sum;
      }
      return d;
    };
    double dot = 0;
    for (int e = lane; e < shape.experts; e += 32) dot += d_score(e) * score[e];
    dot = warp_sum(dot);
    for (int e = lane; e < shape.experts; e += 32) {
      d_logits[token * shape.experts + e] = static_cast<float>(score[e] * (d_score(e) - dot));
    }
  }
}

}  // namespace

void run(const GateGrad& g, const Context& context) {
  if (g.tokens == 0 || g.experts == 0) return;
  auto* counts = context.scratch.get<int32_t>(static_cast<size_t>(g.experts), context.stream);
  CUDA_CHECK(cudaMemsetAsync(counts, 0, static_cast<size_t>(g.experts) * 4, context.stream));
  const auto* choices = context.at<const int32_t>(g.choices);
  LAUNCH(context.stream, grid_of(ceil_div(g.tokens, 256)), 256, 0, firsts_kernel, g.tokens, g.experts, g.k, choices,
         counts, context.report());
  const auto tokens = static_cast<double>(g.tokens);
  const Shape shape{g.tokens, static_cast<int>(g.experts), static_cast<int>(g.k), g.normalize,
                    g.aux_weight * static_cast<double>(g.experts) / (tokens * tokens)};
  LAUNCH(context.stream, grid_of(ceil_div(g.tokens, kWarps)), 32 * kWarps, 0, gate_grad_kernel, shape,
         context.at<const float>(g.scores), choices, context.at<const float>(g.weights),
         context.at<const float>(g.d_weights), context.at<float>(g.d_logits), counts);
}

}  // namespace schemoe::cuda
