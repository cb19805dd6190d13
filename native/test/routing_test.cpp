// dispatch, combine and row_dot against plain loops, over several splits of the capacity.
#include "library.h"

namespace {

struct Routing {
  int64_t tokens, columns, k, experts, capacity;
  std::vector<int32_t> choices, positions, slots;
};

Routing make(Bench& bench, int64_t tokens, int64_t columns, int64_t k, int64_t experts, int64_t capacity) {
  Routing r{tokens, columns, k, experts, capacity, {}, {}, std::vector<int32_t>(experts * capacity, -1)};
  std::vector<int32_t> loads(experts);
  for (int64_t i = 0; i < tokens * k; ++i) {
    const auto e = static_cast<int32_t>(bench.generator() % experts);
    r.choices.push_back(e);
    r.positions.push_back(loads[e]++);
    if (r.positions[i] < capacity) r.slots[e * capacity + r.positions[i]] = static_cast<int32_t>(i);
  }
  return r;
}

int64_t row_of(const Routing& r, const std::vector<int64_t>& bounds, int64_t e, int64_t place) {
  for (size_t i = 1; i < bounds.size(); ++i) {
    if (place < bounds[i]) return r.experts * bounds[i - 1] + e * (bounds[i] - bounds[i - 1]) + place - bounds[i - 1];
  }
  return -1;
}

void compare(Bench& bench, const Routing& r, const std::vector<int64_t>& bounds, bool weighted) {
  const int64_t rows = r.experts * r.capacity;
  const auto x = bench.random(r.tokens * r.columns), in = bench.random(rows * r.columns), weights = bench.random(r.tokens * r.k);
  const auto before = bench.random(r.tokens * r.columns);
  const uint32_t ix = bench.buffer(x), ii = bench.buffer(in), iw = bench.buffer(weights), ic = bench.buffer(r.choices);
  const uint32_t ip = bench.buffer(r.positions), is = bench.buffer(r.slots), out = bench.empty(rows * r.columns);
  const auto head = [&] { return Words().i(0, r.tokens, r.columns, r.k, r.experts); };
  const auto end = [&](Words words) {
    words.i(static_cast<int64_t>(bounds.size()) - 1);
    for (int64_t bound : bounds) words.i(bound);
    return words;
  };
  const auto weight = [&](Words& words) -> Words& { return weighted ? words.v(iw) : words.none(); };

  Words dispatch = head().v(ix).v(is);
  bench.ok(12, end(weight(dispatch).v(out)));
  const auto dispatched = bench.read(out, rows * r.columns);
  for (int64_t e = 0; e < r.experts; ++e) {
    for (int64_t c = 0; c < r.capacity; ++c) {
      const int32_t slot = r.slots[e * r.capacity + c];
      for (int64_t j = 0; j < r.columns; ++j) {
        const float expected = slot < 0 ? 0 : x[slot / r.k * r.columns + j] * (weighted ? weights[slot] : 1);
        CHECK(dispatched[row_of(r, bounds, e, c) * r.columns + j] == expected);
      }
    }
  }

  for (int accumulate : {0, 1}) {
    const uint32_t y = bench.buffer(before);
    Words combine = head().v(ii).v(ic).v(ip);
    bench.ok(13, end(weight(combine).v(y).i(accumulate)));
    const auto combined = bench.read(y, before.size());
    for (int64_t t = 0; t < r.tokens; ++t) {
      for (int64_t j = 0; j < r.columns; ++j) {
        float sum = accumulate ? before[t * r.columns + j] : 0;
        for (int64_t i = t * r.k; i < (t + 1) * r.k; ++i) {
          const int64_t row = row_of(r, bounds, r.choices[i], r.positions[i]);
          if (row >= 0) sum += (weighted ? weights[i] : 1) * in[row * r.columns + j];
        }
        CHECK(combined[t * r.columns + j] == sum);
      }
    }
  }

  const uint32_t dots = bench.empty(r.tokens * r.k);
  bench.ok(14, end(head().v(ix).v(ii).v(ic).v(ip).v(dots)));
  const auto found = bench.read(dots, r.tokens * r.k);
  for (int64_t i = 0; i < r.tokens * r.k; ++i) {
    const int64_t row = row_of(r, bounds, r.choices[i], r.positions[i]);
    double dot = 0;
    for (int64_t j = 0; j < r.columns && row >= 0; ++j) dot += double{x[i / r.k * r.columns + j]} * in[row * r.columns + j];
    CHECK_NEAR(found[i], dot, 1e-6);
  }
}

}  // namespace

int main() {
  Bench bench;
  for (bool weighted : {false, true}) {
    compare(bench, make(bench, 23, 19, 2, 3, 7), {0, 7}, weighted);
    compare(bench, make(bench, 23, 8, 2, 3, 7), {0, 3, 7}, weighted);
    compare(bench, make(bench, 23, 1, 3, 4, 7), {0, 1, 2, 3, 4, 5, 6, 7}, weighted);
    compare(bench, make(bench, 5, 33, 1, 1, 9), {0, 4, 9}, weighted);
    compare(bench, make(bench, 5, 3, 2, 2, 0), {0}, weighted);
    compare(bench, make(bench, 0, 3, 2, 2, 1), {0, 1}, weighted);
  }
  // Data that make no sense are errors, wherever they come from.
  const uint32_t x = bench.buffer(std::vector<float>(64)), ones = bench.buffer(std::vector<int32_t>(8, 1));
  const uint32_t wrong = bench.buffer(std::vector<int32_t>{99, -5, 2, 2, 2, 2, 2, 2});
  const auto head = [] { return Words().i(0, 2, 4, 1, 2); };
  CHECK_CONTAINS(bench.run(12, head().v(x).v(wrong).none().v(x).i(1, 0, 1)).text, "slots holds 99 of 2");
  CHECK_CONTAINS(bench.run(13, head().v(x).v(wrong).v(ones).none().v(x).i(0, 1, 0, 2)).text, "choices holds 99 of 2");
  CHECK_CONTAINS(bench.run(14, head().v(x).v(x).v(ones).v(wrong, 4).v(x).i(1, 0, 2)).text, "positions holds -5");
  const auto bounds = [&](Words words) { return bench.run(12, words).text; };
  CHECK_CONTAINS(bounds(head().v(x).v(ones).none().v(x)), "number of bounds");
  CHECK_CONTAINS(bounds(head().v(x).v(ones).none().v(x).i(2, 0, 1)), "number of bounds");
  CHECK_CONTAINS(bounds(head().v(x).v(ones).none().v(x).i(1, 1, 2)), "first bound is 1");
  CHECK_CONTAINS(bounds(head().v(x).v(ones).none().v(x).i(2, 0, 2, 2)), "bound 2 is 2 after 2");
  CHECK_CONTAINS(bounds(head().v(x).v(ones).none().v(x).i(-1, 0, 2, 2)), "number of bounds");
  return check::result();
}
