// Every CUDA kernel against the CPU engine, at even and odd sizes, in float32 and bfloat16.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "both.h"

namespace {

constexpr int kTypes[] = {SCHEMOE_F32, SCHEMOE_BF16};

/// Of the largest value: float32 results that may round differently, and bfloat16 ones.
double tolerance(int dtype, double f32 = 2e-6) { return dtype == SCHEMOE_BF16 ? 8e-3 : f32; }

struct Layout {
  int64_t groups, rows, columns, ld, stride;
  size_t count() const { return static_cast<size_t>(groups * stride + 8); }
};

const Layout kLayouts[] = {{1, 1, 1, 1, 1},       {2, 3, 11, 13, 41},  {2, 5, 64, 64, 320},
                           {3, 33, 256, 264, 9000}, {1, 7, 4096, 4096, 28672}, {2, 0, 8, 8, 8}};

void elementwise(Both& t) {
  for (int dtype : kTypes) {
    for (const Layout& l : kLayouts) {
      for (int activation = SCHEMOE_IDENTITY; activation <= SCHEMOE_RELU_SQUARED; ++activation) {
        const auto head = [&](int d) { return Words().i(d, l.groups, l.rows, l.columns); };
        for (int form = 0; form < 4; ++form) {  // with and without bias, with and without Y
          t.begin("bias_act", dtype);
          const auto x = t.values(t.random(l.count(), -4, 4)), y = t.values(t.random(l.count()));
          const auto bias = t.values(t.random(static_cast<size_t>(l.groups * l.columns)));
          t.run(2, [&](int d) {
            Words w = head(d).m(x, l.ld, l.stride);
            form & 1 ? w.v(bias).i(l.columns) : w.none().i(0);
            form & 2 ? w.m(y, l.ld, l.stride) : w.none().i(0, 0);
            return w.i(activation);
          }, tolerance(dtype));
        }
        t.begin("act_grad", dtype);
        auto dy = t.values(t.random(l.count())), x = t.values(t.random(l.count(), -4, 4));
        t.run(3, [&](int d) {
          return head(d).m(dy, l.ld, l.stride).m(x, l.ld, l.stride).m(dy, l.ld, l.stride).i(activation);
        }, tolerance(dtype));
        t.begin("glu", dtype);
        const auto a = t.values(t.random(l.count(), -4, 4)), b = t.values(t.random(l.count()));
        const auto y = t.values(t.random(l.count()));
        t.run(4, [&](int d) {
          return head(d).m(a, l.ld, l.stride).m(b, l.ld, l.stride).m(y, l.ld, l.stride).i(activation);
        }, tolerance(dtype));
        t.begin("glu_grad", dtype);
        const auto ga = t.values(t.random(l.count(), -4, 4)), gb = t.values(t.random(l.count()));
        dy = t.values(t.random(l.count()));
        const auto db = t.values(t.random(l.count()));
        t.run(5, [&](int d) {
          return head(d).m(dy, l.ld, l.stride).m(ga, l.ld, l.stride).m(gb, l.ld, l.stride).m(dy, l.ld, l.stride)
              .m(db, l.ld, l.stride).i(activation);
        }, tolerance(dtype));
      }
      for (int accumulate : {0, 1}) {
        t.begin("column_sum", dtype);
        const auto x = t.values(t.random(l.count()));
        const auto out = t.floats(t.random(static_cast<size_t>(l.groups * (l.columns + 1))));
        t.run(6, [&](int d) {
          return Words().i(d, l.groups, l.rows, l.columns).m(x, l.ld, l.stride).v(out).i(l.columns + 1, accumulate);
        }, 1e-6);
      }
    }
  }
}

void weighed(Both& t) {
  for (int dtype : kTypes) {
    for (const Layout& l : kLayouts) {
      for (int form = 0; form < 5; ++form) {  // with rows, with a vector, onto what is there or not; weights alone
        t.begin("weigh_rows", dtype);
        const auto d = t.values(t.random(l.count())), a = t.values(t.random(l.count()));
        const auto vector = t.values(t.random(static_cast<size_t>(l.groups * (l.columns + 1))));
        const auto weights = t.floats(t.random(static_cast<size_t>(l.groups * (l.rows + 3))));
        const auto dots = t.floats(t.random(static_cast<size_t>(l.groups * (l.rows + 3))));
        t.run(82, [&](int type) {
          Words w = Words().i(type, l.groups, l.rows, l.columns).m(d, l.ld, l.stride);
          form < 2 ? w.m(a, l.ld, l.stride) : w.none().i(0, 0);
          form == 2 || form == 3 ? w.v(vector).i(l.columns + 1) : w.none().i(0);
          w.v(weights);
          form < 4 ? w.v(dots) : w.none();
          return w.i(l.rows + 3, form % 2);
        }, tolerance(dtype));
      }
    }
  }
}

struct Product {
  int64_t groups, m, n, k;
};

/// Tensor cores cut off what they add to a sum instead of rounding it, every 16 along k: at most half a unit
/// more each time than the CPU (Fasi, Higham, Mikaitis, Pranesh: Numerical behavior of NVIDIA tensor cores).
double tensor_cores(int64_t k) { return std::max(2e-6, std::ldexp(static_cast<double>((k + 15) / 16), -24)); }

void products(Both& t) {
  const Product sizes[] = {{1, 1, 1, 1}, {2, 3, 5, 7}, {1, 64, 8, 128}, {3, 17, 40, 64}, {1, 200, 24, 512},
                           {2, 64, 96, 33}, {1, 130, 7, 300}, {1, 8, 512, 700}, {2, 5, 6, 0}, {1, 1, 256, 64},
                           {1, 333, 32, 1992}, {1, 70, 40, 4096}, {1, 32, 264, 901}, {1, 100, 264, 50}, {1, 77, 136, 2},
                           // rows of a gate of many experts
                           {1, 333, 264, 128}, {1, 130, 136, 66}, {1, 200, 520, 512}, {1, 40, 8, 300}};
  for (const Product& s : sizes) {
    for (int flags = 0; flags < 4; ++flags) {
      for (int types = 0; types < 7; ++types) {
        for (double beta : {0.0, 1.0}) {
          // Each kind of layout and each pair of types still, but not each layout of each pair.
          if (kSanitized && s.n * s.k > 20000 && flags != (types + static_cast<int>(beta)) % 4) continue;
          const bool trans_a = flags & 1, trans_b = flags & 2;
          // A and B: float32; bfloat16; bfloat16 and float32; float32 and bfloat16; C of two types.
          const int factors = types < 4 ? types : (types - 3) % 3, type_c = types < 4 ? 0 : 1;
          const bool wide_a = factors == 0 || factors == 3, wide_b = factors == 0 || factors == 2;
          t.begin("gemm " + std::to_string(s.groups) + " x " + std::to_string(s.m) + " x " + std::to_string(s.n) + " x " +
                      std::to_string(s.k) + ", flags " + std::to_string(flags) + ", types " + std::to_string(types),
                  types == 0 ? SCHEMOE_F32 : SCHEMOE_BF16);
          const int64_t lda = (trans_a ? s.m : s.k) + (flags == 1 ? 0 : 8), ldb = (trans_b ? s.k : s.n) + (flags == 2 ? 8 : 0);
          const int64_t ldc = s.n + 8;
          const int64_t sa = (trans_a ? s.k : s.m) * lda + 8, sb = (trans_b ? s.n : s.k) * ldb + 8, sc = s.m * ldc + 8;
          const auto fill = [&](bool wide, int64_t count) {
            auto list = t.random(static_cast<size_t>(count), -1, 1);
            return wide ? t.floats(std::move(list)) : t.values(std::move(list));
          };
          const auto a = fill(wide_a, s.groups * sa), b = fill(wide_b, s.groups * sb), c = fill(type_c == 0, s.groups * sc);
          // Of the type of C; with and without, at any alignment.
          const int64_t bias_stride = s.n + flags;
          const auto bias = fill(type_c == 0, s.groups * bias_stride);
          const bool with_bias = (flags + types + (beta == 0)) % 2 != 0, relu = (flags / 2 + types) % 2 != 0;
          t.run(1, [&](int d) {
            const bool cpu = d == SCHEMOE_F32;
            return Words().i(cpu ? 0 : factors, cpu ? 0 : type_c, trans_a, trans_b, s.groups, s.m, s.n, s.k)
                .m(a, lda, sa).m(b, ldb, sb).m(c, ldc, sc).f(0.5).f(beta)
                .v(with_bias ? bias : SCHEMOE_NULL_BUFFER).i(bias_stride, relu);
          }, type_c == 1 ? 8e-3 : factors == 1 ? tensor_cores(s.k) : 2e-6);
        }
      }
    }
  }
}

std::vector<float> softmaxed(Both& t, int64_t tokens, int64_t experts) {
  auto scores = t.random(static_cast<size_t>(tokens * experts), 0, 1);
  for (int64_t i = 0; i < tokens; ++i) {
    float sum = 0;
    for (int64_t e = 0; e < experts; ++e) sum += scores[i * experts + e];
    for (int64_t e = 0; e < experts; ++e) scores[i * experts + e] /= sum;
  }
  return scores;
}

/// k different experts for each token, and their places in token order, all first choices first.
struct Routing {
  std::vector<int32_t> choices, positions;
  int64_t most = 0;
};

Routing route(Both& t, int64_t tokens, int64_t experts, int64_t k) {
  Routing r;
  std::vector<int32_t> all(static_cast<size_t>(experts));
  std::iota(all.begin(), all.end(), 0);
  for (int64_t i = 0; i < tokens; ++i) {
    std::shuffle(all.begin(), all.end(), t.generator);
    r.choices.insert(r.choices.end(), all.begin(), all.begin() + k);
  }
  r.positions.resize(r.choices.size());
  std::vector<int32_t> loads(static_cast<size_t>(experts));
  for (int64_t c = 0; c < k; ++c) {
    for (int64_t i = 0; i < tokens; ++i) r.positions[i * k + c] = loads[r.choices[i * k + c]]++;
  }
  for (int32_t load : loads) r.most = std::max<int64_t>(r.most, load);
  return r;
}

struct Sizes {
  int64_t tokens, experts, k;
};
const Sizes kSizes[] = {{1, 1, 1}, {5, 3, 2}, {64, 8, 2}, {257, 32, 8}, {1000, 7, 7}, {129, 200, 3}, {4096, 16, 1}};
/// Choices that a block does not place alone, and more than fit into parts of the least size.
const Sizes kManyChoices[] = {{3001, 40, 6}, {70001, 3, 4}};
/// Tokens of more bytes than a cache holds, in either type.
const Sizes kManyTokens = {2100, 5, 3};
constexpr int64_t kManyColumns = 4104;

void gate(Both& t) {
  std::vector<Sizes> sizes(std::begin(kSizes), std::end(kSizes));
  sizes.insert(sizes.end(), std::begin(kManyChoices), std::end(kManyChoices));
  for (const Sizes& s : sizes) {
    const auto count = static_cast<size_t>(s.tokens * s.k);
    t.begin("softmax");
    auto x = t.floats(t.random(static_cast<size_t>(s.tokens * s.experts), -9, 9));
    auto y = t.floats(t.random(static_cast<size_t>(s.tokens * s.experts)));
    t.run(7, [&](int) { return Words().i(s.tokens, s.experts).v(x).v(y); }, 3e-7);
    for (int normalize : {0, 1}) {
      t.begin("top_k");
      auto list = softmaxed(t, s.tokens, s.experts);
      for (size_t i = 0; i < list.size(); i += 3) list[i] = 0.25f;  // ties
      auto by = t.random(list.size());
      for (size_t i = 0; i < by.size(); i += 2) by[i] = 1;  // of which some are ties too
      const auto logits = t.floats(by), scores = t.floats(list);
      const auto choices = t.integers(std::vector<int32_t>(count)), weights = t.floats(std::vector<float>(count));
      t.run(8, [&](int) {
        return Words().i(s.tokens, s.experts, s.k, normalize).v(logits).v(scores).v(choices).v(weights);
      }, 2e-7);
    }
    for (int prioritized : {0, 1}) {
      t.begin("positions");
      auto list = softmaxed(t, s.tokens, s.experts);
      for (size_t i = 0; i < list.size(); i += 2) list[i] = 0.5f;
      const auto scores = t.floats(list);
      const auto choices = t.integers(route(t, s.tokens, s.experts, s.k).choices);
      const auto positions = t.integers(std::vector<int32_t>(count));
      const auto loads = t.integers(std::vector<int32_t>(static_cast<size_t>(s.experts)));
      t.run(9, [&](int) {
        return Words().i(s.tokens, s.experts, s.k, prioritized).v(scores).v(choices).v(positions).v(loads);
      }, 0);
    }
    t.begin("aux_loss");
    auto scores = t.floats(softmaxed(t, s.tokens, s.experts));
    auto choices = t.integers(route(t, s.tokens, s.experts, s.k).choices);
    const auto loss = t.floats({0});
    t.run(10, [&](int) { return Words().i(s.tokens, s.experts, s.k).v(scores).v(choices).v(loss); }, 2e-7);
    for (int64_t capacity : {int64_t{1}, s.tokens / 2 + 1}) {
      t.begin("slots");
      const Routing r = route(t, s.tokens, s.experts, s.k);
      const auto places = t.integers(r.choices), positions = t.integers(r.positions);
      const auto slots = t.integers(std::vector<int32_t>(static_cast<size_t>(s.experts * capacity), 77));
      t.run(11, [&](int) {
        return Words().i(s.tokens, s.k, s.experts, capacity).v(places).v(positions).v(slots);
      }, 0);
    }
    for (int normalize : {0, 1}) {
      t.begin("gate_grad");
      scores = t.floats(softmaxed(t, s.tokens, s.experts));
      choices = t.integers(route(t, s.tokens, s.experts, s.k).choices);
      const auto weights = t.floats(t.random(count, 0, 1)), d_weights = t.floats(t.random(count));
      const auto d_logits = t.floats(std::vector<float>(static_cast<size_t>(s.tokens * s.experts)));
      t.run(15, [&](int) {
        return Words().i(s.tokens, s.experts, s.k, normalize).v(scores).v(choices).v(weights).v(d_weights).v(d_logits).f(0.3);
      }, 1e-6);
    }
  }
}

void routing_of(Both& t, int dtype, const Sizes& s, int64_t columns) {
  const Routing r = route(t, s.tokens, s.experts, s.k);
  const int64_t capacity = std::max<int64_t>(1, r.most - (columns % 2));  // some dropped at odd widths
  std::vector<int64_t> bounds = {0, capacity};
  if (capacity >= 3) bounds = {0, 1, capacity / 2 + 1, capacity};
  bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
  const auto end = [&](Words w) {
    w.i(static_cast<int64_t>(bounds.size()) - 1);
    for (int64_t b : bounds) w.i(b);
    return w;
  };
  std::vector<int32_t> filled(static_cast<size_t>(s.experts * capacity), -1);
  for (size_t i = 0; i < r.choices.size(); ++i) {
    if (r.positions[i] < capacity) filled[r.choices[i] * capacity + r.positions[i]] = static_cast<int32_t>(i);
  }
  const auto tokens = static_cast<size_t>(s.tokens * columns), rows = static_cast<size_t>(s.experts * capacity * columns);
  const auto count = static_cast<size_t>(s.tokens * s.k);
  const auto head = [&](int d) { return Words().i(d, s.tokens, columns, s.k, s.experts); };
  for (int weighted : {0, 1}) {
    t.begin("dispatch", dtype);
    const auto x = t.values(t.random(tokens)), slots = t.integers(filled), w = t.floats(t.random(count, 0, 1));
    const auto out = t.values(t.random(rows));
    t.run(12, [&](int d) {
      Words words = head(d).v(x).v(slots);
      weighted ? words.v(w) : words.none();
      return end(words.v(out));
    }, dtype == SCHEMOE_BF16 ? (weighted ? 4e-3 : 0) : 0);
    for (int accumulate : {0, 1}) {
      t.begin("combine", dtype);
      const auto in = t.values(t.random(rows)), choices = t.integers(r.choices), positions = t.integers(r.positions);
      const auto weights = t.floats(t.random(count, 0, 1)), y = t.values(t.random(tokens));
      t.run(13, [&](int d) {
        Words words = head(d).v(in).v(choices).v(positions);
        weighted ? words.v(weights) : words.none();
        return end(words.v(y).i(accumulate));
      }, dtype == SCHEMOE_BF16 ? 4e-3 : 0);
    }
  }
  t.begin("row_dot", dtype);
  const auto a = t.values(t.random(tokens)), b = t.values(t.random(rows));
  const auto choices = t.integers(r.choices), positions = t.integers(r.positions);
  const auto out = t.floats(std::vector<float>(count));
  t.run(14, [&](int d) { return end(head(d).v(a).v(b).v(choices).v(positions).v(out)); }, dtype == SCHEMOE_BF16 ? 1e-6 : 2e-7);
}

void routing(Both& t) {
  for (int dtype : kTypes) {
    for (const Sizes& s : kSizes) {
      for (int64_t columns : {1, 7, 8, 64, 260, 2048}) {
        if (s.tokens <= 1000 || columns <= 64) routing_of(t, dtype, s, columns);
      }
    }
    routing_of(t, dtype, kManyTokens, kManyColumns);
  }
}

/// Sums of slices of three buffers, also longer than what a warp adds at once, and onto slices of their own.
void slices(Both& t) {
  constexpr int64_t kUnits = 12, kSums = 9;
  for (int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) {
    for (int64_t unit : {1, 5, 8, 64, 2500}) {
      t.begin("add_slices of " + std::to_string(unit), dtype);
      const auto list = [&] { return t.values(t.random(static_cast<size_t>(kUnits * unit))); };
      const uint32_t in[] = {list(), list(), list()};
      Words table;
      int64_t to = 0, sums = 0;
      for (; sums < kSums && to < kUnits; ++sums) {
        const int64_t count = static_cast<int64_t>(t.generator() % 4), own = std::min(count, kUnits - to);
        const int64_t terms = 1 + static_cast<int64_t>(t.generator() % 8);
        table.i(own, to, terms);
        // the third buffer is written, so that of it only the slice itself is read
        for (int64_t term = 0; term < terms; ++term) {
          const int64_t source = static_cast<int64_t>(t.generator() % 3);
          const int64_t at = source == 2 ? to : static_cast<int64_t>(t.generator() % static_cast<uint64_t>(kUnits - own + 1));
          table.i(4 * at + source);
        }
        to += own;
      }
      t.run(80, [&](int d) {
        Words words = Words().i(d, unit, sums).v(in[0]).v(in[1]).v(in[2]).v(in[2]);
        for (uint64_t number : table.list) words.word(number);
        return words;
      }, 0, true);
    }
  }
}

void reductions(Both& t) {
  slices(t);
  for (int64_t count : {1, 31, 9001}) {
    for (int64_t ranks : {1, 5}) {
      t.begin("sum_ranks");
      const auto in = t.floats(t.random(static_cast<size_t>(ranks * (count + 3))));
      const auto out = t.floats(t.random(static_cast<size_t>(count)));
      t.run(18, [&](int) { return Words().i(ranks, count, count + 3).v(in).v(out); }, 0);
    }
    t.begin("max");
    std::vector<int32_t> list(static_cast<size_t>(count));
    for (int32_t& x : list) x = static_cast<int32_t>(t.generator() % 100000) - 50000;
    const auto loads = t.integers(list), most = t.integers({0});
    t.run(19, [&](int) { return Words().i(count).v(loads).v(most); }, 0);
    t.run(21, [&](int) { return Words().i(count).v(loads).v(most); }, 0);
    t.begin("fill");
    const auto filled = t.floats(t.random(static_cast<size_t>(count + 2)));
    t.run(20, [&](int) { return Words().i(count).v(filled, 4).f(-0.7); }, 0);
    for (int64_t shift : {0, 1, 4, 16}) {
      t.begin("copy_bytes");
      const auto bytes = t.floats(t.random(static_cast<size_t>(count + 8)));
      t.run(23, [&](int) { return Words().i(4 * count).v(bytes, 0).v(bytes, static_cast<uint64_t>(shift)); }, 0);
    }
  }
}

void random_numbers(Both& t) {
  for (int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) {
    for (int64_t count : {0, 1, 3, 4, 1000, 100003}) {
      for (int64_t first : {0, 1, 4, 255}) {
        for (int64_t shift : {0, 1}) {
          t.begin("random_normal", dtype);
          const auto out = t.values(std::vector<float>(static_cast<size_t>(count + 4), 0.5f));
          const auto words = [&](int d) {
            const auto at = static_cast<uint64_t>(shift * (d == SCHEMOE_BF16 ? 2 : 4));
            return Words().i(d, count, first, (int64_t{9} << 40) + 1, (int64_t{3} << 35) + 2).v(out, at).f(0.02);
          };
          // Bit for bit; bfloat16 is rounded, half a unit of 2^-8.
          t.run(28, words, dtype == SCHEMOE_BF16 ? 2e-3 : 0);
        }
      }
    }
  }
}

/// A list of numbers with NaN, infinities, zeros of both signs and ties among them.
std::vector<float> special(Both& t, size_t count) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  auto list = t.random(count);
  for (float& x : list) {
    const float values[] = {std::numeric_limits<float>::quiet_NaN(), kInf, -kInf, 0.0f, -0.0f, 1, 1, x, x, x, x, x, x, x, x, x};
    x = values[t.generator() % std::size(values)];
  }
  return list;
}

/// NaN, infinities and ties: the GPU equals the CPU in every kernel of numbers.
void special_values(Both& t) {
  for (int dtype : kTypes) {
    for (int64_t columns : {int64_t{5}, int64_t{64}}) {
      constexpr int64_t kRows = 33;
      const auto count = static_cast<size_t>(kRows * columns);
      const auto head = [&](int d) { return Words().i(d, 1, kRows, columns); };
      for (int activation = SCHEMOE_IDENTITY; activation <= SCHEMOE_LIMITED_SWIGLU; ++activation) {
        uint32_t x = 0, y = 0;
        if (activation < SCHEMOE_CLAMPED_SWIGLU) {  // from there on they are of two
          t.begin("special bias_act", dtype);
          x = t.values(special(t, count)), y = t.values(t.random(count));
          const auto bias = t.values(special(t, static_cast<size_t>(columns)));
          t.run(2, [&](int d) { return head(d).m(x, columns, 0).v(bias).i(0).m(y, columns, 0).i(activation); }, tolerance(dtype));
          t.begin("special act_grad", dtype);
          x = t.values(special(t, count)), y = t.values(special(t, count));
          t.run(3, [&](int d) { return head(d).m(y, columns, 0).m(x, columns, 0).m(y, columns, 0).i(activation); }, tolerance(dtype));
        }
        t.begin("special glu", dtype);
        x = t.values(special(t, count)), y = t.values(special(t, count));
        t.run(4, [&](int d) { return head(d).m(x, columns, 0).m(y, columns, 0).m(y, columns, 0).i(activation); }, tolerance(dtype));
        t.begin("special glu_grad", dtype);
        x = t.values(special(t, count)), y = t.values(special(t, count));
        const auto dy = t.values(special(t, count));
        t.run(5, [&](int d) {
          return head(d).m(dy, columns, 0).m(x, columns, 0).m(y, columns, 0).m(x, columns, 0).m(y, columns, 0).i(activation);
        }, tolerance(dtype));
      }
      t.begin("special column_sum", dtype);
      const auto x = t.values(special(t, count)), sums = t.floats(t.random(static_cast<size_t>(columns)));
      t.run(6, [&](int d) { return head(d).m(x, columns, 0).v(sums).i(0, 0); }, 1e-6);
    }
    // With a bias, relu and NaN in one row, whose results all are NaN; by cuBLASLt, by kernels of our own, ragged.
    for (const auto& [m, n, k] : {std::array<int64_t, 3>{4, 8, 16}, {130, 64, 128}, {3, 5, 7}}) {
      auto a = t.random(static_cast<size_t>(2 * m * k));
      a[static_cast<size_t>(k)] = std::numeric_limits<float>::quiet_NaN();
      auto bias = t.random(static_cast<size_t>(n));
      bias[0] = std::numeric_limits<float>::infinity(), bias[1] = -bias[0];
      t.begin("special gemm", dtype);
      auto ia = t.values(a), ib = t.values(t.random(static_cast<size_t>(2 * k * n))), ic = t.values(t.random(static_cast<size_t>(2 * m * n)));
      auto ibias = t.values(bias);
      t.run(1, [&](int d) {
        return Words().i(d, d, 0, 0, 2, m, n, k).m(ia, k, m * k).m(ib, n, k * n).m(ic, n, m * n).f(1).f(0).v(ibias).i(0, 1);
      }, tolerance(dtype));
      t.begin("special gemm_groups", dtype);
      ia = t.values(a), ib = t.values(t.random(static_cast<size_t>(2 * k * n))), ic = t.values(t.random(static_cast<size_t>(2 * m * n)));
      ibias = t.values(bias);
      t.run(24, [&](int d) {
        return Words().i(d, d, 0, 0, 2, 2 * m, n, k).m(ia, k, 0).m(ib, n, k * n).m(ic, n, 0).f(1).f(0).v(ibias).i(0, 1)
            .i(0, m, m, m);
      }, tolerance(dtype));
    }
  }
  for (int64_t experts : {5, 64, 100}) {
    constexpr int64_t kTokens = 200;
    const auto count = static_cast<size_t>(kTokens * experts);
    for (int64_t k : {1, 4}) {
      for (int flag : {0, 1}) {
        t.begin("special top_k");
        auto scores = t.floats(special(t, count)), logits = t.floats(special(t, count));
        const auto choices = t.integers(std::vector<int32_t>(static_cast<size_t>(kTokens * k))), weights = t.floats(t.random(static_cast<size_t>(kTokens * k)));
        t.run(8, [&](int) { return Words().i(kTokens, experts, k, flag).v(logits).v(scores).v(choices).v(weights); }, 1e-6);
        t.begin("special positions");
        scores = t.floats(special(t, count));
        std::vector<int32_t> chosen(static_cast<size_t>(kTokens * k));
        for (int32_t& c : chosen) c = static_cast<int32_t>(t.generator() % static_cast<uint64_t>(experts));
        const auto picked = t.integers(chosen), places = t.integers(std::vector<int32_t>(chosen.size()));
        const auto loads = t.integers(std::vector<int32_t>(static_cast<size_t>(experts)));
        t.run(9, [&](int) { return Words().i(kTokens, experts, k, flag).v(scores).v(picked).v(places).v(loads); }, 0);
        t.begin("special gate_grad");
        scores = t.floats(special(t, count));
        const auto of = t.integers(chosen), w = t.floats(special(t, chosen.size())), d = t.floats(special(t, chosen.size()));
        const auto out = t.floats(t.random(count));
        t.run(15, [&](int) { return Words().i(kTokens, experts, k, flag).v(scores).v(of).v(w).v(d).v(out).f(0.1); }, 1e-5);
      }
    }
    t.begin("special softmax");
    const auto x = t.floats(special(t, count)), y = t.floats(t.random(count));
    t.run(7, [&](int) { return Words().i(kTokens, experts).v(x).v(y); }, 1e-6);
    t.begin("special sum_ranks");
    const auto parts = t.floats(special(t, 4 * count)), sum = t.floats(t.random(count));
    t.run(18, [&](int) { return Words().i(4, static_cast<int64_t>(count), static_cast<int64_t>(count)).v(parts).v(sum); }, 0);
  }
}

/// Data that make no sense end the run with the same words on both engines.
void errors(Both& t) {
  t.begin("slots of nobody");
  const auto choices = t.integers({0, 5}), positions = t.integers({0, 1}), slots = t.integers({0, 0, 0, 0});
  t.run(11, [&](int) { return Words().i(2, 1, 2, 2).v(choices).v(positions).v(slots); }, 0);
  t.begin("dispatch of nobody");
  const auto x = t.values(t.random(8)), bad = t.integers({-2, 1}), out = t.values(t.random(8));
  t.run(12, [&](int d) { return Words().i(d, 2, 4, 1, 1).v(x).v(bad).none().v(out).i(1, 0, 2); }, 0);
}

}  // namespace

/// Arguments name the families to run; none: all of them.
int main(int count, char** names) {
  const auto t = std::make_unique<Both>();
  if (!t->gpu.handle) {
    std::printf("%s\n", t->gpu.error.text);
    return t->gpu.status == SCHEMOE_UNSUPPORTED ? kSkipped : 1;
  }
  const std::pair<const char*, void (*)(Both&)> families[] = {
      {"elementwise", elementwise}, {"weighed", weighed},     {"products", products},     {"gate", gate},    {"routing", routing},
      {"reductions", reductions}, {"random", random_numbers}, {"special", special_values}, {"errors", errors}};
  {
    Chosen of(count, names);
    for (const auto& [name, run] : families) {
      if (of(name)) run(*t);
    }
  }
  return check::result();
}
