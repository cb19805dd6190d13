// Sums and maxima.
#include <bit>

#include "library.h"

namespace {

float rounded(float value, bool narrow) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return narrow ? std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u) : value;
}

/// Values as a kernel of that type has them, and back.
uint32_t stored(Bench& bench, const std::vector<float>& values, bool narrow) {
  if (!narrow) return bench.buffer(values);
  std::vector<uint16_t> halves;
  for (float x : values) halves.push_back(static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16));
  return bench.buffer(halves);
}
std::vector<float> loaded(Bench& bench, uint32_t id, size_t count, bool narrow) {
  if (!narrow) return bench.read(id, count);
  std::vector<float> values;
  for (uint16_t half : bench.read<uint16_t>(id, count)) values.push_back(std::bit_cast<float>(uint32_t{half} << 16));
  return values;
}

/// Sums of slices of three buffers, in their order, rounded after each addition; what no sum is written to stays.
void add_slices(Bench& bench) {
  for (const bool narrow : {false, true}) {
    for (const int64_t unit : {1, 3, 5000}) {
      std::vector<std::vector<float>> in;
      for (int64_t units : {4, 5, 3}) {
        in.push_back(bench.random(static_cast<size_t>(units * unit)));
        for (float& x : in.back()) x = rounded(x, narrow);
      }
      // the third is written too, onto a slice of its own
      const std::vector<int64_t> table{2, 1, 3, 4 * 1 + 0, 4 * 0 + 1, 4 * 1 + 1, 1, 0, 2, 4 * 0 + 2, 4 * 4 + 1};
      auto expected = in[2];
      for (int64_t i = 0; i < 2 * unit; ++i) {
        const float sum = rounded(in[0][unit + i] + in[1][i], narrow);
        expected[unit + i] = rounded(sum + in[1][unit + i], narrow);
      }
      for (int64_t i = 0; i < unit; ++i) expected[i] = rounded(in[2][i] + in[1][4 * unit + i], narrow);
      std::vector<uint32_t> ids;
      for (const auto& values : in) ids.push_back(stored(bench, values, narrow));
      Words words = Words().i(narrow, unit, 2).v(ids[0]).v(ids[1]).v(ids[2]).v(ids[2]);
      for (int64_t number : table) words.i(number);
      bench.ok(80, words);
      CHECK(loaded(bench, ids[2], expected.size(), narrow) == expected);
      CHECK(loaded(bench, ids[1], in[1].size(), narrow) == in[1]);
    }
  }
  // one slice is copied, none is nothing; all is checked before anything runs
  const uint32_t a = bench.buffer(std::vector<float>{1, 2, 3, 4}), out = bench.buffer(std::vector<float>{0, 0, 0, 0});
  const auto call = [&](int64_t unit, int64_t slices, const std::vector<int64_t>& table) {
    Words words = Words().i(0, unit, slices).v(a).v(a).v(a).v(out);
    for (int64_t number : table) words.i(number);
    return bench.run(80, words);
  };
  CHECK_EQUAL(call(2, 1, {1, 1, 1, 0}).text, "");
  CHECK((bench.read(out, 4) == std::vector<float>{0, 0, 1, 2}));
  CHECK_EQUAL(call(2, 0, {}).text, "");
  const auto refused = [&](int64_t unit, int64_t slices, const std::vector<int64_t>& table, const char* says) {
    const Outcome outcome = call(unit, slices, table);
    CHECK_EQUAL(outcome.status, SCHEMOE_INVALID);
    check::that(outcome.text.find(says) != std::string::npos, outcome.text, __FILE__, __LINE__);
  };
  refused(2, 2, {1, 0, 1, 0}, "the table is of 1 sums and not of 2");
  refused(2, 1, {1, 0, 2, 0}, "sum 0 has not all its slices");
  refused(2, 1, {1, 0, 0}, "sum 0 has not all its slices");
  refused(2, 1, {1, 0, 1, 3}, "adds from buffer 3 of 3");
  refused(2, 1, {1, 0, 1, int64_t{1} << 31}, "is too large");
  CHECK_EQUAL(call(2, 1, {1, 2, 1, 0}).status, SCHEMOE_INVALID);      // beyond the sums
  CHECK_EQUAL(call(2, 1, {1, 0, 1, 4 * 2}).status, SCHEMOE_INVALID);  // beyond what is added
}

}  // namespace

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

  add_slices(bench);

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
