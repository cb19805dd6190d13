// NaN, infinities and ties in each kernel. `numbers_test` tries every kernel with NaN in each input,
// `cuda/kernels_test special` compares the GPU.
#include <algorithm>
#include <limits>

#include "library.h"

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

/// NaN equals NaN.
bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); });
}

/// Value and slope at infinities as PyTorch 2 gives them: relu, gelu (erf and tanh) and silu of torch.nn.functional,
/// relu(x).square(), and their gradients. GELU and SiLU have limits there; their formulas have 0 times infinity.
struct AtInfinity {
  int activation;
  float below, above;              // of -inf and +inf
  float slope_below, slope_above;  // likewise
};
constexpr AtInfinity kAtInfinity[] = {
    {SCHEMOE_IDENTITY, -kInf, kInf, 1, 1},      {SCHEMOE_RELU, 0, kInf, 0, 1},
    {SCHEMOE_GELU, kNan, kInf, kNan, kNan},     {SCHEMOE_GELU_TANH, kNan, kInf, kNan, kNan},
    {SCHEMOE_SILU, kNan, kInf, kNan, kNan},     {SCHEMOE_RELU_SQUARED, 0, kInf, 0, kInf},
};

void infinities(Bench& bench) {
  const std::vector<float> x{-kInf, kInf}, ones{1, 1}, twos{2, 2};
  for (const AtInfinity& at : kAtInfinity) {
    const uint32_t ix = bench.buffer(x), i1 = bench.buffer(ones), i2 = bench.buffer(twos), iy = bench.empty(2), ib = bench.empty(2);
    bench.ok(2, Words().i(0, 1, 1, 2).m(ix, 2, 0).none().i(0).m(iy, 2, 0).i(at.activation));
    CHECK(same(bench.read(iy, 2), {at.below, at.above}));
    bench.ok(3, Words().i(0, 1, 1, 2).m(i1, 2, 0).m(ix, 2, 0).m(iy, 2, 0).i(at.activation));
    CHECK(same(bench.read(iy, 2), {at.slope_below, at.slope_above}));
    // The gated ones are products of these.
    bench.ok(4, Words().i(0, 1, 1, 2).m(ix, 2, 0).m(i2, 2, 0).m(iy, 2, 0).i(at.activation));
    CHECK(same(bench.read(iy, 2), {2 * at.below, 2 * at.above}));
    bench.ok(5, Words().i(0, 1, 1, 2).m(i1, 2, 0).m(ix, 2, 0).m(i2, 2, 0).m(iy, 2, 0).m(ib, 2, 0).i(at.activation));
    CHECK(same(bench.read(iy, 2), {2 * at.slope_below, 2 * at.slope_above}));
    CHECK(same(bench.read(ib, 2), {at.below, at.above}));
  }
  // Clamped: above its limit a gate is the limit and passes no gradient, like its other factor beyond both limits.
  const std::vector<float> gate{-kInf, kInf, kNan, 1, 1, 1}, up{1, 1, 1, -kInf, kInf, kNan};
  const uint32_t ig = bench.buffer(gate), iu = bench.buffer(up), iy = bench.empty(6), id = bench.buffer(std::vector<float>(6, 1));
  const uint32_t ia = bench.empty(6), ib = bench.empty(6);
  bench.ok(4, Words().i(0, 1, 1, 6).m(ig, 6, 0).m(iu, 6, 0).m(iy, 6, 0).i(SCHEMOE_CLAMPED_SWIGLU));
  const auto sigmoid = [](float z) { return 1 / (1 + std::exp(-1.702f * z)); };
  const std::vector<float> y = bench.read(iy, 6);
  CHECK(std::isnan(y[0]) && std::isnan(y[2]) && std::isnan(y[5]));
  CHECK_NEAR(y[1], 7 * sigmoid(7) * 2, 1e-5);
  CHECK_NEAR(y[3], sigmoid(1) * -6, 1e-5);
  CHECK_NEAR(y[4], sigmoid(1) * 8, 1e-5);
  bench.ok(5, Words().i(0, 1, 1, 6).m(id, 6, 0).m(ig, 6, 0).m(iu, 6, 0).m(ia, 6, 0).m(ib, 6, 0).i(SCHEMOE_CLAMPED_SWIGLU));
  const std::vector<float> da = bench.read(ia, 6), db = bench.read(ib, 6);
  CHECK(std::isnan(da[0]) && da[1] == 0 && std::isnan(da[2]) && std::isnan(da[5]));
  CHECK(std::isnan(db[0]) && std::isnan(db[2]) && db[3] == 0 && db[4] == 0 && !std::isnan(db[5]));
}

void activations(Bench& bench) {
  const std::vector<float> x{kNan, kInf, -kInf, -0.0f, 2};
  const std::vector<float> ones(x.size(), 1.0f);
  const auto columns = static_cast<int64_t>(x.size());
  for (int activation = SCHEMOE_IDENTITY; activation <= SCHEMOE_RELU_SQUARED; ++activation) {
    const uint32_t ix = bench.buffer(x), iy = bench.empty(x.size()), id = bench.buffer(ones), ig = bench.empty(x.size());
    bench.ok(2, Words().i(0, 1, 1, columns).m(ix, columns, 0).none().i(0).m(iy, columns, 0).i(activation));
    bench.ok(3, Words().i(0, 1, 1, columns).m(id, columns, 0).m(ix, columns, 0).m(ig, columns, 0).i(activation));
    const auto y = bench.read(iy, x.size()), slope = bench.read(ig, x.size());
    CHECK(std::isnan(y[0]) && y[1] == kInf);
    // The slope of the identity is 1 everywhere.
    CHECK_EQUAL(std::isnan(slope[0]), activation != SCHEMOE_IDENTITY);
    // A gradient that is NaN stays so wherever the function is flat.
    bench.engine.write(id, 0, std::vector<float>(x.size(), kNan));
    bench.ok(3, Words().i(0, 1, 1, columns).m(id, columns, 0).m(ix, columns, 0).m(ig, columns, 0).i(activation));
    for (float d : bench.read(ig, x.size())) CHECK(std::isnan(d));
    // GLU: NaN on either side.
    bench.engine.write(id, 0, ones);
    bench.ok(4, Words().i(0, 1, 1, columns).m(id, columns, 0).m(ix, columns, 0).m(iy, columns, 0).i(activation));
    CHECK(std::isnan(bench.read(iy, x.size())[0]));
    bench.ok(4, Words().i(0, 1, 1, columns).m(ix, columns, 0).m(id, columns, 0).m(iy, columns, 0).i(activation));
    CHECK(std::isnan(bench.read(iy, x.size())[0]));
  }
  const uint32_t ix = bench.buffer(x), iy = bench.empty(x.size());
  bench.ok(2, Words().i(0, 1, 1, columns).m(ix, columns, 0).none().i(0).m(iy, columns, 0).i(SCHEMOE_RELU));
  const auto y = bench.read(iy, x.size());
  CHECK(same(y, {kNan, kInf, 0, 0, 2}) && !std::signbit(y[3]));
}

/// [m, k] times [k, n] with a NaN, an infinity and a bias of NaN, and relu.
void products(Bench& bench) {
  for (int64_t m : {1, 5, 40}) {
    constexpr int64_t kN = 7, kK = 9;
    auto a = bench.random(m * kK, 1, 2);
    a[(m - 1) * kK + 3] = kNan;
    const uint32_t ia = bench.buffer(a), ib = bench.buffer(bench.random(kK * kN, -2, -1)), ic = bench.empty(m * kN);
    const uint32_t bias = bench.buffer(std::vector<float>{0, kNan, kInf, -kInf, 0, 0, 0});
    bench.ok(1, Words().i(0, 0, 0, 0, 1, m, kN, kK).m(ia, kK, 0).m(ib, kN, 0).m(ic, kN, 0).f(1).f(0).v(bias).i(0, 1));
    const auto c = bench.read(ic, m * kN);
    for (int64_t i = 0; i < m; ++i) {
      const std::vector<float> row(c.begin() + i * kN, c.begin() + (i + 1) * kN);
      CHECK(same(row, i == m - 1 ? std::vector<float>(kN, kNan) : std::vector<float>{0, kNan, kInf, 0, 0, 0, 0}));
    }
  }
}

void gates(Bench& bench) {
  // a row that holds NaN or +inf is NaN as a whole; -inf is a score of 0
  const std::vector<float> logits{1, kNan, 0, 0, kInf, 0, -kInf, 0, 0, -kInf, -kInf, -kInf};
  const uint32_t il = bench.buffer(logits), is = bench.empty(logits.size());
  bench.ok(7, Words().i(4, 3).v(il).v(is));
  CHECK(same(bench.read(is, 12), {kNan, kNan, kNan, kNan, kNan, kNan, 0, 0.5, 0.5, kNan, kNan, kNan}));

  // NaN first, the lower expert among equals, -0 equals 0
  const std::vector<float> scores{0, 3, kNan, kNan, kInf,  -0.0f, 0, -1, -kInf, 0,  -kInf, -kInf, -kInf, -kInf, -kInf, 1, kInf, 2, kInf, kNan};
  const uint32_t ix = bench.buffer(scores), ic = bench.empty<int32_t>(12), iw = bench.empty(12), ip = bench.empty<int32_t>(12);
  const uint32_t loads = bench.empty<int32_t>(5);
  bench.ok(8, Words().i(4, 5, 3, 0).none().v(ix).v(ic).v(iw));
  CHECK((bench.read<int32_t>(ic, 12) == std::vector<int32_t>{2, 3, 4, 0, 1, 4, 0, 1, 2, 4, 1, 3}));
  CHECK(same(bench.read(iw, 12), {kNan, kNan, kInf, 0, 0, 0, -kInf, -kInf, -kInf, kNan, kInf, kInf}));
  bench.ok(8, Words().i(4, 5, 3, 1).none().v(ix).v(ic).v(iw));
  CHECK(std::isnan(bench.read(iw, 12)[2]) && std::isnan(bench.read(iw, 12)[11]));

  // prioritized: tokens with NaN go first, as with infinity, in token order
  bench.ok(8, Words().i(4, 5, 1, 0).none().v(ix).v(ic).v(iw));
  bench.engine.write(ic, 0, std::vector<int32_t>{0, 0, 0, 0});
  bench.ok(9, Words().i(4, 5, 1, 1).v(ix).v(ic).v(ip).v(loads));
  CHECK((bench.read<int32_t>(ip, 4) == std::vector<int32_t>{0, 2, 3, 1}));

  const uint32_t loss = bench.empty(1), first = bench.buffer(std::vector<int32_t>{1, 1, 1, 1});
  bench.ok(10, Words().i(4, 5, 1).v(ix).v(first).v(loss));
  CHECK(std::isnan(bench.read(loss, 1)[0]));

  // backward: NaN of a weight's gradient, and of a score, reaches every logit of its token and no other
  const std::vector<float> even{0.25, 0.25, 0.25, 0.25, kNan, 0.5, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25};
  const uint32_t ie = bench.buffer(even), choices = bench.buffer(std::vector<int32_t>{0, 1, 2});
  const uint32_t weights = bench.buffer(std::vector<float>{0.25, 0.5, 0.25}), d = bench.buffer(std::vector<float>{kNan, 1, 1});
  const uint32_t out = bench.empty(12);
  bench.ok(15, Words().i(3, 4, 1, 0).v(ie).v(choices).v(weights).v(d).v(out).f(0));
  const auto grad = bench.read(out, 12);
  for (int i = 0; i < 12; ++i) CHECK_EQUAL(std::isnan(grad[i]), i < 8);
}

void reductions(Bench& bench) {
  const std::vector<float> x{1, kNan, kInf, 4, -kInf, 6, kInf, 8, 9, 10, -kInf, 12};
  const uint32_t ix = bench.buffer(x), out = bench.empty(4);
  bench.ok(6, Words().i(0, 1, 3, 4).m(ix, 4, 0).v(out).i(0, 0));
  CHECK(same(bench.read(out, 4), {-kInf, kNan, kNan, 24}));
  bench.ok(18, Words().i(3, 4, 4).v(ix).v(out));
  CHECK(same(bench.read(out, 4), {-kInf, kNan, kNan, 24}));
  // combine: a weight of 0 does not hide NaN; a dropped choice is not read
  const uint32_t rows = bench.buffer(std::vector<float>{kNan, 1}), choices = bench.buffer(std::vector<int32_t>{0, 0});
  const uint32_t places = bench.buffer(std::vector<int32_t>{0, 2}), weights = bench.buffer(std::vector<float>{0, 1}), y = bench.empty(2);
  bench.ok(13, Words().i(0, 2, 1, 1, 1).v(rows).v(choices).v(places).v(weights).v(y).i(0, 1, 0, 2));
  CHECK(same(bench.read(y, 2), {kNan, 0}));
  const uint32_t dots = bench.empty(2);
  bench.ok(14, Words().i(0, 2, 1, 1, 1).v(weights).v(rows).v(choices).v(places).v(dots).i(1, 0, 2));
  CHECK(same(bench.read(dots, 2), {kNan, 0}));
}

/// Weights and slopes of 0 do not hide what is not finite; what was not chosen is not read.
void zeros(Bench& bench) {
  const std::vector<float> rows{kNan, 1, kInf, 2, kNan, 3};
  const uint32_t from = bench.buffer(rows), choices = bench.buffer(std::vector<int32_t>{0, 4, 4, -1, 1, -1});
  const uint32_t weights = bench.buffer(std::vector<float>{1, 0, 0, 1, 1, 1}), to = bench.buffer(std::vector<float>(6, 5));
  bench.ok(52, Words().i(0, 3, 2, 4, 2).v(from).v(choices).v(weights).v(to));
  CHECK(same(bench.read(to, 6), {kNan, 5, kNan, 5, 5, 5}));
  // by square roots of softplus, and by relu
  for (int64_t kind : {2, 4}) {
    for (float odd : {kNan, kInf}) {
      const uint32_t logits = bench.buffer(std::vector<float>{-500, -500, 1}), scores = bench.buffer(std::vector<float>{0, 0, 1});
      const uint32_t chosen = bench.buffer(std::vector<int32_t>{1}), d = bench.buffer(std::vector<float>{odd}), out = bench.empty(3);
      bench.ok(41, Words().i(1, 3, 1, kind, 0).v(logits).v(scores).v(chosen).v(d).none().none().v(out).f(1).f(0).none());
      CHECK(same(bench.read(out, 3), {0, kNan, 0}));
    }
  }
}

/// Placed by priority a token with NaN goes first; equal loads leave a bias as it is, whatever their number.
void routings(Bench& bench) {
  const uint32_t scores = bench.buffer(std::vector<float>{0.5f, 0.1f, 0.3f, kNan, kNan, 0.2f, 0.9f, 0.4f});
  const uint32_t choices = bench.buffer(std::vector<int32_t>{0, 0, 0, 0}), targets = bench.empty<int32_t>(4);
  const uint32_t places = bench.empty<int32_t>(4), loads = bench.empty<int32_t>(2);
  bench.ok(42, Words().i(4, 2, 2, 1, 1).v(scores).v(choices).v(targets).v(places).v(loads));
  CHECK(bench.read<int32_t>(places, 4) == (std::vector<int32_t>{3, 0, 1, 2}));
  for (int64_t rows = 1; rows < 300; ++rows) {
    const auto count = static_cast<size_t>(rows);
    const uint32_t even = bench.buffer(std::vector<float>(count, 5)), bias = bench.buffer(std::vector<float>(count, 0.25f));
    bench.ok(54, Words().i(rows, 1, 0).v(even).v(bias).f(0.125));
    CHECK(bench.read(bias, count) == std::vector<float>(count, 0.25f));
  }
}

}  // namespace

int main() {
  Bench bench;
  activations(bench);
  infinities(bench);
  products(bench);
  gates(bench);
  reductions(bench);
  zeros(bench);
  routings(bench);
  return check::result();
}
