// Groups with numbers of rows of their own against the same kernels group by group, and rows that exist
// only where places are taken against plain loops.
#include "library.h"

namespace {

using Ranges = std::vector<std::pair<int64_t, int64_t>>;  // first row and rows

const Ranges kRanges[] = {{{0, 5}}, {{0, 3}, {3, 0}, {3, 4}}, {{1, 2}, {4, 3}, {9, 0}, {11, 1}}, {{0, 0}, {0, 0}}, {{2, 7}, {9, 1}}};

int64_t total(const Ranges& ranges) {
  int64_t rows = 0;
  for (const auto& [first, count] : ranges) rows += count;
  return rows;
}

int64_t end_of(const Ranges& ranges) { return ranges.back().first + ranges.back().second; }

Words with(Words words, const Ranges& ranges) {
  for (const auto& [first, rows] : ranges) words.i(first, rows);
  return words;
}

/// Runs a ragged call, and one call for each group, on equal buffers; all buffers must end with equal bits.
template <class Whole, class Group>
void same(Bench& bench, const std::vector<std::vector<float>>& data, const Ranges& ranges, Whole&& whole, Group&& group) {
  std::vector<uint32_t> a, b;
  for (const auto& values : data) a.push_back(bench.buffer(values)), b.push_back(bench.buffer(values));
  whole(a);
  for (size_t g = 0; g < ranges.size(); ++g) group(b, static_cast<int64_t>(g), ranges[g].first, ranges[g].second);
  for (size_t i = 0; i < data.size(); ++i) CHECK(bench.read(a[i], data[i].size()) == bench.read(b[i], data[i].size()));
}

void products(Bench& bench, const Ranges& ranges) {
  constexpr int64_t kK = 7, kN = 5, kBias = 6;
  const auto groups = static_cast<int64_t>(ranges.size());
  const auto rows = static_cast<size_t>(end_of(ranges) + 1);
  for (double beta : {0.0, 1.0}) {
    for (bool trans_b : {false, true}) {
      const int64_t ldb = (trans_b ? kK : kN) + 1, sb = (trans_b ? kN : kK) * ldb + 2;
      const std::vector<std::vector<float>> data = {bench.random(rows * (kK + 2)), bench.random(static_cast<size_t>(groups * sb)),
                                                    bench.random(rows * (kN + 3)), bench.random(static_cast<size_t>(groups * kBias))};
      same(bench, data, ranges, [&](const auto& at) {
        bench.ok(24, with(Words().i(0, 0, 0, trans_b, groups, total(ranges), kN, kK).m(at[0], kK + 2, 0).m(at[1], ldb, sb)
                              .m(at[2], kN + 3, 0).f(0.5).f(beta).v(at[3]).i(kBias, 1), ranges));
      }, [&](const auto& at, int64_t g, int64_t first, int64_t count) {
        bench.ok(1, Words().i(0, 0, 0, trans_b, 1, count, kN, kK).m(at[0], kK + 2, 0, 4 * first * (kK + 2))
                        .m(at[1], ldb, 0, 4 * g * sb).m(at[2], kN + 3, 0, 4 * first * (kN + 3)).f(0.5).f(beta)
                        .v(at[3], 4 * g * kBias).i(0, 1));
      });
    }
    // Rows are summed up: groups without any give nothing, or leave what is there.
    const int64_t sc = kK * (kN + 1) + 3;
    const std::vector<std::vector<float>> data = {bench.random(rows * kK), bench.random(rows * (kN + 1)),
                                                  bench.random(static_cast<size_t>(groups * sc))};
    same(bench, data, ranges, [&](const auto& at) {
      bench.ok(24, with(Words().i(0, 0, 1, 0, groups, kK, kN, total(ranges)).m(at[0], kK, 0).m(at[1], kN + 1, 0)
                            .m(at[2], kN + 1, sc).f(1).f(beta).none().i(0, 0), ranges));
    }, [&](const auto& at, int64_t g, int64_t first, int64_t count) {
      bench.ok(1, Words().i(0, 0, 1, 0, 1, kK, kN, count).m(at[0], kK, 0, 4 * first * kK)
                      .m(at[1], kN + 1, 0, 4 * first * (kN + 1)).m(at[2], kN + 1, 0, 4 * g * sc).f(1).f(beta).none().i(0, 0));
    });
  }
}

void elementwise(Bench& bench, const Ranges& ranges) {
  constexpr int64_t kColumns = 9, kLd = 11;
  const auto groups = static_cast<int64_t>(ranges.size());
  const auto count = static_cast<size_t>((end_of(ranges) + 1) * kLd);
  const std::vector<std::vector<float>> data = {bench.random(count), bench.random(count), bench.random(count),
                                                bench.random(count), bench.random(static_cast<size_t>(groups * kLd))};
  const Words all = Words().i(0, groups, total(ranges), kColumns);
  const auto one = [](int64_t rows) { return Words().i(0, 1, rows, kColumns); };
  const auto check = [&](uint64_t code, auto&& arguments) {
    same(bench, data, ranges, [&](const auto& at) { bench.ok(code, with(arguments(all, at, 0, 0), ranges)); },
         [&](const auto& at, int64_t g, int64_t first, int64_t rows) { bench.ok(code, arguments(one(rows), at, g, 4 * first * kLd)); });
  };
  check(2, [](Words w, const auto& at, int64_t g, int64_t row) {
    return w.m(at[0], kLd, 0, row).v(at[4], 4 * g * kLd).i(kLd).m(at[1], kLd, 0, row).i(SCHEMOE_SILU);
  });
  check(3, [](Words w, const auto& at, int64_t, int64_t row) {
    return w.m(at[0], kLd, 0, row).m(at[1], kLd, 0, row).m(at[2], kLd, 0, row).i(SCHEMOE_GELU);
  });
  check(4, [](Words w, const auto& at, int64_t, int64_t row) {
    return w.m(at[0], kLd, 0, row).m(at[1], kLd, 0, row).m(at[2], kLd, 0, row).i(SCHEMOE_SILU);
  });
  check(5, [](Words w, const auto& at, int64_t, int64_t row) {
    return w.m(at[0], kLd, 0, row).m(at[1], kLd, 0, row).m(at[2], kLd, 0, row).m(at[0], kLd, 0, row).m(at[3], kLd, 0, row)
        .i(SCHEMOE_SILU);
  });
  for (int accumulate : {0, 1}) {
    check(6, [accumulate](Words w, const auto& at, int64_t g, int64_t row) {
      return w.m(at[0], kLd, 0, row).v(at[4], 4 * g * kLd).i(kLd, accumulate);
    });
    // Of a row its number of four bytes: row is 4 * first * kLd.
    check(82, [accumulate](Words w, const auto& at, int64_t, int64_t row) {
      return w.m(at[0], kLd, 0, row).m(at[1], kLd, 0, row).none().i(0).v(at[2], row / kLd).v(at[3], row / kLd).i(0, accumulate);
    });
    check(82, [accumulate](Words w, const auto& at, int64_t g, int64_t row) {
      return w.m(at[0], kLd, 0, row).none().i(0, 0).v(at[4], 4 * g * kLd).i(kLd).v(at[2], row / kLd).v(at[3], row / kLd)
          .i(0, accumulate);
    });
  }
}

/// Loads of some ranks, and of one of them the choices.
void routing(Bench& bench, const std::vector<int64_t>& bounds, bool weighted) {
  constexpr int64_t kTokens = 29, kColumns = 6, kK = 2, kExperts = 5;
  std::vector<int32_t> choices, positions, loads(kExperts);
  for (int64_t i = 0; i < kTokens * kK; ++i) {
    // Expert 1 gets none, expert 3 most.
    const auto e = static_cast<int32_t>(bench.generator() % 3 == 0 ? 2 * (bench.generator() % 3) : 3);
    choices.push_back(e);
    positions.push_back(loads[e]++);
  }
  std::vector<int64_t> firsts = {0};
  for (size_t chunk = 1; chunk < bounds.size(); ++chunk) {
    for (int64_t e = 0; e < kExperts; ++e) {
      firsts.push_back(firsts.back() + std::max<int64_t>(0, std::min<int64_t>(loads[e], bounds[chunk]) - bounds[chunk - 1]));
    }
  }
  CHECK_EQUAL(firsts.back(), kTokens * kK);
  const auto row_of = [&](int64_t i) {
    size_t chunk = 0;
    while (positions[i] >= bounds[chunk + 1]) ++chunk;
    return firsts[chunk * kExperts + choices[i]] + positions[i] - bounds[chunk];
  };
  const auto end = [&](Words words) {
    words.i(static_cast<int64_t>(bounds.size()) - 1);
    for (int64_t bound : bounds) words.i(bound);
    for (int64_t first : firsts) words.i(first);
    return words;
  };
  const auto head = [&] { return Words().i(0, kTokens, kColumns, kK, kExperts); };
  const auto x = bench.random(kTokens * kColumns), weights = bench.random(kTokens * kK), rows = bench.random(kTokens * kK * kColumns);
  const uint32_t ix = bench.buffer(x), iw = bench.buffer(weights), ic = bench.buffer(choices), ip = bench.buffer(positions);
  const uint32_t ir = bench.buffer(rows), out = bench.empty(rows.size()), y = bench.empty(x.size()), dots = bench.empty(kTokens * kK);
  const auto weight = [&](Words words) { return weighted ? words.v(iw) : words.none(); };
  bench.ok(25, end(weight(head().v(ix).v(ic).v(ip)).v(out)));
  bench.ok(13, end(weight(head().v(ir).v(ic).v(ip)).v(y).i(0)));
  bench.ok(14, end(head().v(ix).v(ir).v(ic).v(ip).v(dots)));
  const auto placed = bench.read(out, rows.size()), sums = bench.read(y, x.size()), dot = bench.read(dots, kTokens * kK);
  for (int64_t t = 0; t < kTokens; ++t) {
    for (int64_t j = 0; j < kColumns; ++j) {
      float sum = 0;
      for (int64_t i = t * kK; i < (t + 1) * kK; ++i) {
        sum += (weighted ? weights[i] : 1) * rows[row_of(i) * kColumns + j];
        CHECK(placed[row_of(i) * kColumns + j] == x[t * kColumns + j] * (weighted ? weights[i] : 1));
      }
      CHECK(sums[t * kColumns + j] == sum);
    }
    for (int64_t i = t * kK; i < (t + 1) * kK; ++i) {
      double expected = 0;
      for (int64_t j = 0; j < kColumns; ++j) expected += double{x[t * kColumns + j]} * rows[row_of(i) * kColumns + j];
      CHECK_NEAR(dot[i], expected, 1e-6);
    }
  }
  // Positions of another routing are an error, and nothing is written outside.
  auto wrong = positions;
  wrong[7] = loads[choices[7]];
  bench.engine.write(ip, 0, wrong);
  CHECK_CONTAINS(bench.run(25, end(weight(head().v(ix).v(ic).v(ip)).v(out))).text, "positions holds");
  CHECK_CONTAINS(bench.run(13, end(weight(head().v(ir).v(ic).v(ip)).v(y).i(0))).text, "positions holds");
  CHECK_CONTAINS(bench.run(12, end(head().v(ix).v(ic).none().v(out))).text, "slots have no ragged rows");
}

void arrange(Bench& bench, bool by_source) {
  constexpr int64_t kRanks = 4, kExperts = 3, kColumns = 5;
  const std::vector<int64_t> loads = {3, 0, 2, 0, 0, 6, 1, 0, 2, 4, 0, 0};
  const auto load = [&](int64_t rank, int64_t e) { return loads[rank * kExperts + e]; };
  const auto rows = bench.random(18 * kColumns);
  for (const auto& [first, sources] : {std::pair<int64_t, int64_t>{0, kRanks}, {1, 2}, {3, 1}, {2, 0}}) {
    for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 6}, {1, 3}, {2, 2}, {3, 9}}) {
      std::vector<int64_t> row_of_wire;
      for (int64_t s = first; s < first + sources; ++s) {
        for (int64_t e = 0; e < kExperts; ++e) {
          for (int64_t place = begin; place < std::min(load(s, e), end); ++place) {
            // The order of rows as it is defined, walked through from the beginning.
            int64_t row = 0, found = -1;
            for (int64_t expert = 0; expert < kExperts; ++expert) {
              for (int64_t outer = 0; outer < 9; ++outer) {
                for (int64_t inner = 0; inner < 9; ++inner) {
                  const int64_t rank = by_source ? outer : inner, p = by_source ? inner : outer;
                  if (rank >= kRanks || p >= load(rank, expert)) continue;
                  if (rank == s && expert == e && p == place) found = row;
                  ++row;
                }
              }
            }
            row_of_wire.push_back(found);
          }
        }
      }
      const auto count = row_of_wire.size() * kColumns;
      const uint32_t ir = bench.buffer(rows), iw = bench.empty(count + 1);
      const auto words = [&] {
        Words w = Words().i(0, by_source, kColumns, kRanks, kExperts, first, sources, begin, end).v(iw).v(ir);
        for (int64_t n : loads) w.i(n);
        return w;
      };
      bench.ok(27, words());
      auto wire = bench.read(iw, count + 1);
      CHECK(std::isnan(wire[count]));
      for (size_t i = 0; i < count; ++i) CHECK(wire[i] == rows[row_of_wire[i / kColumns] * kColumns + i % kColumns]);
      for (float& value : wire) value += 1;
      bench.engine.write(iw, 0, wire);
      bench.ok(26, words());
      auto expected = rows;
      for (size_t i = 0; i < count; ++i) expected[row_of_wire[i / kColumns] * kColumns + i % kColumns] = wire[i];
      CHECK(bench.read(ir, rows.size()) == expected);
    }
  }
}

void refusals(Bench& bench) {
  const uint32_t x = bench.buffer(std::vector<float>(64));
  const auto product = [&](int64_t m, int64_t stride, const Ranges& ranges) {
    return bench.run(24, with(Words().i(0, 0, 0, 0, static_cast<int64_t>(ranges.size()), m, 2, 2).m(x, 2, stride).m(x, 2, 4)
                                  .m(x, 2, 0).f(1).f(0).none().i(0, 0), ranges)).text;
  };
  CHECK_CONTAINS(product(5, 0, {{0, 2}, {2, 2}}), "the groups have 4 rows and not 5");
  CHECK_CONTAINS(product(4, 0, {{0, 2}, {1, 2}}), "group 1 has 2 rows from 1, the one before ends at 2");
  CHECK_CONTAINS(product(4, 1, {{0, 2}, {2, 2}}), "stride of ragged groups is 1");
  CHECK_CONTAINS(product(40, 0, {{0, 40}}), "320 bytes are needed");
  CHECK_CONTAINS(bench.run(24, Words().i(0, 0, 0, 0, 1, 2, 2, 2).m(x, 2, 0).m(x, 2, 4).m(x, 2, 0).f(1).f(0).none().i(0, 0)).text,
                 "rows of its 1 groups are missing");
  CHECK_CONTAINS(bench.run(24, Words().i(0, 0, 1, 1, 1, 2, 2, 2).m(x, 2, 0).m(x, 2, 0).m(x, 2, 4).f(1).f(0).none().i(0, 0, 0, 2)).text,
                 "both factors are transposed");
  CHECK_CONTAINS(bench.run(6, Words().i(0, 2, 2, 2).m(x, 2, 0).v(x).i(2, 0).i(0, 2)).text, "are not a first row and rows");
  const auto place = [&](Words words) { return bench.run(25, words).text; };
  const auto head = [&] { return Words().i(0, 2, 2, 1, 2).v(x).v(x).v(x).none().v(x); };
  CHECK_CONTAINS(place(head().i(1, 0, 2, 0, 1)), "number of bounds");
  CHECK_CONTAINS(place(head().i(1, 0, 2, 1, 1, 2)), "the first row is 1");
  CHECK_CONTAINS(place(head().i(1, 0, 2, 0, 3, 4)), "chunk 0 has rows 0 to 3 of expert 0 in 2 places");
  CHECK_CONTAINS(place(head().i(1, 0, 2, 0, 2, 1)), "chunk 0 has rows 2 to 1 of expert 1");
  const auto group = [&](int64_t first, int64_t sources, const std::vector<int64_t>& loads) {
    Words words = Words().i(0, 0, 2, 2, 1, first, sources, 0, 3).v(x).v(x);
    for (int64_t load : loads) words.i(load);
    return bench.run(26, words).text;
  };
  CHECK_CONTAINS(group(0, 2, {1, 1, 1}), "3 loads are not those of 2 ranks for 1 experts");
  CHECK_CONTAINS(group(1, 2, {1, 1}), "there are only 2 ranks");
  CHECK_CONTAINS(group(0, 2, {1, -1}), "load -1 is too large");
}

}  // namespace

int main() {
  Bench bench;
  for (const Ranges& ranges : kRanges) {
    products(bench, ranges);
    elementwise(bench, ranges);
  }
  for (bool weighted : {false, true}) {
    routing(bench, {0, 58}, weighted);
    routing(bench, {0, 3, 7, 58}, weighted);
    routing(bench, {0, 1, 2, 40, 57, 58}, weighted);
    arrange(bench, weighted);
  }
  refusals(bench);
  return check::result();
}
