// Attention on NaN and infinities: as softmax(scale Q K^T) V in IEEE 754 has them, row by row, with keys up to the
// query alone.
#include <algorithm>
#include <limits>

#include "library.h"

namespace {

using Doubles = std::vector<double>;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

struct Sizes {
  int64_t batch, length, heads, key_heads, dim;
  int64_t ldq() const { return heads * dim; }
  int64_t ldk() const { return key_heads * dim; }
  int64_t tokens() const { return batch * length; }
};

struct Floats {
  std::vector<float> q, k, v, dout, out, logsum, dq, dk, dv;
};

/// In float32 a probability below the smallest normal number is 0.
double exponential(double x) { return x < -87 ? 0 : std::exp(x); }

/// What the kernels are to compute from q, k, v and dout, and for the gradient from out and logsum.
struct Expected {
  Doubles out, logsum, dq, dk, dv;
  Expected(const Sizes& s, const Floats& x, double scale)
      : out(x.q.size()), logsum(static_cast<size_t>(s.tokens() * s.heads)), dq(x.q.size()), dk(x.k.size()), dv(x.k.size()) {
    for (int64_t b = 0; b < s.batch; ++b) {
      for (int64_t h = 0; h < s.heads; ++h) {
        for (int64_t l = 0; l < s.length; ++l) query(s, x, scale, b, h, l);
      }
    }
  }

 private:
  void query(const Sizes& s, const Floats& x, double scale, int64_t b, int64_t h, int64_t l) {
    const auto at = static_cast<size_t>((b * s.length + l) * s.ldq() + h * s.dim);
    const auto row = static_cast<size_t>((b * s.heads + h) * s.length + l);
    const auto key = [&](int64_t m, int64_t i) {
      return static_cast<size_t>((b * s.length + m) * s.ldk() + h / (s.heads / s.key_heads) * s.dim + i);
    };
    Doubles scores(static_cast<size_t>(l + 1)), slopes = scores;
    double most = -INFINITY, sum = 0, delta = 0;
    for (int64_t m = 0; m <= l; ++m) {
      for (int64_t i = 0; i < s.dim; ++i) {
        scores[m] += static_cast<double>(x.q[at + i]) * x.k[key(m, i)];
        slopes[m] += static_cast<double>(x.dout[at + i]) * x.v[key(m, i)];
      }
      scores[m] *= scale;
      most = std::fmax(most, scores[m]);
    }
    for (double score : scores) sum += exponential(score - most);
    logsum[row] = most + std::log(sum);
    for (int64_t i = 0; i < s.dim; ++i) {
      delta += static_cast<double>(x.dout[at + i]) * x.out[at + i];
      for (int64_t m = 0; m <= l; ++m) out[at + i] += exponential(scores[m] - most) / sum * x.v[key(m, i)];
    }
    for (int64_t m = 0; m <= l; ++m) {
      const double p = exponential(scores[m] - x.logsum[row]), d = p * (slopes[m] - delta) * scale;
      for (int64_t i = 0; i < s.dim; ++i) {
        dv[key(m, i)] += p * x.dout[at + i];
        dq[at + i] += d * x.k[key(m, i)];
        dk[key(m, i)] += d * x.q[at + i];
      }
    }
  }
};

/// NaN for NaN, an infinity for the same one, and a number within rounding of it.
void alike(const std::string& what, const std::vector<float>& got, const Doubles& expected, double tolerance) {
  double largest = 1;
  for (double x : expected) largest = std::isfinite(x) ? std::fmax(largest, std::abs(x)) : largest;
  CHECK_EQUAL(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double x = got[i], y = expected[i];
    if (std::isnan(x) ? std::isnan(y) : x == y || std::abs(x - y) <= tolerance * largest) continue;
    check::that(false, what + " at " + std::to_string(i) + ": " + std::to_string(x) + ", not " + std::to_string(y), __FILE__, __LINE__);
    return;
  }
}

/// Forward, then backward from what forward left.
void compare(Bench& bench, const Sizes& s, Floats x, const std::string& name, double tolerance = 4e-6) {
  const double scale = 1 / std::sqrt(static_cast<double>(s.dim));
  const uint32_t q = bench.buffer(x.q), k = bench.buffer(x.k), v = bench.buffer(x.v), dout = bench.buffer(x.dout);
  const uint32_t out = bench.empty(x.q.size()), logsum = bench.empty(static_cast<size_t>(s.tokens() * s.heads));
  const uint32_t dq = bench.empty(x.q.size()), dk = bench.empty(x.k.size()), dv = bench.empty(x.k.size());
  const auto sizes = [&] { return Words().i(s.batch, s.length, s.heads, s.key_heads, s.dim); };
  bench.ok(66, sizes().v(q).v(k).v(v).v(out).v(logsum).f(scale));
  bench.ok(67, sizes().v(q).v(k).v(v).v(out).v(logsum).v(dout).v(dq).v(dk).v(dv).f(scale));
  x.out = bench.read(out, x.q.size()), x.logsum = bench.read(logsum, static_cast<size_t>(s.tokens() * s.heads));
  const Expected expected(s, x, scale);
  alike(name + ": out", x.out, expected.out, tolerance);
  alike(name + ": logsum", x.logsum, expected.logsum, tolerance);
  alike(name + ": dq", bench.read(dq, x.q.size()), expected.dq, tolerance);
  alike(name + ": dk", bench.read(dk, x.k.size()), expected.dk, tolerance);
  alike(name + ": dv", bench.read(dv, x.k.size()), expected.dv, tolerance);
}

Floats random(Bench& bench, const Sizes& s) {
  const auto queries = static_cast<size_t>(s.tokens() * s.ldq()), keys = static_cast<size_t>(s.tokens() * s.ldk());
  return {bench.random(queries), bench.random(keys), bench.random(keys), bench.random(queries), {}, {}, {}, {}, {}};
}

/// Elements of the first, a middle and the last token in each input.
void elements(Bench& bench, const Sizes& s) {
  const Floats clean = random(bench, s);
  compare(bench, s, clean, "finite numbers");
  for (auto input : {&Floats::q, &Floats::k, &Floats::v, &Floats::dout}) {
    const int64_t ld = input == &Floats::q || input == &Floats::dout ? s.ldq() : s.ldk();
    for (int64_t token : {int64_t{0}, s.length / 2, s.length - 1}) {
      for (float value : {kNan, kInf, -kInf}) {
        Floats x = clean;
        (x.*input)[static_cast<size_t>(token * ld + token % ld)] = value;
        compare(bench, s, x, std::to_string(value) + " at token " + std::to_string(token));
      }
    }
  }
}

/// Scores of -infinity alone, the first ones, some; and of infinity, which no softmax has.
void scores(Bench& bench, const Sizes& s) {
  for (int64_t from : {int64_t{0}, int64_t{1}, s.length / 2}) {
    for (int64_t to : {from + 1, s.length}) {
      for (float value : {kInf, -kInf}) {
        Floats x = random(bench, s);
        for (float& q : x.q) q = std::abs(q) + 0.125f;
        for (int64_t token = from; token < std::min(to, s.length); ++token) {
          std::fill_n(x.k.begin() + token * s.ldk(), s.ldk(), value);
        }
        compare(bench, s, x, "keys of " + std::to_string(value) + " from token " + std::to_string(from));
      }
    }
  }
  // Probabilities that underflow, times infinite values. Scores are in the hundreds, and so is their rounding.
  Floats x = random(bench, s);
  for (float& q : x.q) q = 16;
  for (int64_t token = 0; token < s.length; ++token) {
    for (int64_t i = 0; i < s.ldk(); ++i) x.k[static_cast<size_t>(token * s.ldk() + i)] = 2 * static_cast<float>(std::min<int64_t>(token, 8));
  }
  std::fill_n(x.v.begin(), s.ldk(), kInf);
  compare(bench, s, x, "an infinite value of a key that is far below", 1e-4);
}

/// A single key has probability 1 whatever its score: gradients of queries and keys are 0, not what rounding leaves, of
/// which AdamW would make whole steps.
void single(Bench& bench) {
  const Sizes s{3, 1, 4, 2, 37};
  const Floats x = random(bench, s);
  const uint32_t q = bench.buffer(x.q), k = bench.buffer(x.k), v = bench.buffer(x.v), dout = bench.buffer(x.dout);
  const uint32_t out = bench.empty(x.q.size()), logsum = bench.empty(static_cast<size_t>(s.tokens() * s.heads));
  const uint32_t dq = bench.empty(x.q.size()), dk = bench.empty(x.k.size()), dv = bench.empty(x.k.size());
  const auto sizes = [&] { return Words().i(s.batch, s.length, s.heads, s.key_heads, s.dim); };
  bench.ok(66, sizes().v(q).v(k).v(v).v(out).v(logsum).f(0.125));
  bench.ok(67, sizes().v(q).v(k).v(v).v(out).v(logsum).v(dout).v(dq).v(dk).v(dv).f(0.125));
  for (float gradient : bench.read(dq, x.q.size())) CHECK_EQUAL(gradient, 0.0f);
  for (float gradient : bench.read(dk, x.k.size())) CHECK_EQUAL(gradient, 0.0f);
}

}  // namespace

int main() {
  Bench bench;
  single(bench);
  for (const Sizes& s : {Sizes{2, 5, 4, 2, 6}, Sizes{1, 130, 2, 2, 8}, Sizes{1, 67, 3, 1, 4}}) {
    elements(bench, s);
    scores(bench, s);
  }
  return check::result();
}
