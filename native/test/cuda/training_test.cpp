// Kernels of training on the GPU against the CPU engine.
#include <algorithm>
#include <limits>

#include "both.h"

namespace {

/// Of the largest value.
double tolerance(int dtype, double exact) { return dtype == SCHEMOE_BF16 ? 2e-2 : exact; }

void embeddings(Both& t, int dtype) {
  for (int64_t columns : {1, 33, 300}) {
    for (bool learned : {false, true}) {
      constexpr int64_t kLength = 17, kTokens = 3 * kLength, kVocabulary = 29;
      std::vector<int32_t> ids(kTokens);
      for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * i % kVocabulary);
      const auto size = [](int64_t count) { return static_cast<size_t>(count); };
      t.begin("embedding", dtype);
      const auto at = t.integers(ids), table = t.values(t.random(size(kVocabulary * columns)));
      const auto places = t.values(t.random(size(kLength * columns))), rows = t.values(t.random(size(kTokens * columns)));
      const auto of_table = t.floats(t.random(size(kVocabulary * columns))), of_places = t.floats(t.random(size(kLength * columns)));
      for (uint64_t code : {60, 61}) {
        t.run(code, [&](int d) {
          Words w = Words().i(kTokens, columns, kVocabulary, kLength).v(at);
          code == 60 ? w.v(table) : w.v(rows).v(of_table);
          learned ? w.v(code == 60 ? places : of_places) : w.none();
          return code == 60 ? w.v(rows).i(d) : w.i(d);
        }, tolerance(dtype, 1e-6));
      }
      t.begin("embedding of a token that does not exist");
      ids[5] = kVocabulary;
      const auto wrong = t.integers(ids), few = t.floats(t.random(size(kVocabulary * columns)));
      const auto out = t.floats(t.random(size(kTokens * columns)));
      t.run(60, [&](int) {
        return Words().i(kTokens, columns, kVocabulary, kLength).v(wrong).v(few).none().v(out);
      }, 0);
    }
  }
  for (int back : {0, 1}) {
    for (int64_t dim : {10, 32}) {
      t.begin("rotary", dtype);
      const auto x = t.values(t.random(static_cast<size_t>(100 * 3 * dim)));
      t.run(62, [&](int d) { return Words().i(100, 50, 3, dim).v(x).f(10000).i(back, d); }, tolerance(dtype, 1e-6));
    }
  }
}

void norms(Both& t, int dtype) {
  for (int64_t columns : {2, 31, 1030, 1024}) {
    for (int centered : {0, 1}) {
      const int64_t rows = kSanitized && columns > 1000 ? 99 : 777;
      const auto count = static_cast<size_t>(rows * columns), row = static_cast<size_t>(columns);
      t.begin("norm", dtype);
      const auto x = t.values(t.random(count, -1, 3)), weight = t.floats(t.random(row)), bias = t.floats(t.random(row));
      const auto y = t.values(t.random(count)), statistics = t.floats(t.random(static_cast<size_t>(2 * rows), 0.5, 2));
      t.run(63, [&](int d) {
        Words w = Words().i(centered, rows, columns).v(x).v(weight);
        centered ? w.v(bias) : w.none();
        return w.v(y).v(statistics).f(1e-5).i(d);
      }, tolerance(dtype, 2e-6));
      for (int accumulate : {0, 1}) {
        t.run(64, [&](int d) {
          return Words().i(centered, rows, columns).v(y).v(x).v(weight).v(statistics).v(y).i(accumulate, d);
        }, tolerance(dtype, 5e-6));
      }
      t.run(65, [&](int d) {
        Words w = Words().i(centered, rows, columns).v(y).v(x).v(statistics).v(weight);
        return (centered ? w.v(bias) : w.none()).i(d);
      }, tolerance(dtype, 5e-6));
    }
  }
}

struct Sizes {
  int64_t batch, length, heads, key_heads, dim;
};

void attention(Both& t, int dtype) {
  for (const Sizes& s : {Sizes{2, 5, 4, 2, 6}, Sizes{1, 200, 2, 2, 64}, Sizes{2, 64, 3, 1, 128}, Sizes{1, 9, 2, 1, 256},
                         Sizes{2, 333, 4, 2, 64}, Sizes{1, 300, 2, 1, 128}, Sizes{2, 128, 2, 2, 64}}) {
    const int64_t tokens = s.batch * s.length;
    if (dtype == SCHEMOE_F32 && too_large(static_cast<size_t>(tokens * s.length * s.heads), 1000)) continue;
    const auto queries = static_cast<size_t>(tokens * s.heads * s.dim), keys = static_cast<size_t>(tokens * s.key_heads * s.dim);
    const auto sizes = [&] { return Words().i(s.batch, s.length, s.heads, s.key_heads, s.dim); };
    const double scale = 1 / std::sqrt(static_cast<double>(s.dim));
    t.begin("attention", dtype);
    const auto q = t.values(t.random(queries)), k = t.values(t.random(keys)), v = t.values(t.random(keys));
    const auto out = t.values(t.random(queries)), logsum = t.floats(t.random(static_cast<size_t>(tokens * s.heads), 9, 10));
    t.run(66, [&](int d) { return sizes().v(q).v(k).v(v).v(out).v(logsum).f(scale).i(d); }, tolerance(dtype, 5e-6));
    // Any out and logsum will do: the gradient only reads them.
    const auto dout = t.values(t.random(queries)), dq = t.values(t.random(queries));
    const auto dk = t.values(t.random(keys)), dv = t.values(t.random(keys));
    t.run(67, [&](int d) {
      return sizes().v(q).v(k).v(v).v(out).v(logsum).v(dout).v(dq).v(dk).v(dv).f(scale).i(d);
    }, tolerance(dtype, 1e-5));
  }
}

/// What is not finite: elements, whole keys (scores of infinities alone), values far below the largest score.
void attention_without_numbers(Both& t) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  const Sizes s{1, 70, 2, 1, 40};
  const auto queries = static_cast<size_t>(s.length * s.heads * s.dim), keys = static_cast<size_t>(s.length * s.dim);
  const auto sizes = [&] { return Words().i(s.batch, s.length, s.heads, s.key_heads, s.dim); };
  for (int input = 0; input < 4; ++input) {
    for (size_t count : {size_t{1}, static_cast<size_t>(s.dim), 9 * static_cast<size_t>(s.dim)}) {
      for (size_t token : {0, 1, 35, 60}) {
        for (float value : {kNan, kInf, -kInf}) {
          std::vector<float> x[4] = {t.random(queries, 0.1f, 2), t.random(keys), t.random(keys), t.random(queries)};
          const size_t at = token * x[input].size() / static_cast<size_t>(s.length);
          std::fill_n(x[input].begin() + static_cast<long>(at), count, value);
          t.begin("attention with " + std::to_string(value) + " from token " + std::to_string(token) + " of input " + std::to_string(input));
          const auto q = t.floats(x[0]), k = t.floats(x[1]), v = t.floats(x[2]), dout = t.floats(x[3]);
          const auto out = t.floats(t.random(queries)), logsum = t.floats(t.random(2 * static_cast<size_t>(s.length), 9, 10));
          t.run(66, [&](int) { return sizes().v(q).v(k).v(v).v(out).v(logsum).f(0.25); }, 5e-6);
          const auto dq = t.floats(t.random(queries)), dk = t.floats(t.random(keys)), dv = t.floats(t.random(keys));
          t.run(67, [&](int) {
            return sizes().v(q).v(k).v(v).v(out).v(logsum).v(dout).v(dq).v(dk).v(dv).f(0.25);
          }, 2e-5);
        }
      }
    }
  }
  t.begin("attention with an infinite value of a key that is far below");
  std::vector<float> far_k(keys), far_v = t.random(keys);
  for (size_t i = 0; i < keys; ++i) far_k[i] = 3 * static_cast<float>(i / static_cast<size_t>(s.dim));
  std::fill_n(far_v.begin(), s.dim, kInf);
  const auto q = t.floats(std::vector<float>(queries, 1.5f)), k = t.floats(far_k), v = t.floats(far_v);
  const auto out = t.floats(t.random(queries)), logsum = t.floats(t.random(2 * static_cast<size_t>(s.length)));
  t.run(66, [&](int) { return sizes().v(q).v(k).v(v).v(out).v(logsum).f(0.25); }, 1e-4);
  // Finite values whose sum is finite only after it is divided.
  t.begin("attention with values near the largest number");
  const auto equal = t.floats(std::vector<float>(queries, 0.0f)), any = t.floats(t.random(keys));
  const auto large = t.floats(std::vector<float>(keys, 3e38f)), to = t.floats(t.random(queries));
  const auto sums = t.floats(t.random(2 * static_cast<size_t>(s.length)));
  t.run(66, [&](int) { return sizes().v(equal).v(any).v(large).v(to).v(sums).f(0.25); }, 5e-6);
}

void updates(Both& t, int dtype) {
  constexpr int64_t kRows = 19;
  for (int64_t columns : {1, 101, 5000, 4096}) {
    std::vector<int32_t> targets;
    for (int64_t i = 0; i < kRows; ++i) targets.push_back(static_cast<int32_t>(i * 131 % columns));
    t.begin("cross_entropy", dtype);
    const auto logits = t.values(t.random(static_cast<size_t>(kRows * columns), -9, 9)), at = t.integers(targets);
    const auto loss = t.floats(t.random(kRows));
    t.run(69, [&](int d) { return Words().i(kRows, columns).v(logits).v(at).v(loss).f(0.25).i(d); }, tolerance(dtype, 2e-6));
  }
  constexpr int64_t kCount = 300007;
  t.begin("add", dtype);
  for (int64_t count : {kCount, kCount - 7}) {
    const auto left = t.values(t.random(static_cast<size_t>(count))), right = t.values(t.random(static_cast<size_t>(count)));
    t.run(68, [&](int d) { return Words().i(count).v(left).v(right).v(left).i(d); }, tolerance(dtype, 0));
  }
  if (dtype == SCHEMOE_BF16) return;
  for (int64_t count : {kCount, kCount - 7}) {
    t.begin("round");
    const auto x = t.floats(t.random(static_cast<size_t>(count))), out = t.bytes(static_cast<size_t>(2 * count));
    t.run(75, [&](int) { return Words().i(count).v(x).v(out); }, 0);
  }
  t.begin("sums and clipping");
  const auto a = t.floats(t.random(kCount)), sums = t.floats({3, 4}), clip = t.floats({9, 9});
  for (int squares : {0, 1}) t.run(70, [&](int) { return Words().i(squares, kCount).v(a).v(sums, 4); }, 2e-5);
  for (double limit : {0.0, 1.5, 9.0}) t.run(71, [&](int) { return Words().i(2).v(sums).v(clip).f(limit); }, 1e-6);
  t.begin("updates");
  const auto p = t.floats(t.random(kCount)), g = t.floats(t.random(kCount)), m = t.floats(t.random(kCount));
  const auto v = t.floats(t.random(kCount, 0, 2)), factor = t.floats({7, 0.5}), rates = t.floats({0.01f, 0.3f, 0.06f});
  t.run(72, [&](int) {
    return Words().i(kCount).v(p).v(g).v(m).v(v).v(factor).v(rates).f(0.9).f(0.95).f(1e-8).f(0.1);
  }, 1e-6);
  t.run(73, [&](int) { return Words().i(kCount).v(p).v(g).v(m).v(factor).v(rates).f(0.9); }, 1e-6);
}

}  // namespace

/// Arguments name the families to run; none: all of them.
int main(int count, char** names) {
  if (const auto skipped = without_gpu()) return *skipped;
  Both t;
  {
    Chosen of(count, names);
    if (of("numbers")) attention_without_numbers(t);
    for (int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) {
      if (of("embeddings")) embeddings(t, dtype);
      if (of("norms")) norms(t, dtype);
      if (of("attention")) attention(t, dtype);
      if (of("updates")) updates(t, dtype);
    }
  }
  return check::result();
}
