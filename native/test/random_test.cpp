// Normal numbers: Philox by its published vectors, the formulas by libm, and what makes them usable.
#include <algorithm>
#include <array>
#include <numbers>

#include "library.h"
#include "runtime/normals.h"

namespace {

using schemoe::normals::philox;

std::array<uint32_t, 4> words(std::array<uint32_t, 4> counter, uint32_t key0, uint32_t key1) {
  const auto r = philox({{counter[0], counter[1], counter[2], counter[3]}}, key0, key1);
  return {r.word[0], r.word[1], r.word[2], r.word[3]};
}

/// One number in double precision, from the definition in schemoe.h.
double expected(uint64_t seed, uint64_t stream, uint64_t number) {
  const uint64_t block = number / 4;
  const auto w = words({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(stream),
                        static_cast<uint32_t>(stream >> 32)},
                       static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
  const size_t pair = number % 4 / 2 * 2;
  const double radius = std::sqrt(-2 * std::log((w[pair] + 1.0) * 0x1p-32));
  const double angle = 2 * std::numbers::pi * (w[pair + 1] * 0x1p-32);
  return radius * (number % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

std::vector<float> normals(Bench& bench, int64_t count, int64_t first, int64_t seed, int64_t stream, double scale = 1) {
  const uint32_t out = bench.empty(static_cast<size_t>(count));
  bench.ok(28, Words().i(0, count, first, seed, stream).v(out).f(scale));
  auto list = bench.read(out, static_cast<size_t>(count));
  CHECK_EQUAL(schemoe_free(bench.engine.handle, out, &bench.engine.error), SCHEMOE_OK);
  return list;
}

double correlation(const std::vector<float>& a, const std::vector<float>& b, size_t shift = 0) {
  double sum = 0;
  for (size_t i = 0; i + shift < a.size(); ++i) sum += double{a[i]} * b[i + shift];
  return sum / static_cast<double>(a.size() - shift);
}

/// Largest distance of the empirical distribution from the normal one, times sqrt(count).
double kolmogorov(std::vector<float> list) {
  std::sort(list.begin(), list.end());
  const auto count = static_cast<double>(list.size());
  double most = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    const double p = 0.5 * std::erfc(-list[i] / std::numbers::sqrt2);
    most = std::max({most, p - static_cast<double>(i) / count, static_cast<double>(i + 1) / count - p});
  }
  return most * std::sqrt(count);
}

}  // namespace

int main() {
  // the vectors of the authors' library
  CHECK((words({0, 0, 0, 0}, 0, 0) == std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  CHECK((words({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u) == std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  CHECK((words({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0) ==
         std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));

  // the formulas at their edges and in between
  for (uint64_t i = 0; i <= 1 << 20; ++i) {
    const auto word = static_cast<uint32_t>(std::min<uint64_t>(i << 12, UINT32_MAX)) ^ static_cast<uint32_t>(i & 1);
    const double exact = -2 * std::log((word + 1.0) * 0x1p-32), angle = 2 * std::numbers::pi * (word * 0x1p-32);
    const double log = schemoe::normals::minus_two_log(word);
    const auto turn = schemoe::normals::turn(word);
    // Near 1 the word itself is rounded to float: an error of 2^-24 of v, so 2^-23 of the result.
    const bool close = std::abs(log - exact) <= 3e-7 * exact + 0x1p-23;
    const bool round = std::abs(turn.cosine - std::cos(angle)) < 1.2e-7 && std::abs(turn.sine - std::sin(angle)) < 1.2e-7;
    if (!close || !round || !(log >= 0)) CHECK_EQUAL(word, 0u);
  }
  CHECK_NEAR(std::sqrt(schemoe::normals::minus_two_log(0)), 6.6604, 1e-4);
  CHECK_EQUAL(schemoe::normals::minus_two_log(UINT32_MAX), 0.0f);

  Bench bench;
  constexpr int64_t kCount = 1 << 20, kSeed = (int64_t{7} << 40) + 11, kStream = (int64_t{3} << 33) + 5;
  const auto all = normals(bench, kCount, 0, kSeed, kStream);
  double worst = 0;
  for (int64_t i = 0; i < kCount; i += 37) worst = std::fmax(worst, std::abs(all[i] - expected(kSeed, kStream, i)));
  CHECK(worst < 4e-4);  // only where the radius is near 0: there v is rounded
  worst = 0;
  for (int64_t i = 0; i < kCount; ++i) {
    const double exact = expected(kSeed, kStream, i);
    if (std::abs(exact) > 0.5) worst = std::fmax(worst, std::abs(all[i] - exact) / std::abs(exact));
  }
  CHECK(worst < 2e-6);

  // moments within five standard errors, and the whole distribution (1.95: one in a thousand)
  double moments[5] = {};
  for (float x : all) {
    double power = 1;
    for (double& sum : moments) sum += power, power *= x;
  }
  const double root = std::sqrt(static_cast<double>(kCount));
  CHECK(std::abs(moments[1] / kCount) < 5 / root);
  CHECK(std::abs(moments[2] / kCount - 1) < 5 * std::sqrt(2.0) / root);
  CHECK(std::abs(moments[3] / kCount) < 5 * std::sqrt(15.0) / root);
  CHECK(std::abs(moments[4] / kCount - 3) < 5 * std::sqrt(96.0) / root);
  CHECK(kolmogorov(all) < 1.95);

  // nothing in common with neighbours, the next stream, the next seed or far numbers
  for (size_t shift : {1, 2, 3, 4, 256}) CHECK(std::abs(correlation(all, all, shift)) < 5 / root);
  CHECK(std::abs(correlation(all, normals(bench, kCount, 0, kSeed, kStream + 1))) < 5 / root);
  CHECK(std::abs(correlation(all, normals(bench, kCount, 0, kSeed + 1, kStream))) < 5 / root);
  CHECK(std::abs(correlation(all, normals(bench, kCount, int64_t{1} << 40, kSeed, kStream))) < 5 / root);

  // the same numbers whatever is asked for at once
  for (int64_t first : {0, 1, 3, 4, 255, 256, 257, 1000}) {
    for (int64_t count : {1, 2, 5, 255, 256, 600}) {
      const auto some = normals(bench, count, first, kSeed, kStream);
      CHECK(std::equal(some.begin(), some.end(), all.begin() + first));
    }
  }
  // across 2^32 blocks, and at the last number there can be
  const int64_t edge = int64_t{1} << 34;
  const auto across = normals(bench, 8, edge - 4, kSeed, kStream);
  for (int64_t i = 0; i < 8; ++i) CHECK_NEAR(across[i], expected(kSeed, kStream, edge - 4 + i), 1e-5);
  CHECK_NEAR(normals(bench, 1, INT64_MAX - 2000, kSeed, kStream)[0], expected(kSeed, kStream, INT64_MAX - 2000), 1e-5);
  CHECK(normals(bench, 0, 5, kSeed, kStream).empty());

  // scaled after, and rounded last
  const auto scaled = normals(bench, 100, 9, kSeed, kStream, 0.02);
  for (int64_t i = 0; i < 100; ++i) CHECK_EQUAL(scaled[i], all[9 + i] * 0.02f);
  const uint32_t halves = bench.empty<uint16_t>(1002);
  bench.ok(28, Words().i(1, 1001, 9, kSeed, kStream).v(halves, 2).f(1));
  const auto rounded = bench.read<uint16_t>(halves, 1002);
  CHECK_EQUAL(rounded[0], 0xffff);
  for (int64_t i = 0; i < 1001; ++i) {
    const uint32_t bits = std::bit_cast<uint32_t>(all[9 + i]);
    CHECK_EQUAL(rounded[1 + i], (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }

  const uint32_t out = bench.empty(4);
  for (const auto& bad : {Words().i(0, 5, 0, 1, 1).v(out).f(1), Words().i(2, 1, 0, 1, 1).v(out).f(1),
                          Words().i(0, 1, INT64_MAX, 1, 1).v(out).f(1), Words().i(0, 1, 0, -1, 1).v(out).f(1)}) {
    CHECK_EQUAL(bench.run(28, bad).status, SCHEMOE_INVALID);
  }
  return check::result();
}
