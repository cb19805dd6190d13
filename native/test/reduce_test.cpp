// Sums and maxima.
#include "library.h"

int main() {
  Bench bench;
  // column_sum with gaps, from nothing and onto what is there
  constexpr int64_t kGroups = 3, kRows = 1001, kColumns = 5, kLd = 6, kStride = kRows * kLd + 2;
  const auto x = bench.random(kGroups * kStride);
  const auto before = bench.random(kGroups * 7);
  const uint32_t ix = bench.buffer(x), out = bench.buffer(before);
  for (int accumulate : {0, 1}) {
    bench.engine.write(out, 0, before);
    bench.ok(6, Words().i(0, kGroups, kRows, kColumns).m(ix, kLd, kStride).v(out).i(7, accumulate));
    const auto sums = bench.read(out, before.size());
    for (int64_t g = 0; g < kGroups; ++g) {
      for (int64_t j = 0; j < 7; ++j) {
        double sum = accumulate || j >= kColumns ? before[g * 7 + j] : 0;
        for (int64_t i = 0; i < kRows && j < kColumns; ++i) sum += x[g * kStride + i * kLd + j];
        CHECK_NEAR(sums[g * 7 + j], sum, 1e-7);
      }
    }
  }
  bench.ok(6, Words().i(0, 1, 0, 2).m(ix, 2, 0).v(out).i(0, 0));
  CHECK(bench.read(out, 2) == std::vector<float>(2, 0.0f));

  // sum_ranks in the order of ranks, also onto its own first part
  constexpr int64_t kRanks = 5, kCount = 9001, kGap = 9010;
  auto parts = bench.random(kRanks * kGap);
  const uint32_t in = bench.buffer(parts), sum = bench.empty(kCount);
  bench.ok(18, Words().i(kRanks, kCount, kGap).v(in).v(sum));
  bench.ok(18, Words().i(kRanks, kCount, kGap).v(in).v(in));
  const auto sums = bench.read(sum, kCount), again = bench.read(in, kCount);
  for (int64_t i = 0; i < kCount; ++i) {
    float expected = 0;
    for (int64_t r = 0; r < kRanks; ++r) expected += parts[r * kGap + i];
    CHECK(sums[i] == expected && again[i] == expected);
  }

  const uint32_t loads = bench.buffer(std::vector<int32_t>{3, -7, 12, 5}), most = bench.empty<int32_t>(1);
  bench.ok(19, Words().i(2).v(loads).v(most));
  CHECK_EQUAL(bench.read<int32_t>(most, 1)[0], 3);
  bench.ok(21, Words().i(4).v(loads).v(most));
  CHECK_EQUAL(bench.read<int32_t>(most, 1)[0], 12);
  CHECK_EQUAL(bench.run(21, Words().i(0).v(loads).v(most)).status, SCHEMOE_INVALID);

  const uint32_t filled = bench.empty(4);
  bench.ok(20, Words().i(2).v(filled, 4).f(-0.5));
  const auto values = bench.read(filled, 4);
  CHECK(std::isnan(values[0]) && values[1] == -0.5f && values[2] == -0.5f && std::isnan(values[3]));

  // overlapping copies move as a whole
  const uint32_t text = bench.buffer(std::vector<uint8_t>{1, 2, 3, 4, 5});
  bench.ok(23, Words().i(4).v(text, 0).v(text, 1));
  CHECK((bench.read<uint8_t>(text, 5) == std::vector<uint8_t>{1, 1, 2, 3, 4}));
  return check::result();
}
