// Elementwise kernels against formulas in double; slopes against differences.
#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "cpu/kernels/error_function.h"
#include "library.h"

namespace {

constexpr int64_t kGroups = 2, kRows = 3, kColumns = 11, kLd = 13, kStride = 41;
constexpr size_t kCount = (kGroups - 1) * kStride + (kRows - 1) * kLd + kColumns;

double value(int activation, double x) {
  switch (activation) {
    case SCHEMOE_RELU: return x > 0 ? x : 0;
    case SCHEMOE_GELU: return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
    case SCHEMOE_GELU_TANH: return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case SCHEMOE_SILU: return x / (1 + std::exp(-x));
    case SCHEMOE_RELU_SQUARED: return x > 0 ? x * x : 0;
    default: return x;
  }
}

double slope(int activation, double x) {
  if (activation == SCHEMOE_RELU) return x > 0;
  return (value(activation, x + 1e-5) - value(activation, x - 1e-5)) / 2e-5;
}

void each(const std::function<void(int64_t group, int64_t column, size_t at)>& body) {
  for (int64_t g = 0; g < kGroups; ++g) {
    for (int64_t i = 0; i < kRows; ++i) {
      for (int64_t j = 0; j < kColumns; ++j) body(g, j, g * kStride + i * kLd + j);
    }
  }
}

/// Distance of a float to a number, in units of the last place of the nearest float.
double ulps(float got, double expected) {
  int exponent = 0;
  std::frexp(static_cast<float>(expected), &exponent);
  return std::fabs(double{got} - expected) / std::ldexp(1.0, exponent - 24);
}

/// Every 509th float between the smallest at which erf is not x / sqrt(pi / 4) and where it is 1; all exponents of exp.
void accuracy() {
  double erf_most = 0, exp_most = 0;
  for (uint32_t bits = 0x33000000; bits < 0x41000000; bits += 509) {
    const float x = std::bit_cast<float>(bits);
    for (const float at : {x, -x}) {
      erf_most = std::max(erf_most, ulps(schemoe::error_function(at), std::erf(double{at})));
    }
  }
  for (float x = -87; x < 88; x += 0.0007f) {
    exp_most = std::max(exp_most, ulps(schemoe::exponential_or_limit(x), std::exp(double{x})));
  }
  CHECK(erf_most < 2);
  CHECK(exp_most < 2);
  CHECK(std::isnan(schemoe::error_function(NAN)) && std::isnan(schemoe::exponential_or_limit(NAN)));
  CHECK(schemoe::error_function(INFINITY) == 1 && schemoe::error_function(-INFINITY) == -1);
  CHECK(schemoe::exponential_or_limit(-INFINITY) == 0 && schemoe::exponential_or_limit(INFINITY) == INFINITY);
}

Words head() { return Words().i(0, kGroups, kRows, kColumns); }

void bias_act(Bench& bench, int activation) {
  const auto x = bench.random(kCount, -4, 4), bias = bench.random(kGroups * kColumns);
  const uint32_t ix = bench.buffer(x), ib = bench.buffer(bias), iy = bench.empty(kCount);
  bench.ok(2, head().m(ix, kLd, kStride).v(ib).i(kColumns).m(iy, kLd, kStride).i(activation));
  const auto sum = bench.read(ix, kCount), y = bench.read(iy, kCount);
  each([&](int64_t g, int64_t j, size_t at) {
    const double expected = double{x[at]} + bias[g * kColumns + j];
    CHECK_NEAR(sum[at], expected, 1e-6);
    CHECK_NEAR(y[at], value(activation, expected), 2e-6);
  });
  CHECK(sum[kColumns] == x[kColumns]);  // between rows nothing is touched
  // Without a bias X stays, without Y there is only the bias.
  bench.engine.write(ix, 0, x);
  bench.ok(2, head().m(ix, kLd, kStride).none().i(0).m(iy, kLd, kStride).i(activation));
  CHECK(bench.read(ix, kCount) == x);
  CHECK_NEAR(bench.read(iy, kCount)[0], value(activation, x[0]), 2e-6);
  bench.ok(2, head().m(ix, kLd, kStride).v(ib).i(0).none().i(0, 0).i(activation));
  CHECK_EQUAL(bench.read(ix, kCount)[kStride], x[kStride] + bias[0]);
}

void act_grad(Bench& bench, int activation) {
  const auto x = bench.random(kCount, -4, 4), dy = bench.random(kCount);
  const uint32_t ix = bench.buffer(x), idy = bench.buffer(dy);
  bench.ok(3, head().m(idy, kLd, kStride).m(ix, kLd, kStride).m(idy, kLd, kStride).i(activation));
  const auto dx = bench.read(idy, kCount);
  each([&](int64_t, int64_t, size_t at) { CHECK_NEAR(dx[at], dy[at] * slope(activation, x[at]), 5e-6); });
}

void glu(Bench& bench, int activation) {
  const auto a = bench.random(kCount, -4, 4), b = bench.random(kCount), dy = bench.random(kCount);
  const uint32_t ia = bench.buffer(a), ib = bench.buffer(b), idy = bench.buffer(dy), iy = bench.empty(kCount);
  bench.ok(4, head().m(ia, kLd, kStride).m(ib, kLd, kStride).m(iy, kLd, kStride).i(activation));
  const auto y = bench.read(iy, kCount);
  // Gradients over their own inputs.
  bench.ok(5, head().m(idy, kLd, kStride).m(ia, kLd, kStride).m(ib, kLd, kStride).m(ia, kLd, kStride)
                  .m(ib, kLd, kStride).i(activation));
  const auto da = bench.read(ia, kCount), db = bench.read(ib, kCount);
  each([&](int64_t, int64_t, size_t at) {
    CHECK_NEAR(y[at], value(activation, a[at]) * b[at], 5e-6);
    CHECK_NEAR(da[at], double{dy[at]} * b[at] * slope(activation, a[at]), 1e-5);
    CHECK_NEAR(db[at], dy[at] * value(activation, a[at]), 5e-6);
  });
}

/// Dots with rows and with a vector a group, and the weights of rows; weights lie 7 apart.
void weigh_rows(Bench& bench) {
  constexpr int64_t kApart = 7;
  const auto d = bench.random(kCount), a = bench.random(kCount), vectors = bench.random(kGroups * (kColumns + 2));
  const auto weights = bench.random(kGroups * kApart), before = bench.random(kGroups * kApart);
  const uint32_t id = bench.buffer(d), ia = bench.buffer(a), iv = bench.buffer(vectors), iw = bench.buffer(weights);
  const uint32_t idots = bench.buffer(before);
  const auto call = [&](bool rows, bool vector, bool dots, int64_t accumulate) {
    Words words = head().m(id, kLd, kStride);
    rows ? words.m(ia, kLd, kStride) : words.none().i(0, 0);
    vector ? words.v(iv).i(kColumns + 2) : words.none().i(0);
    words.v(iw);
    dots ? words.v(idots) : words.none();
    return words.i(kApart, accumulate);
  };
  for (int form = 0; form < 5; ++form) {
    const bool rows = form < 2, dots = form < 4;
    const int64_t accumulate = form % 2;
    bench.engine.write(id, 0, d), bench.engine.write(idots, 0, before);
    bench.ok(82, call(rows, dots && !rows, dots, accumulate));
    const auto weighed = bench.read(id, kCount), sums = bench.read(idots, before.size());
    for (int64_t g = 0; g < kGroups; ++g) {
      for (int64_t i = 0; i < kApart; ++i) {
        const size_t at = g * kApart + i;
        if (i >= kRows || !dots) {
          CHECK(sums[at] == before[at]);
          continue;
        }
        double sum = accumulate ? before[at] : 0;
        for (int64_t j = 0; j < kColumns; ++j) {
          const size_t own = g * kStride + i * kLd + j;
          sum += double{d[own]} * (rows ? a[own] : vectors[g * (kColumns + 2) + j]);
        }
        CHECK_NEAR(sums[at], sum, 1e-6);
      }
      for (int64_t i = 0; i < kRows; ++i) {
        for (int64_t j = 0; j < kColumns; ++j) {
          const size_t at = g * kStride + i * kLd + j;
          CHECK(weighed[at] == d[at] * weights[g * kApart + i]);
        }
      }
    }
    CHECK(weighed[kColumns] == d[kColumns]);  // between rows nothing is touched
  }
  CHECK_CONTAINS(bench.run(82, call(true, true, true, 0)).text, "dots need one factor beside D: there are 2");
  CHECK_CONTAINS(bench.run(82, call(false, false, true, 0)).text, "dots need one factor beside D: there are 0");
  CHECK_CONTAINS(bench.run(82, call(true, false, false, 0)).text, "dots need one factor beside D: there are 1, and dots are none");
  CHECK_CONTAINS(bench.run(82, head().m(id, kLd, kStride).m(ia, kLd, kStride).none().i(0).v(iw).v(idots).i(0, 0)).text,
                 "the groups of the dots lie at one place");
}

/// Its arguments as they are clamped.
double clamped_value(int activation, double a, double b) {
  const bool limited = activation == SCHEMOE_LIMITED_SWIGLU;
  const double limit = limited ? 10 : 7, g = std::min(a, limit), u = std::clamp(b, -limit, limit);
  return limited ? g / (1 + std::exp(-g)) * u : g / (1 + std::exp(-1.702 * g)) * (u + 1);
}

void clamped(Bench& bench, int activation) {
  const auto a = bench.random(kCount, -13, 13), b = bench.random(kCount, -13, 13), dy = bench.random(kCount);
  const uint32_t ia = bench.buffer(a), ib = bench.buffer(b), idy = bench.buffer(dy), iy = bench.empty(kCount);
  bench.ok(4, head().m(ia, kLd, kStride).m(ib, kLd, kStride).m(iy, kLd, kStride).i(activation));
  const auto y = bench.read(iy, kCount);
  bench.ok(5, head().m(idy, kLd, kStride).m(ia, kLd, kStride).m(ib, kLd, kStride).m(ia, kLd, kStride)
                  .m(ib, kLd, kStride).i(activation));
  const auto da = bench.read(ia, kCount), db = bench.read(ib, kCount);
  constexpr double kStep = 1e-5;
  each([&](int64_t, int64_t, size_t at) {
    const double x = a[at], u = b[at];
    CHECK_NEAR(y[at], clamped_value(activation, x, u), 3e-5);
    CHECK_NEAR(da[at], dy[at] * (clamped_value(activation, x + kStep, u) - clamped_value(activation, x - kStep, u)) / (2 * kStep), 1e-4);
    CHECK_NEAR(db[at], dy[at] * (clamped_value(activation, x, u + kStep) - clamped_value(activation, x, u - kStep)) / (2 * kStep), 1e-4);
  });
}

}  // namespace

int main() {
  accuracy();
  Bench bench;
  for (int activation = SCHEMOE_IDENTITY; activation <= SCHEMOE_RELU_SQUARED; ++activation) {
    bias_act(bench, activation);
    act_grad(bench, activation);
    glu(bench, activation);
  }
  for (int activation : {SCHEMOE_CLAMPED_SWIGLU, SCHEMOE_LIMITED_SWIGLU}) clamped(bench, activation);
  weigh_rows(bench);
  // Far out nothing overflows.
  const uint32_t x = bench.buffer(std::vector<float>{-200, 200}), y = bench.empty(2);
  for (int activation : {SCHEMOE_GELU, SCHEMOE_GELU_TANH, SCHEMOE_SILU}) {
    bench.ok(2, Words().i(0, 1, 1, 2).m(x, 2, 0).none().i(0).m(y, 2, 0).i(activation));
    CHECK_EQUAL(bench.read(y, 2)[0], 0.0f);
    CHECK_EQUAL(bench.read(y, 2)[1], 200.0f);
  }
  CHECK_CONTAINS(bench.run(2, Words().i(0, 1, 1, 2).m(x, 2, 0).none().i(0).m(y, 2, 0).i(6)).text, "activation is 6");
  CHECK_CONTAINS(bench.run(4, Words().i(0, 1, 1, 2).m(x, 2, 0).m(x, 2, 0).m(y, 2, 0).i(8)).text, "activation is 8");
  return check::result();
}
