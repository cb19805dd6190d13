// The gate backward.
#include "cuda/kernels/gates/counts.cuh"
#include "cuda/kernels/gates/rows.cuh"
#include "cuda/kernels/gates/scatter.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

struct Shape {
  int64_t tokens;
  int experts, k;
  bool normalize;
  double aux;
};

/// One warp per token. The auxiliary loss gives every token the same slope, aux * E * f_e / tokens, where the
/// fraction f_e of first choices has no gradient.
template <int N, int V, int G>
__global__ void __launch_bounds__(kThreads)
    gate_grad_kernel(Shape shape, const float* scores, const int32_t* choices, const float* weights,
                     const float* d_weights, float* d_logits, const int32_t* counts, double* scratch) {
  const auto lane = static_cast<int>(threadIdx.x % G), warp = static_cast<int>(threadIdx.x / 32);
  const int k = shape.k, experts = shape.experts;
  // Of the token at hand: what its scores get by way of the weights, beside the slope that all have.
  const int64_t stride = stride_of(experts), offset = threadIdx.x % 32 / G * stride;
  double* first = N > 0 ? reinterpret_cast<double*>(shared_memory()) + warp * (32 / G) * stride
                        : scratch + (int64_t{blockIdx.x} * kWarps + warp) * experts;
  double* sums = first + offset;
  for (RowOf<G> row(shape.tokens); row.any(); row.next()) {
    const int64_t token = row.index;
    const float* score = scores + token * experts;
    const float* weight = weights + token * k;
    const float* d_weight = d_weights + token * k;
    const auto choice = [&](int c) {
      const int e = c < k ? choices[token * k + c] : -1;
      return e >= 0 && e < experts ? e : -1;
    };
    Own<N, V, float, G> s, d;
    Own<N, V, int32_t, G> count;
    Own<N, V, double, G> own;
    s.load(score, experts, lane);
    count.load(counts, experts, lane);
    d.place(d_logits + token * experts);
    own.place(sums);
    each(experts, lane, [&](int, double& sum, int32_t& of) { sum = of * shape.aux; }, own, count);
    own.store(sums, experts, lane);
    __syncwarp();
    double inverse = 1, mean = 0;
    if (shape.normalize && k > 1) {
      // w_j = s_j / S, so ds_j = (dw_j - sum_i w_i dw_i) / S.
      double part = 0, dot = 0;
      for (int c = lane; c < k; c += G) {
        if (const int e = choice(c); e >= 0) part += score[e];
        dot += static_cast<double>(weight[c]) * d_weight[c];
      }
      inverse = 1 / group_sum<G>(part);
      mean = group_sum<G>(dot);
    }
    for (int base = 0; base < k; base += G) {
      const int c = base + lane, e = choice(c);
      add_at(first, e < 0 ? -1 : static_cast<int>(offset) + e, e < 0 ? 0.0 : (d_weight[c] - mean) * inverse,
             static_cast<int>(threadIdx.x % 32));
    }
    own.load(sums, experts, lane);
    double dot = 0;
    each(experts, lane, [&](int, float& x, double& slope) { dot += slope * x; }, s, own);
    dot = group_sum<G>(dot);
    each(experts, lane, [&](int, float& x, double& slope, float& out) { out = static_cast<float>(x * (slope - dot)); },
         s, own, d);
    if (row.has) d.store(d_logits + token * experts, experts, lane);
    __syncwarp();
  }
}

}  // namespace

void run(const GateGrad& g, const Context& context) {
  if (g.tokens == 0 || g.experts == 0) return;
  // Rows that stay in memory have one of sums for each warp.
  const unsigned most = row_blocks(g.tokens, g.experts, 32);
  const int64_t rows = g.experts > 1024 ? most * kWarps * g.experts : 0;
  auto* sums = context.scratch.get<double>(static_cast<size_t>(rows + g.experts), context.stream);
  auto* counts = reinterpret_cast<int32_t*>(sums + rows);
  const auto* choices = context.at<const int32_t>(g.choices);
  count_choices(g.tokens, g.experts, g.k, std::min<int64_t>(g.k, 1), choices, reinterpret_cast<unsigned*>(counts + g.experts),
                counts, context);
  const auto tokens = static_cast<double>(g.tokens);
  const Shape shape{g.tokens, static_cast<int>(g.experts), static_cast<int>(g.k), g.normalize,
                    g.aux_weight * static_cast<double>(g.experts) / (tokens * tokens)};
  const auto* scores = context.at<const float>(g.scores);
  auto* d_logits = context.at<float>(g.d_logits);
  with_row(g.experts, {scores, d_logits}, [&](auto n, auto v, auto lanes) {
    const size_t bytes = n() == 0 ? 0 : static_cast<size_t>(kThreads / lanes() * stride_of(g.experts)) * sizeof(double);
    allow(gate_grad_kernel<n(), v(), lanes()>, bytes);
    LAUNCH(context.stream, row_blocks(g.tokens, g.experts, lanes()), kThreads, bytes,
           (gate_grad_kernel<n(), v(), lanes()>), shape, scores, choices, context.at<const float>(g.weights),
           context.at<const float>(g.d_weights), d_logits, counts, sums);
  });
}

}  // namespace schemoe::cuda
