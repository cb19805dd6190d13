// What one launch does of a task's kernels: against the CPU engine, and with the bits of one after another.
#include <cmath>

#include "both.h"

namespace {

/// Parameters of a task, and their rounding.
void updates(Both& t) {
  t.begin("updates together");
  const auto factor = t.floats({7, 0.5}), rates = t.floats({0.01f, 0.3f, 0.06f}), others = t.floats({0.02f, 0.3f, 0.06f});
  const auto all = t.floats(t.random(40000));
  Both::Kernels kernels;
  uint32_t before = all;
  uint64_t first = 0;
  const auto update = [&](int64_t count, uint32_t gradient, uint64_t offset, double decay, uint32_t with, bool rounded) {
    const auto p = t.floats(t.random(static_cast<size_t>(count))), m = t.floats(t.random(static_cast<size_t>(count)));
    const auto v = t.floats(t.random(static_cast<size_t>(count), 0, 2)), out = t.bytes(static_cast<size_t>(2 * count));
    kernels.push_back({72, [=](int) {
      return Words().i(count).v(p).v(gradient, offset).v(m).v(v).v(factor).v(with).f(0.9).f(0.95).f(1e-8).f(decay);
    }});
    if (rounded) kernels.push_back({75, [=](int) { return Words().i(count).v(p).v(out); }});
    before = p;
  };
  for (int64_t count : {1, 2048, 2047, 10000, 4100, 8192}) {
    update(count, all, 4 * first, count % 2 ? 0.1 : 0, rates, count != 4100);  // some gradients are not aligned
    first += static_cast<uint64_t>(count);
  }
  update(8192, before, 0, 0.1, rates, true);  // by what was updated just before
  update(100, all, 0, 0.1, others, true);
  for (int i = 0; i < 70; ++i) update(3, all, 0, 0, others, i % 3 == 0);  // more than a launch has
  t.run_together(kernels, 0);
}

void sums(Both& t) {
  t.begin("sums together");
  const auto x = t.floats(t.random(40000)), sums = t.floats(std::vector<float>(80));
  Both::Kernels kernels;
  const int most = too_large(70, 5) ? 5 : 70;  // each has 512 blocks
  for (int i = 0; i < most; ++i) {
    const int64_t count = i % 3 ? i : 1000 * (i + 1) % 38000;
    const auto squares = static_cast<int64_t>(i % 10 != 3);
    kernels.push_back({70, [=](int) { return Words().i(squares, count).v(x, 4 * static_cast<uint64_t>(i)).v(sums, 4 * static_cast<uint64_t>(i)); }});
  }
  // Of sums before: apart from those, though as many could be added up in one launch.
  kernels.push_back({70, [=](int) { return Words().i(1, most).v(sums).v(sums, 4 * 70); }});
  t.run_together(kernels, 2e-5);
}

/// Rows of a warp's registers and others, after a sum that is apart from its terms or one of them.
void norms(Both& t, int dtype) {
  const double tolerance = dtype == SCHEMOE_BF16 ? 1e-2 : 5e-6;
  for (int64_t columns : {31, 256, 520, 768, 1024, 1280}) {
    for (int64_t rows : {1, 77, 333}) {
      if (rows > 100 && columns != 1024) continue;
      for (int centered : {0, 1}) {
        if (centered && columns != 256) continue;
        const auto count = static_cast<size_t>(rows * columns), row = static_cast<size_t>(columns);
        t.begin("norms together", dtype);
        const auto a = t.values(t.random(count)), b = t.values(t.random(count)), sum = t.values(t.random(count));
        const auto y = t.values(t.random(count)), dy = t.values(t.random(count)), dx = t.values(t.random(count));
        const auto weight = t.floats(t.random(row)), bias = t.floats(t.random(row)), of_weight = t.floats(t.random(row));
        const auto statistics = t.floats(t.random(static_cast<size_t>(2 * rows), 0.5, 2));
        const auto norm_of = [&](uint32_t x) {
          return [=](int d) {
            Words w = Words().i(centered, rows, columns).v(x).v(weight);
            centered ? w.v(bias) : w.none();
            return w.v(y).v(statistics).f(1e-5).i(d);
          };
        };
        for (const uint32_t to : {sum, a, b, y}) {  // the last one is the norm's result too
          t.run_together({{68, [=](int d) { return Words().i(rows * columns).v(a).v(b).v(to).i(d); }}, {63, norm_of(to)}},
                         tolerance, dtype == SCHEMOE_BF16);
        }
        for (const uint32_t to : {dx, dy, sum}) {  // the last one is the rows' own place
          for (int accumulate : {0, 1}) {
            const auto input = [=](int d) {
              return Words().i(centered, rows, columns).v(dy).v(sum).v(weight).v(statistics).v(to).i(accumulate, d);
            };
            const auto of = [=](int d) {
              Words w = Words().i(centered, rows, columns).v(dy).v(sum).v(statistics).v(of_weight);
              return (centered ? w.v(bias) : w.none()).i(d);
            };
            t.run_together({{64, input}, {65, of}}, 2 * tolerance, dtype == SCHEMOE_BF16);
          }
        }
      }
    }
  }
}

/// Queries and keys, and a tensor of another base between them.
void positions(Both& t, int dtype) {
  for (int64_t dim : {10, 64}) {
    for (int back : {0, 1}) {
      t.begin("positions together", dtype);
      constexpr int64_t kTokens = 100, kLength = 50;
      const auto rows = [&](int64_t heads) { return t.values(t.random(static_cast<size_t>(kTokens * heads * dim))); };
      const auto q = rows(4), k = rows(2), other = rows(3);
      const auto turn = [=](uint32_t x, int64_t heads, double base) {
        return std::pair{uint64_t{62}, std::function([=](int d) {
          return Words().i(kTokens, kLength, heads, dim).v(x).f(base).i(back, d);
        })};
      };
      t.run_together({turn(q, 4, 1e4), turn(k, 2, 1e4), turn(q, 4, 1e4), turn(q, 4, 1e4), turn(other, 3, 100), turn(k, 2, 1e4)},
                     dtype == SCHEMOE_BF16 ? 2e-2 : 1e-6);
    }
  }
}

}  // namespace

int main() {
  if (const auto skipped = without_gpu()) return *skipped;
  Both t;
  updates(t);
  sums(t);
  for (int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) {
    norms(t, dtype);
    positions(t, dtype);
  }
  return check::result();
}
