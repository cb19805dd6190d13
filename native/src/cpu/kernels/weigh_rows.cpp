// Rows of gradients and the weights of their choices.
#include "cpu/kernels/dot.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/vector.h"

namespace schemoe {

namespace {

SCHEMOE_VECTOR void scale(float* row, float weight, int64_t columns) {
  for (int64_t j = 0; j < columns; ++j) row[j] *= weight;
}

}  // namespace

void run(const WeighRows& w, const Context& context) {
  const Block& block = w.block;
  float* d = context.at<float>(w.d.view);
  const float* a = context.at<const float>(w.a.view);
  const float* vectors = context.at<const float>(w.vector);
  const float* weights = context.at<const float>(w.weights);
  float* dots = context.at<float>(w.dots);
  for (int64_t group = 0; group < block.groups && !context.stop; ++group) {
    const int64_t first = block.first(group), end = first + block.rows_of(group);
    for (int64_t row = first; row < end && !context.stop; ++row) {
      float* gradient = d + group * w.d.stride + row * w.d.ld;
      const int64_t at = group * w.stride + row;
      if (dots) {
        const float* factor = a ? a + group * w.a.stride + row * w.a.ld : vectors + group * w.vector_stride;
        const double dot = row_dot(gradient, factor, block.columns);
        dots[at] = static_cast<float>(w.accumulate ? dots[at] + dot : dot);
      }
      scale(gradient, weights[at], block.columns);
    }
  }
}

}  // namespace schemoe
