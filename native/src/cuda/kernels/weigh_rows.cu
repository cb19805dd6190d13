// Rows of gradients and the weights of their choices.
#include "cuda/kernels/block_rows.cuh"
#include "cuda/kernels/dots.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kWarps = 8;

template <class T>
struct Weighed {
  Grid<T> d;
  /// Rows, or one vector a group: its ld is 0.
  Grid<const T> factor;
  const float* weights;
  float* dots;
  int64_t stride;
  bool accumulate;
};

/// A warp has a row.
template <class T, int V>
__global__ void __launch_bounds__(32 * kWarps) weigh_rows_kernel(Lines lines, int64_t columns, Weighed<T> w) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  for (int64_t line = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; line < lines.count; line += int64_t{gridDim.x} * kWarps) {
    int64_t group, row;
    lines.find(line, group, row);
    const int64_t at = group * w.stride + row;
    const float weight = w.weights[at];
    double sum = 0;
#pragma unroll 4
    for (int64_t j = lane * V; j < columns; j += 32 * V) {
      float d[V];
      load(d, w.d.at(group, row, j));
      if (w.dots) {
        float a[V];
        load(a, w.factor.at(group, row, j));
        add_products<T>(sum, d, a);
      }
#pragma unroll
      for (int n = 0; n < V; ++n) d[n] *= weight;
      store(w.d.at(group, row, j), d);
    }
    if (!w.dots) continue;
    sum = warp_sum(sum);
    if (lane == 0) w.dots[at] = static_cast<float>(w.accumulate ? w.dots[at] + sum : sum);
  }
}

}  // namespace

void run(const WeighRows& w, const Context& context) {
  const Block& block = w.block;
  const Lines lines = lines_of(block, context);
  if (lines.count == 0 || block.columns == 0) return;
  const Matrix factor = w.a.view.null() ? Matrix{w.vector, 0, w.vector_stride} : w.a;
  with_type(block.dtype, [&](auto element) {
    using T = decltype(element);
    const Weighed<T> weighed{grid<T>(context, w.d), grid<const T>(context, factor), context.at<const float>(w.weights),
                             context.at<float>(w.dots), w.stride, w.accumulate};
    const auto launch = [&](auto v) {
      LAUNCH(context.stream, grid_of(ceil_div(lines.count, kWarps)), 32 * kWarps, 0, (weigh_rows_kernel<T, v()>), lines,
             block.columns, weighed);
    };
    const bool wide = block.columns % kVector<T> == 0 && fits(weighed.d) && fits(weighed.factor);
    if (wide) launch(std::integral_constant<int, kVector<T>>{});
    else launch(std::integral_constant<int, 1>{});
  });
}

}  // namespace schemoe::cuda
