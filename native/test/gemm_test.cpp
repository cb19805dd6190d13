// gemm against sums in double, at odd sizes, strides and flags.
#include "library.h"

namespace {

struct Case {
  bool trans_a, trans_b;
  int64_t groups, m, n, k;
  double alpha, beta;
  bool bias = false, relu = false;
};

void compare(Bench& bench, const Case& c) {
  // Rows longer than needed, and a gap between groups.
  const int64_t lda = (c.trans_a ? c.m : c.k) + 3, ldb = (c.trans_b ? c.k : c.n) + 1, ldc = c.n + 2;
  const int64_t sa = (c.trans_a ? c.k : c.m) * lda + 5, sb = (c.trans_b ? c.n : c.k) * ldb + 7, sc = c.m * ldc + 1;
  const auto a = bench.random(c.groups * sa), b = bench.random(c.groups * sb);
  auto before = bench.random(c.groups * sc);
  if (c.beta == 0) before.assign(before.size(), NAN);
  const uint32_t ia = bench.buffer(a), ib = bench.buffer(b), ic = bench.buffer(before);
  const auto bias = bench.random(c.groups * (c.n + 3));
  const uint32_t id = bench.buffer(bias);
  bench.ok(1, Words().i(0, 0, c.trans_a, c.trans_b, c.groups, c.m, c.n, c.k).m(ia, lda, sa).m(ib, ldb, sb)
                  .m(ic, ldc, sc).f(c.alpha).f(c.beta).v(c.bias ? id : SCHEMOE_NULL_BUFFER).i(c.n + 3, c.relu));
  const auto after = bench.read(ic, before.size());
  for (int64_t g = 0; g < c.groups; ++g) {
    for (int64_t i = 0; i < c.m; ++i) {
      for (int64_t j = 0; j < ldc; ++j) {
        const int64_t at = g * sc + i * ldc + j;
        if (j >= c.n) {
          CHECK(after[at] == before[at] || std::isnan(before[at]));
          continue;
        }
        double sum = 0;
        for (int64_t k = 0; k < c.k; ++k) {
          sum += double{a[g * sa + (c.trans_a ? k * lda + i : i * lda + k)]} *
                 b[g * sb + (c.trans_b ? j * ldb + k : k * ldb + j)];
        }
        const double expected = c.alpha * sum + (c.beta == 0 ? 0 : c.beta * before[at]) +
                                (c.bias ? bias[g * (c.n + 3) + j] : 0);
        CHECK_NEAR(after[at], c.relu ? std::fmax(expected, 0) : expected, 1e-4);
      }
    }
  }
}

}  // namespace

int main() {
  Bench bench;
  for (bool trans_a : {false, true}) {
    for (bool trans_b : {false, true}) {
      compare(bench, {trans_a, trans_b, 1, 1, 1, 1, 1, 0});
      compare(bench, {trans_a, trans_b, 3, 17, 13, 29, 1, 0});
      compare(bench, {trans_a, trans_b, 2, 64, 31, 7, 0.5, 1});
      compare(bench, {trans_a, trans_b, 1, 5, 70, 33, -1, 0.25});
      compare(bench, {trans_a, trans_b, 2, 3, 4, 0, 1, 0});
      compare(bench, {trans_a, trans_b, 2, 3, 4, 0, 1, 2});
      compare(bench, {trans_a, trans_b, 2, 0, 4, 3, 1, 0});
      compare(bench, {trans_a, trans_b, 0, 3, 4, 3, 1, 0});
      for (bool bias : {false, true}) {
        compare(bench, {trans_a, trans_b, 3, 17, 13, 29, 1, 0, bias, true});
        compare(bench, {trans_a, trans_b, 2, 5, 70, 33, -1, 0.25, bias, !bias});
        compare(bench, {trans_a, trans_b, 2, 3, 4, 0, 1, 2, bias, bias});
      }
    }
  }
  // One row needs no leading dimension.
  const uint32_t x = bench.buffer(std::vector<float>{1, 2, 3});
  const uint32_t y = bench.empty(1);
  bench.ok(1, Words().i(0, 0, 0, 1, 1, 1, 1, 3).m(x, 0, 0).m(x, 0, 0).m(y, 0, 0).f(1).f(0).none().i(0, 0));
  CHECK_EQUAL(bench.read(y, 1)[0], 14.0f);
  CHECK_CONTAINS(bench.run(1, Words().i(0, 0, 0, 0, 1, 2, 2, 2).m(x, 1, 0).m(x, 2, 0).m(y, 2, 0).f(1).f(0).none().i(0, 0)).text,
                 "kernel gemm: ld 1 is smaller than its 2 columns");
  // 1.5 times 2.5 in bfloat16, which is rounded once
  const uint32_t half = bench.buffer(std::vector<uint16_t>{0x3fc0, 0x4020, 0});
  bench.ok(1, Words().i(1, 1, 0, 0, 1, 1, 1, 1).m(half, 1, 0).v(half, 2).i(1, 0).v(half, 4).i(1, 0).f(1).f(0).none().i(0, 0));
  CHECK_EQUAL(bench.read<uint16_t>(half, 3)[2], 0x4070);
  return check::result();
}
