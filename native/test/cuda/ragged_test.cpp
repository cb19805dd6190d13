// Kernels of groups with numbers of rows of their own, and of rows that exist only where places are taken,
// on CUDA against the CPU engine, in float32 and bfloat16.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>

#include "both.h"

namespace {

constexpr int kTypes[] = {SCHEMOE_F32, SCHEMOE_BF16};

using Ranges = std::vector<std::pair<int64_t, int64_t>>;  // first row and rows

const Ranges kRanges[] = {{{0, 5}},
                          {{0, 3}, {3, 0}, {3, 4}},
                          {{1, 2}, {4, 3}, {9, 0}, {11, 1}},
                          {{0, 0}, {0, 0}},
                          {{0, 130}, {130, 1}, {131, 77}, {300, 64}, {364, 0}},
                          {{3, 257}, {260, 0}, {260, 600}, {900, 193}}};

int64_t total(const Ranges& ranges) {
  int64_t rows = 0;
  for (const auto& [first, count] : ranges) rows += count;
  return rows;
}

/// Rows that the matrices have: one more than the last group needs, so that there is one.
size_t end_of(const Ranges& ranges) { return static_cast<size_t>(ranges.back().first + ranges.back().second + 1); }

/// Whether products of that size take too long where lanes are emulated.
bool slow(const Ranges& ranges, int64_t n, int64_t k) {
  return too_large(static_cast<size_t>(total(ranges) * n * k), 3'500'000);
}

Words with(Words words, const Ranges& ranges) {
  for (const auto& [first, rows] : ranges) words.i(first, rows);
  return words;
}

void products(Both& t, const Ranges& ranges) {
  const auto groups = static_cast<int64_t>(ranges.size());
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 1}, {5, 7}, {64, 128}, {96, 33}, {24, 512}, {264, 136}, {72, 584}}) {
    if (slow(ranges, n, k)) continue;
    for (int dtype : kTypes) {
      for (double beta : {0.0, 1.0}) {
        const double tolerance = dtype == SCHEMOE_BF16 ? 8e-3 : 2e-6;
        const int type = dtype == SCHEMOE_BF16 ? 1 : 0;
        for (bool trans_b : {false, true}) {
          t.begin("gemm_groups, transB " + std::to_string(trans_b) + ", n " + std::to_string(n) + ", k " + std::to_string(k), dtype);
          const int64_t lda = k + 8, ldb = (trans_b ? k : n) + 8, sb = (trans_b ? n : k) * ldb, ldc = n + 8;
          const auto a = t.values(t.random(end_of(ranges) * lda, -1, 1));
          const auto b = t.values(t.random(static_cast<size_t>(groups * sb), -1, 1));
          const auto c = t.values(t.random(end_of(ranges) * ldc, -1, 1));
          const auto bias = t.values(t.random(static_cast<size_t>(groups * n)));
          t.run(24, [&](int d) {
            Words words = Words().i(d ? type : 0, d ? type : 0, 0, trans_b, groups, total(ranges), n, k).m(a, lda, 0)
                .m(b, ldb, sb).m(c, ldc, 0).f(0.5).f(beta);
            trans_b ? words.none() : words.v(bias);
            return with(words.i(n, !trans_b), ranges);
          }, tolerance);
        }
        t.begin("gemm_groups, transA, n " + std::to_string(n) + ", k " + std::to_string(k), dtype);
        const auto a = t.values(t.random(end_of(ranges) * k, -1, 1)), b = t.values(t.random(end_of(ranges) * n, -1, 1));
        const auto c = t.values(t.random(static_cast<size_t>(groups * k * n), -1, 1));
        t.run(24, [&](int d) {
          return with(Words().i(d ? type : 0, d ? type : 0, 1, 0, groups, k, n, total(ranges)).m(a, k, 0).m(b, n, 0)
                          .m(c, n, k * n).f(1).f(beta).none().i(0, 0), ranges);
        }, std::fmax(tolerance, 1e-7 * std::sqrt(total(ranges))));  // what rounding leaves grows with the root of the rows
      }
    }
  }
}

/// What one kernel may do together: a sum of two products, two sums of the same rows, and two products with the activation that multiplies them;
/// and calls that only look like it.
void together(Both& t, const Ranges& ranges) {
  const auto groups = static_cast<int64_t>(ranges.size());
  const auto product = [&](int d, int64_t n, int64_t k, bool trans_b, uint32_t a, uint32_t b, uint32_t c, double beta) {
    const int type = d == SCHEMOE_BF16 ? 1 : 0;
    const int64_t ldb = (trans_b ? k : n) + 8;
    return with(Words().i(type, type, 0, trans_b, groups, total(ranges), n, k).m(a, k + 8, 0)
                    .m(b, ldb, (trans_b ? n : k) * ldb).m(c, n + 16, 0).f(1).f(beta).none().i(0, 0), ranges);
  };
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{8, 8}, {64, 136}, {136, 64}, {264, 200}, {328, 24}, {72, 264}}) {
    if (slow(ranges, n, k)) continue;
    for (int dtype : kTypes) {
      const double tolerance = dtype == SCHEMOE_BF16 ? 1.6e-2 : 2e-6;
      const auto fill = [&](int64_t count) { return t.values(t.random(static_cast<size_t>(count), -1, 1)); };
      const auto rows = [&](int64_t ld) { return fill(static_cast<int64_t>(end_of(ranges)) * ld); };
      const std::string sizes = ", n " + std::to_string(n) + ", k " + std::to_string(k);
      for (bool trans_b : {false, true}) {
        const int64_t of_b = groups * (trans_b ? n * (k + 8) : k * (n + 8));
        for (double beta : {0.0, 1.0}) {
          t.begin("two products added, transB " + std::to_string(trans_b) + sizes, dtype);
          const auto a = rows(k + 8), a2 = rows(k + 8), b = fill(of_b), b2 = fill(of_b), c = rows(n + 16);
          t.run({{24, [&](int d) { return product(d, n, k, trans_b, a, b, c, beta); }},
                 {24, [&](int d) { return product(d, n, k, trans_b, a2, b2, c, 1); }}}, tolerance);
        }
      }
      const auto sums = [&](int d, uint32_t a, uint32_t b, uint32_t c, double beta) {
        const int type = d == SCHEMOE_BF16 ? 1 : 0;
        return with(Words().i(type, type, 1, 0, groups, k, n, total(ranges)).m(a, k + 8, 0).m(b, n + 16, 0)
                        .m(c, n + 8, k * (n + 8)).f(1).f(beta).none().i(0, 0), ranges);
      };
      const int64_t of_b = groups * k * (n + 8);
      for (double beta : {0.0, 1.0}) {
        t.begin("two sums with the same first factor" + sizes, dtype);
        const auto a = rows(k + 8), b = rows(n + 16), b2 = rows(n + 16), c = fill(of_b), c2 = fill(of_b);
        t.run_together({{24, [&](int d) { return sums(d, a, b, c, beta); }},
                        {24, [&](int d) { return sums(d, a, b2, c2, beta); }}}, tolerance);
      }
      for (const auto activation : {SCHEMOE_SILU, SCHEMOE_GELU}) {
        t.begin("two products and their gated activation" + sizes, dtype);
        const auto a = rows(k + 8), b = fill(of_b), b2 = fill(of_b), c = rows(n + 16), c2 = rows(n + 16), y = rows(n + 24);
        t.run({{24, [&](int d) { return product(d, n, k, false, a, b, c, 0); }},
               {24, [&](int d) { return product(d, n, k, false, a, b2, c2, 0); }},
               {4, [&](int d) {
                  return with(Words().i(d, groups, total(ranges), n).m(c, n + 16, 0).m(c2, n + 16, 0).m(y, n + 24, 0)
                                  .i(activation), ranges);
                }}}, tolerance);
        t.begin("a product and the gradients of a gated activation" + sizes, dtype);
        const auto dy = rows(k + 8), w = fill(groups * n * (k + 8)), d = rows(n + 16), left = rows(n + 8), right = rows(n + 32);
        const auto d3 = rows(n + 24);
        t.run({{24, [&](int type) { return product(type, n, k, true, dy, w, d, 0); }},
               {5, [&](int type) {
                  return with(Words().i(type, groups, total(ranges), n).m(d, n + 16, 0).m(left, n + 8, 0)
                                  .m(right, n + 32, 0).m(d, n + 16, 0).m(d3, n + 24, 0).i(activation), ranges);
                }}}, tolerance);
      }
    }
  }
}

/// Groups of as many rows each that lie one after another, or with rows between them.
void even_products(Both& t) {
  struct Size {
    int64_t groups, rows, apart, n, k;
  };
  for (const Size& s : {Size{3, 300, 300, 264, 136}, {2, 65, 80, 72, 328}, {70, 9, 9, 40, 64}, {2, 0, 4, 64, 64}}) {
    for (double beta : {0.0, 1.0}) {
      for (int form = 0; form < 3; ++form) {
        const bool trans_a = form == 2, trans_b = form == 1;
        t.begin("gemm of even groups, form " + std::to_string(form) + ", rows " + std::to_string(s.rows), SCHEMOE_BF16);
        // With trans_a k is the groups' rows.
        const int64_t m = trans_a ? s.k : s.rows, k = trans_a ? s.rows : s.k;
        const int64_t lda = s.k + 8, ldb = (trans_b ? s.k : s.n) + 16, ldc = s.n + 8;
        const int64_t sa = s.apart * lda, sb = trans_a ? s.apart * ldb : (trans_b ? s.n : s.k) * ldb;
        const int64_t sc = trans_a ? s.k * ldc : s.apart * ldc;
        const auto fill = [&](int64_t count) { return t.values(t.random(static_cast<size_t>(count), -1, 1)); };
        const auto a = fill(s.groups * sa), b = fill(s.groups * sb), c = fill(s.groups * sc), bias = fill(s.groups * s.n);
        t.run(1, [&](int d) {
          const int type = d == SCHEMOE_F32 ? 0 : 1;
          return Words().i(type, type, trans_a, trans_b, s.groups, m, s.n, k).m(a, lda, sa).m(b, ldb, sb).m(c, ldc, sc)
              .f(0.5).f(beta).v(form == 0 ? bias : SCHEMOE_NULL_BUFFER).i(s.n, form == 0);
        }, 8e-3);
      }
    }
  }
}

void elementwise(Both& t, const Ranges& ranges) {
  const auto groups = static_cast<int64_t>(ranges.size());
  for (int dtype : kTypes) {
    const double tolerance = dtype == SCHEMOE_BF16 ? 8e-3 : 2e-6;
    for (const auto& [columns, ld] : {std::pair<int64_t, int64_t>{1, 1}, {11, 13}, {256, 264}, {4096, 4096}}) {
      const size_t count = end_of(ranges) * static_cast<size_t>(ld);
      const auto head = [&](int d) { return Words().i(d, groups, total(ranges), columns); };
      const auto some = [&] { return t.values(t.random(count, -4, 4)); };
      for (int form = 1; form < 4; ++form) {
        t.begin("ragged bias_act", dtype);
        const auto x = some(), y = some(), bias = t.values(t.random(static_cast<size_t>(groups * columns)));
        t.run(2, [&](int d) {
          Words w = head(d).m(x, ld, 0);
          form & 1 ? w.v(bias).i(columns) : w.none().i(0);
          form & 2 ? w.m(y, ld, 0) : w.none().i(0, 0);
          return with(w.i(SCHEMOE_GELU), ranges);
        }, tolerance);
      }
      t.begin("ragged act_grad", dtype);
      auto dy = some(), x = some();
      t.run(3, [&](int d) { return with(head(d).m(dy, ld, 0).m(x, ld, 0).m(dy, ld, 0).i(SCHEMOE_RELU), ranges); }, tolerance);
      t.begin("ragged glu", dtype);
      const auto a = some(), b = some(), y = some();
      t.run(4, [&](int d) { return with(head(d).m(a, ld, 0).m(b, ld, 0).m(y, ld, 0).i(SCHEMOE_SILU), ranges); }, tolerance);
      t.begin("ragged glu_grad", dtype);
      const auto from = some(), left = some(), right = some(), db = some();
      t.run(5, [&](int d) {
        return with(head(d).m(from, ld, 0).m(left, ld, 0).m(right, ld, 0).m(from, ld, 0).m(db, ld, 0).i(SCHEMOE_SILU), ranges);
      }, tolerance);
      for (int accumulate : {0, 1}) {
        t.begin("ragged column_sum", dtype);
        const auto rows = some(), out = t.floats(t.random(static_cast<size_t>(groups * (columns + 1))));
        t.run(6, [&](int d) { return with(head(d).m(rows, ld, 0).v(out).i(columns + 1, accumulate), ranges); }, 1e-6);
        for (bool by_vector : {false, true}) {
          t.begin("ragged weigh_rows", dtype);
          const auto from = some(), factor = some(), vector = t.values(t.random(static_cast<size_t>(groups * (columns + 1))));
          const auto weights = t.floats(t.random(end_of(ranges))), dots = t.floats(t.random(end_of(ranges)));
          t.run(82, [&](int d) {
            Words w = head(d).m(from, ld, 0);
            by_vector ? w.none().i(0, 0).v(vector).i(columns + 1) : w.m(factor, ld, 0).none().i(0);
            return with(w.v(weights).v(dots).i(0, accumulate), ranges);
          }, tolerance);
        }
      }
    }
  }
}

struct Routing {
  std::vector<int32_t> choices, positions, loads;
};

/// Uneven: low experts get most, some none.
Routing route(Both& t, int64_t tokens, int64_t experts, int64_t k) {
  Routing r;
  std::vector<int32_t> all(static_cast<size_t>(experts));
  for (int64_t i = 0; i < tokens; ++i) {
    std::iota(all.begin(), all.end(), 0);
    for (int64_t c = 0; c < k; ++c) {
      const auto left = static_cast<uint32_t>(experts - c);
      std::swap(all[c], all[c + std::min(t.generator() % left, t.generator() % left)]);
    }
    r.choices.insert(r.choices.end(), all.begin(), all.begin() + k);
  }
  r.positions.resize(r.choices.size());
  r.loads.resize(static_cast<size_t>(experts));
  for (int64_t c = 0; c < k; ++c) {
    for (int64_t i = 0; i < tokens; ++i) r.positions[i * k + c] = r.loads[r.choices[i * k + c]]++;
  }
  return r;
}

void routing(Both& t) {
  const int64_t sizes[][3] = {{1, 1, 1}, {5, 3, 2}, {257, 32, 8}, {129, 200, 3}, {4096, 16, 1}};
  for (const auto& [tokens, experts, k] : sizes) {
    for (int64_t columns : {1, 8, 37, 260, 2048}) {
      if (tokens > 1000 && columns > 64) continue;
      const Routing r = route(t, tokens, experts, k);
      const int64_t most = *std::max_element(r.loads.begin(), r.loads.end());
      std::vector<int64_t> bounds = {0, most};
      if (most >= 3) bounds = {0, 1, most / 2 + 1, most};
      bounds.erase(std::unique(bounds.begin(), bounds.end()), bounds.end());
      const auto end = [&](Words words) {
        words.i(static_cast<int64_t>(bounds.size()) - 1);
        for (int64_t bound : bounds) words.i(bound);
        int64_t first = 0;
        words.i(first);
        for (size_t chunk = 1; chunk < bounds.size(); ++chunk) {
          for (int64_t e = 0; e < experts; ++e) {
            first += std::max<int64_t>(0, std::min<int64_t>(r.loads[e], bounds[chunk]) - bounds[chunk - 1]);
            words.i(first);
          }
        }
        return words;
      };
      const auto count = static_cast<size_t>(tokens * k), wide = static_cast<size_t>(columns);
      const auto head = [&, tokens = tokens, k = k, experts = experts](int d) { return Words().i(d, tokens, columns, k, experts); };
      for (int dtype : kTypes) {
        for (int weighted : {0, 1}) {
          const auto weight = [&](Words words, uint32_t w) { return weighted ? words.v(w) : words.none(); };
          t.begin("place_tokens", dtype);
          auto x = t.values(t.random(static_cast<size_t>(tokens) * wide)), choices = t.integers(r.choices);
          auto positions = t.integers(r.positions), weights = t.floats(t.random(count, 0, 1));
          const auto out = t.values(t.random(count * wide));
          t.run(25, [&](int d) { return end(weight(head(d).v(x).v(choices).v(positions), weights).v(out)); },
                dtype == SCHEMOE_BF16 && weighted ? 4e-3 : 0);
          for (int accumulate : {0, 1}) {
            t.begin("ragged combine", dtype);
            const auto in = t.values(t.random(count * wide));
            choices = t.integers(r.choices), positions = t.integers(r.positions), weights = t.floats(t.random(count, 0, 1));
            const auto y = t.values(t.random(static_cast<size_t>(tokens) * wide));
            t.run(13, [&](int d) { return end(weight(head(d).v(in).v(choices).v(positions), weights).v(y).i(accumulate)); },
                  dtype == SCHEMOE_BF16 ? 4e-3 : 0);
          }
        }
        t.begin("ragged row_dot", dtype);
        const auto a = t.values(t.random(static_cast<size_t>(tokens) * wide)), b = t.values(t.random(count * wide));
        const auto choices = t.integers(r.choices), positions = t.integers(r.positions);
        const auto out = t.floats(std::vector<float>(count));
        t.run(14, [&](int d) { return end(head(d).v(a).v(b).v(choices).v(positions).v(out)); }, dtype == SCHEMOE_BF16 ? 1e-6 : 2e-7);
      }
    }
  }
}

/// Dot products of tokens with rows, and the tokens to rows, in one kernel: with the bits of each alone.
void dots_and_places(Both& t) {
  // Numbers of tokens for which a warp has one to eight choices.
  const int64_t sizes[][4] = {{30, 3, 2, 272}, {520, 12, 7, 8}, {1100, 12, 7, 8}, {2100, 12, 7, 8}, {2100, 12, 3, 8}};
  for (const auto& [tokens, experts, k, columns] : sizes) {
    const Routing r = route(t, tokens, experts, k);
    const auto words = [&, tokens = tokens, experts = experts, k = k, columns = columns](int d, const std::vector<uint32_t>& views) {
      Words words = Words().i(d, tokens, columns, k, experts);
      for (const uint32_t view : views) words.v(view);
      words.i(1, 0, *std::max_element(r.loads.begin(), r.loads.end()));
      int64_t first = 0;
      words.i(first);
      for (const int32_t load : r.loads) words.i(first += load);
      return words;
    };
    for (int dtype : kTypes) {
      t.begin("row_dot and place_tokens", dtype);
      const auto count = static_cast<size_t>(tokens * k), all = count * static_cast<size_t>(columns);
      const auto a = t.values(t.random(static_cast<size_t>(tokens * columns))), b = t.values(t.random(all));
      const auto choices = t.integers(r.choices), positions = t.integers(r.positions), weights = t.floats(t.random(count, 0, 1));
      const auto out = t.floats(std::vector<float>(count)), to = t.values(t.random(all));
      const auto dots = [&](int d) { return words(d, {a, b, choices, positions, out}); };
      const auto place = [&](int d) { return words(d, {a, choices, positions, weights, to}); };
      const double tolerance = dtype == SCHEMOE_BF16 ? 4e-3 : 2e-7;
      t.run(14, dots, tolerance);
      const std::vector<uint8_t> alone = t.on_gpu(out);
      t.run(25, place, tolerance);
      const std::vector<uint8_t> placed = t.on_gpu(to);
      t.run({{14, dots}, {25, place}}, tolerance);
      CHECK(t.on_gpu(out) == alone);
      CHECK(t.on_gpu(to) == placed);
    }
  }
}

void arrange(Both& t) {
  const int64_t sizes[][3] = {{1, 1, 5}, {4, 3, 9}, {8, 8, 40}, {40, 2, 7}};  // ranks, experts, largest load
  for (const auto& [ranks, experts, most] : sizes) {
    std::vector<int64_t> loads;
    for (int64_t i = 0; i < ranks * experts; ++i) {
      loads.push_back(t.generator() % 3 == 0 ? 0 : static_cast<int64_t>(t.generator() % static_cast<uint32_t>(most + 1)));
    }
    const auto all = static_cast<size_t>(std::accumulate(loads.begin(), loads.end(), int64_t{0}));
    for (int64_t columns : {1, 8, 37, 1024}) {
      for (int dtype : kTypes) {
        for (int by_source : {0, 1}) {
          for (const auto& [first, sources] : {std::pair<int64_t, int64_t>{0, ranks}, {ranks / 2, ranks - ranks / 2}}) {
            for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, most}, {1, most / 2}}) {
              for (uint64_t code : {26, 27}) {
                t.begin(code == 26 ? "group_rows" : "ungroup_rows", dtype);
                const auto wire = t.values(t.random((all + 1) * static_cast<size_t>(columns)));
                const auto rows = t.values(t.random((all + 1) * static_cast<size_t>(columns)));
                t.run(code, [&, ranks = ranks, experts = experts, first = first, sources = sources, begin = begin,
                             end = end](int d) {
                  Words words = Words().i(d, by_source, columns, ranks, experts, first, sources, begin, end).v(wire).v(rows);
                  for (int64_t load : loads) words.i(load);
                  return words;
                }, 0);
              }
            }
          }
        }
      }
    }
  }
}

/// Positions that have no rows end the run, and nothing is written outside.
void errors(Both& t) {
  t.begin("place_tokens beyond its rows");
  const auto x = t.values(t.random(8)), choices = t.integers({0, 0}), positions = t.integers({0, 1}), out = t.values(t.random(8));
  const auto words = [&](int d) { return Words().i(d, 2, 4, 1, 2).v(x).v(choices).v(positions).none().v(out).i(1, 0, 2, 0, 1, 2); };
  t.run(25, words, 0);
}

}  // namespace

int main() {
  const auto t = std::make_unique<Both>();
  if (!t->gpu.handle) {
    std::printf("%s\n", t->gpu.error.text);
    return t->gpu.status == SCHEMOE_UNSUPPORTED ? kSkipped : 1;
  }
  for (const Ranges& ranges : kRanges) {
    products(*t, ranges);
    together(*t, ranges);
    elementwise(*t, ranges);
  }
  even_products(*t);
  routing(*t);
  dots_and_places(*t);
  arrange(*t);
  errors(*t);
  return check::result();
}
