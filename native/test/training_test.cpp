// Kernels of a model around its layers, and optimizers, against plain loops in double.
#include <algorithm>
#include <functional>

#include "library.h"

namespace {

using Doubles = std::vector<double>;

/// All values, to a part of the largest.
void check_all(const std::string& what, const std::vector<float>& got, const Doubles& expected, double tolerance) {
  double largest = 0;
  for (double x : expected) largest = std::fmax(largest, std::abs(x));
  bool good = got.size() == expected.size();
  for (size_t i = 0; good && i < expected.size(); ++i) good = std::abs(got[i] - expected[i]) <= tolerance * largest;
  check::that(good, what, __FILE__, __LINE__);
}

void embeddings(Bench& bench) {
  constexpr int64_t kLength = 5, kTokens = 3 * kLength, kColumns = 19, kVocabulary = 7;
  std::vector<int32_t> ids(kTokens);
  for (int64_t t = 0; t < kTokens; ++t) ids[t] = static_cast<int32_t>(t * t % kVocabulary);
  const auto table = bench.random(kVocabulary * kColumns), places = bench.random(kLength * kColumns);
  const auto dy = bench.random(kTokens * kColumns);
  const uint32_t iids = bench.buffer(ids), itable = bench.buffer(table), iplaces = bench.buffer(places);
  const uint32_t idy = bench.buffer(dy), out = bench.empty(kTokens * kColumns);
  const uint32_t dtable = bench.empty(kVocabulary * kColumns), dplaces = bench.empty(kLength * kColumns);
  for (bool learned : {false, true}) {
    Words words = Words().i(kTokens, kColumns, kVocabulary, kLength).v(iids).v(itable);
    learned ? words.v(iplaces) : words.none();
    bench.ok(60, words.v(out));
    words = Words().i(kTokens, kColumns, kVocabulary, kLength).v(iids).v(idy).v(dtable);
    learned ? words.v(dplaces) : words.none();
    bench.ok(61, words);
    Doubles y(kTokens * kColumns), dt(kVocabulary * kColumns), dp(kLength * kColumns);
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t j = 0; j < kColumns; ++j) {
        y[t * kColumns + j] = table[ids[t] * kColumns + j] + (learned ? places[t % kLength * kColumns + j] : 0.0);
        dt[ids[t] * kColumns + j] += dy[t * kColumns + j];
        dp[t % kLength * kColumns + j] += dy[t * kColumns + j];
      }
    }
    check_all("embedding", bench.read(out, y.size()), y, 1e-7);
    check_all("embedding_grad", bench.read(dtable, dt.size()), dt, 1e-6);
    if (learned) check_all("embedding_grad of positions", bench.read(dplaces, dp.size()), dp, 1e-6);
  }
  ids[3] = kVocabulary;
  bench.engine.write(iids, 0, ids);
  const Outcome wrong =
      bench.run(60, Words().i(kTokens, kColumns, kVocabulary, kLength).v(iids).v(itable).none().v(out));
  CHECK_CONTAINS(wrong.text, "ids holds 7 of 7");
  CHECK_CONTAINS(bench.run(60, Words().i(7, 1, 1, 2).v(iids).v(itable).none().v(out)).text,
                 "7 tokens are not sequences of 2");
}

void rotary(Bench& bench) {
  constexpr int64_t kLength = 9, kTokens = 2 * kLength, kHeads = 3, kDim = 6;
  const auto x = bench.random(kTokens * kHeads * kDim);
  const uint32_t ix = bench.buffer(x);
  bench.ok(62, Words().i(kTokens, kLength, kHeads, kDim).v(ix).f(1000).i(0));
  Doubles expected(x.begin(), x.end());
  for (int64_t t = 0; t < kTokens; ++t) {
    for (int64_t h = 0; h < kHeads; ++h) {
      for (int64_t i = 0; i < kDim / 2; ++i) {
        const double angle = static_cast<double>(t % kLength) * std::pow(1000.0, -2.0 * static_cast<double>(i) / kDim);
        const int64_t low = (t * kHeads + h) * kDim + i, high = low + kDim / 2;
        expected[low] = x[low] * std::cos(angle) - x[high] * std::sin(angle);
        expected[high] = x[high] * std::cos(angle) + x[low] * std::sin(angle);
      }
    }
  }
  check_all("rotary", bench.read(ix, x.size()), expected, 3e-7);
  bench.ok(62, Words().i(kTokens, kLength, kHeads, kDim).v(ix).f(1000).i(1));
  check_all("rotary back", bench.read(ix, x.size()), Doubles(x.begin(), x.end()), 3e-7);
  CHECK_CONTAINS(bench.run(62, Words().i(2, 2, 1, 3).v(ix).f(10).i(0)).text, "the halves of 3 columns");
}

void norms(Bench& bench) {
  constexpr int64_t kRows = 37;
  constexpr double kEpsilon = 1e-5;
  for (int64_t columns : {1, 16, 83}) {
    for (int centered : {0, 1}) {
      const auto x = bench.random(kRows * columns, -1, 3), dy = bench.random(kRows * columns);
      const auto weight = bench.random(columns), bias = bench.random(columns), before = bench.random(kRows * columns);
      const uint32_t ix = bench.buffer(x), idy = bench.buffer(dy), iw = bench.buffer(weight), ib = bench.buffer(bias);
      const uint32_t iy = bench.empty(x.size()), is = bench.empty(kRows * 2), idx = bench.buffer(before);
      const uint32_t idw = bench.empty(columns), idb = bench.empty(columns);
      Words words = Words().i(centered, kRows, columns).v(ix).v(iw);
      centered ? words.v(ib) : words.none();
      bench.ok(63, words.v(iy).v(is).f(kEpsilon));
      Doubles y(x.size()), dx(x.size()), dw(columns), db(columns);
      for (int64_t r = 0; r < kRows; ++r) {
        const float *row = &x[r * columns], *from = &dy[r * columns];
        double mean = 0, squares = 0, along = 0, shift = 0;
        for (int64_t j = 0; j < columns; ++j) mean += centered ? row[j] / static_cast<double>(columns) : 0;
        for (int64_t j = 0; j < columns; ++j) squares += (row[j] - mean) * (row[j] - mean) / static_cast<double>(columns);
        const double inverse = 1 / std::sqrt(squares + kEpsilon);
        for (int64_t j = 0; j < columns; ++j) {
          const double h = (row[j] - mean) * inverse;
          y[r * columns + j] = h * weight[j] + (centered ? bias[j] : 0);
          along += from[j] * weight[j] * h / static_cast<double>(columns);
          shift += centered ? from[j] * weight[j] / static_cast<double>(columns) : 0;
          dw[j] += from[j] * h;
          db[j] += from[j];
        }
        for (int64_t j = 0; j < columns; ++j) {
          dx[r * columns + j] = inverse * (from[j] * weight[j] - shift - (row[j] - mean) * inverse * along);
        }
      }
      check_all("norm", bench.read(iy, y.size()), y, 1e-6);
      // A centered row of one column is 0 whatever it holds; its gradient is rounding alone.
      const double tolerance = columns == 1 ? 1e-2 : 2e-6;
      bench.ok(64, Words().i(centered, kRows, columns).v(idy).v(ix).v(iw).v(is).v(idx).i(1));
      Doubles sum(dx);
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += before[i];
      check_all("norm_grad onto what is there", bench.read(idx, sum.size()), sum, tolerance);
      if (columns > 1) {
        bench.ok(64, Words().i(centered, kRows, columns).v(idy).v(ix).v(iw).v(is).v(idx).i(0));
        check_all("norm_grad", bench.read(idx, dx.size()), dx, tolerance);
      }
      words = Words().i(centered, kRows, columns).v(idy).v(ix).v(is).v(idw);
      centered ? words.v(idb) : words.none();
      bench.ok(65, words);
      if (columns > 1) check_all("norm_weight_grad", bench.read(idw, dw.size()), dw, 2e-6);
      if (centered) check_all("norm_weight_grad of the bias", bench.read(idb, db.size()), db, 2e-6);
    }
  }
}

struct Sizes {
  int64_t batch, length, heads, key_heads, dim;
};

void attention(Bench& bench) {
  for (const Sizes& s : {Sizes{2, 5, 4, 2, 6}, Sizes{1, 130, 2, 2, 8}, Sizes{2, 64, 3, 1, 4}, Sizes{1, 1, 1, 1, 2}}) {
    const int64_t tokens = s.batch * s.length, ldq = s.heads * s.dim, ldk = s.key_heads * s.dim;
    const double scale = 1 / std::sqrt(static_cast<double>(s.dim));
    const auto q = bench.random(tokens * ldq), k = bench.random(tokens * ldk), v = bench.random(tokens * ldk);
    const auto dout = bench.random(tokens * ldq);
    const uint32_t iq = bench.buffer(q), ik = bench.buffer(k), iv = bench.buffer(v), id = bench.buffer(dout);
    const uint32_t out = bench.empty(q.size()), logsum = bench.empty(tokens * s.heads);
    const uint32_t dq = bench.empty(q.size()), dk = bench.empty(k.size()), dv = bench.empty(v.size());
    const auto sizes = [&] { return Words().i(s.batch, s.length, s.heads, s.key_heads, s.dim); };
    bench.ok(66, sizes().v(iq).v(ik).v(iv).v(out).v(logsum).f(scale));
    bench.ok(67, sizes().v(iq).v(ik).v(iv).v(out).v(logsum).v(id).v(dq).v(dk).v(dv).f(scale));
    Doubles y(q.size()), logs(tokens * s.heads), eq(q.size()), ek(k.size()), ev(v.size());
    for (int64_t b = 0; b < s.batch; ++b) {
      for (int64_t h = 0; h < s.heads; ++h) {
        const int64_t shared = h / (s.heads / s.key_heads);
        for (int64_t l = 0; l < s.length; ++l) {
          const auto query = (b * s.length + l) * ldq + h * s.dim;
          const auto key = [&](int64_t m) { return (b * s.length + m) * ldk + shared * s.dim; };
          Doubles p(l + 1), dp(l + 1);
          double sum = 0, delta = 0;
          for (int64_t m = 0; m <= l; ++m) {
            double score = 0;
            for (int64_t i = 0; i < s.dim; ++i) score += static_cast<double>(q[query + i]) * k[key(m) + i];
            sum += p[m] = std::exp(score * scale);
          }
          logs[(b * s.heads + h) * s.length + l] = std::log(sum);
          for (int64_t m = 0; m <= l; ++m) {
            p[m] /= sum;
            for (int64_t i = 0; i < s.dim; ++i) {
              y[query + i] += p[m] * v[key(m) + i];
              dp[m] += static_cast<double>(dout[query + i]) * v[key(m) + i];
              ev[key(m) + i] += p[m] * dout[query + i];
            }
            delta += p[m] * dp[m];
          }
          for (int64_t m = 0; m <= l; ++m) {
            const double ds = p[m] * (dp[m] - delta) * scale;
            for (int64_t i = 0; i < s.dim; ++i) {
              eq[query + i] += ds * k[key(m) + i];
              ek[key(m) + i] += ds * q[query + i];
            }
          }
        }
      }
    }
    check_all("attention", bench.read(out, y.size()), y, 1e-6);
    check_all("logsum", bench.read(logsum, logs.size()), logs, 1e-6);
    if (s.length == 1) continue;  // gradients of queries and keys are rounding alone
    check_all("attention_grad of queries", bench.read(dq, eq.size()), eq, 2e-6);
    check_all("attention_grad of keys", bench.read(dk, ek.size()), ek, 2e-6);
    check_all("attention_grad of values", bench.read(dv, ev.size()), ev, 2e-6);
  }
  CHECK_CONTAINS(bench.run(66, Words().i(1, 1, 3, 2, 2).v(0).v(0).v(0).v(0).v(0).f(1)).text,
                 "3 heads do not share 2 key-value heads equally");
}

void losses(Bench& bench) {
  constexpr int64_t kRows = 11, kColumns = 101;
  constexpr double kScale = 0.125;
  const auto x = bench.random(kRows * kColumns, -20, 20);
  std::vector<int32_t> targets(kRows);
  for (int64_t r = 0; r < kRows; ++r) targets[r] = static_cast<int32_t>(r * 37 % kColumns);
  const uint32_t ix = bench.buffer(x), it = bench.buffer(targets), loss = bench.empty(kRows);
  bench.ok(69, Words().i(kRows, kColumns).v(ix).v(it).v(loss).f(kScale));
  Doubles expected(kRows), gradient(x.size());
  for (int64_t r = 0; r < kRows; ++r) {
    double sum = 0;
    for (int64_t j = 0; j < kColumns; ++j) sum += std::exp(static_cast<double>(x[r * kColumns + j]));
    expected[r] = std::log(sum) - x[r * kColumns + targets[r]];
    for (int64_t j = 0; j < kColumns; ++j) {
      gradient[r * kColumns + j] = kScale * (std::exp(static_cast<double>(x[r * kColumns + j])) / sum - (j == targets[r]));
    }
  }
  check_all("cross_entropy", bench.read(loss, kRows), expected, 1e-6);
  check_all("cross_entropy's gradient", bench.read(ix, gradient.size()), gradient, 1e-6);
  targets[2] = -1;
  bench.engine.write(it, 0, targets);
  CHECK_CONTAINS(bench.run(69, Words().i(kRows, kColumns).v(ix).v(it).v(loss).f(1)).text, "targets holds -1 of 101");

  constexpr int64_t kCount = 10007;
  const auto many = bench.random(kCount), more = bench.random(kCount);
  const uint32_t im = bench.buffer(many), io = bench.buffer(more), sums = bench.empty(2), clip = bench.empty(2);
  bench.ok(70, Words().i(0, kCount).v(im).v(sums));
  bench.ok(70, Words().i(1, kCount).v(im).v(sums, 4));
  double sum = 0, squares = 0;
  for (float value : many) sum += value, squares += static_cast<double>(value) * value;
  CHECK_NEAR(bench.read(sums, 1)[0], sum, 1e-6);
  CHECK_NEAR(bench.read(sums, 2)[1], squares, 3e-7);
  bench.ok(20, Words().i(1).v(sums).f(7));
  for (double limit : {0.0, 3.0, 1e6}) {
    bench.ok(71, Words().i(2).v(sums).v(clip).f(limit));
    const double norm = std::sqrt(squares + 7);
    CHECK_NEAR(bench.read(clip, 1)[0], norm, 3e-7);
    CHECK_NEAR(bench.read(clip, 2)[1], limit == 3 ? limit / norm : 1, 1e-6);
  }
  bench.ok(68, Words().i(kCount).v(im).v(io).v(im));
  const auto added = bench.read(im, kCount);
  for (int64_t i = 0; i < kCount; i += 101) CHECK(added[i] == many[i] + more[i]);
}

void optimizers(Bench& bench) {
  constexpr int64_t kCount = 1003;
  const auto p = bench.random(kCount), g = bench.random(kCount), m = bench.random(kCount);
  const auto v = bench.random(kCount, 0, 2);
  const uint32_t clip = bench.buffer(std::vector<float>{9, 0.5});
  const uint32_t rates = bench.buffer(std::vector<float>{0.01f, 0.3f, 0.06f}), ig = bench.buffer(g);
  uint32_t ip = bench.buffer(p), im = bench.buffer(m);
  const uint32_t iv = bench.buffer(v);
  bench.ok(72, Words().i(kCount).v(ip).v(ig).v(im).v(iv).v(clip).v(rates).f(0.9).f(0.95).f(1e-8).f(0.1));
  Doubles ep(kCount), em(kCount), ev(kCount), sp(kCount), sv(kCount);
  for (int64_t i = 0; i < kCount; ++i) {
    const double gradient = 0.5 * g[i];
    em[i] = 0.9 * m[i] + 0.1 * gradient;
    ev[i] = 0.95 * v[i] + 0.05 * gradient * gradient;
    ep[i] = p[i] * (1 - 0.01 * 0.1) - 0.01 * (em[i] / 0.3) / (std::sqrt(ev[i] / 0.06) + 1e-8);
    sv[i] = 0.9 * m[i] + gradient;
    sp[i] = p[i] - 0.01 * sv[i];
  }
  check_all("adamw", bench.read(ip, kCount), ep, 1e-6);
  check_all("adamw's first moment", bench.read(im, kCount), em, 1e-6);
  check_all("adamw's second moment", bench.read(iv, kCount), ev, 1e-6);
  ip = bench.buffer(p);
  im = bench.buffer(m);
  bench.ok(73, Words().i(kCount).v(ip).v(ig).v(im).v(clip).v(rates).f(0.9));
  check_all("sgd", bench.read(ip, kCount), sp, 1e-6);
  check_all("sgd's velocity", bench.read(im, kCount), sv, 1e-6);
}

}  // namespace

int main() {
  Bench bench;
  embeddings(bench);
  rotary(bench);
  norms(bench);
  attention(bench);
  losses(bench);
  optimizers(bench);
  return check::result();
}
