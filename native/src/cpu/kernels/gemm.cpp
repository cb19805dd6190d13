#include <cblas.h>

#include <algorithm>
#include <semaphore>

#include "cpu/kernels/kernels.h"
#include "cpu/kernels/product.h"

namespace schemoe {

namespace {

// OpenBLAS ends the process when more threads are inside than it has work areas for.
constexpr int kMostInside = 64;
std::counting_semaphore<kMostInside> inside(kMostInside);

/// C = beta C, for products of nothing.
void scale(float* c, int64_t ld, int64_t m, int64_t n, float beta) {
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) c[i * ld + j] = beta == 0 ? 0.0f : beta * c[i * ld + j];
  }
}

/// Adds a row to every row, then lets nothing be below 0; NaN stays NaN.
void finish(float* c, int64_t ld, int64_t m, int64_t n, const float* bias, bool relu) {
  for (int64_t i = 0; i < m; ++i) {
    float* row = c + i * ld;
    if (bias) {
      for (int64_t j = 0; j < n; ++j) row[j] += bias[j];
    }
    if (relu) {
      for (int64_t j = 0; j < n; ++j) row[j] = row[j] <= 0 ? 0.0f : row[j];
    }
  }
}

/// BLAS wants a leading dimension of at least the columns even where there is one row only.
int leading(int64_t ld, int64_t columns) { return static_cast<int>(std::max<int64_t>({ld, columns, 1})); }

}  // namespace

void product(int64_t m, int64_t n, int64_t k, float alpha, const Factor& a, const Factor& b, float beta, float* c,
             int64_t ld) {
  inside.acquire();
  cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans, b.transposed ? CblasTrans : CblasNoTrans,
              static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), alpha, a.data,
              leading(a.ld, a.transposed ? m : k), b.data, leading(b.ld, b.transposed ? k : n), beta, c,
              leading(ld, n));
  inside.release();
}

void run(const Gemm& g, const Context& context) {
  if (g.m == 0 || g.n == 0) return;
  const auto* a = context.at<const float>(g.a.view);
  const auto* b = context.at<const float>(g.b.view);
  auto* c = context.at<float>(g.c.view);
  const auto* bias = context.at<const float>(g.bias);
  const auto beta = static_cast<float>(g.beta);
  for (int64_t group = 0; group < g.groups && !context.stop; ++group) {
    float* to = c + group * g.c.stride;
    if (g.k == 0) {
      scale(to, g.c.ld, g.m, g.n, beta);
    } else {
      product(g.m, g.n, g.k, static_cast<float>(g.alpha), {a + group * g.a.stride, g.a.ld, g.trans_a},
              {b + group * g.b.stride, g.b.ld, g.trans_b}, beta, to, g.c.ld);
    }
    finish(to, g.c.ld, g.m, g.n, bias ? bias + group * g.bias_stride : nullptr, g.relu);
  }
}

void run(const GemmGroups& g, const Context& context) {
  for (int64_t group = 0; group < g.gemm.groups && !context.stop; ++group) run(g.group(group), context);
}

}  // namespace schemoe
