// Kernels of gates, of losses on the routing and of shared experts on the GPU against the CPU engine.
#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include "both.h"

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

struct Sizes {
  int64_t tokens, rows, k;
  int64_t groups = 1, limit = 1;
  size_t each() const { return static_cast<size_t>(tokens * rows); }
  size_t chosen() const { return static_cast<size_t>(tokens * k); }
};

/// Rows in registers of each width, in memory, aligned and not; more choices than a warp has lanes.
const std::vector<Sizes> kSizes{
    {1, 1, 1},           {7, 8, 2},           {33, 16, 4, 4, 2},  {19, 13, 13},      {40, 32, 3},
    {65, 64, 6},         {21, 66, 22, 11, 5}, {40, 128, 8, 8, 4}, {9, 128, 40},      {20, 256, 8, 8, 4},
    {13, 160, 22, 1, 1}, {12, 512, 22},       {5, 510, 7, 255, 9}, {6, 700, 10, 7, 3}, {4, 1024, 33},
    {5, 1500, 10, 5, 2}, {3, 2050, 40},       {3, 64, 0},         {0, 16, 2},         {50, 32, 32, 2, 2},
    {33, 64, 32, 64, 40}, {70, 100, 7, 4, 3}, {17, 256, 32, 16, 12}, {12, 129, 12},      {9, 1000, 22, 8, 4},
    {33, 64, 8, 8, 4},    {70, 128, 9},         {7, 512, 10, 8, 4},   {41, 256, 9, 64, 5},
    {37, 128, 1, 32, 5},  {11, 96, 5, 6, 2},     {13, 480, 8, 15, 3},  {9, 200, 6, 25, 7},  {35, 64, 2, 16, 3},
};

/// What values of a row are like; those that are close differ in the last bits of their keys alone.
enum Values { kCoarse, kSpecial, kFine, kEqual, kClose };

/// A few values many times over: ties, and no two that differ by less than any engine can tell.
std::vector<float> coarse(Both& t, size_t count, float low = -4, float high = 4) {
  auto values = t.random(count, low, high);
  for (float& x : values) x = std::round(x * 32) / 32;
  return values;
}

/// Special values in the first rows.
void spoil(std::vector<float>& logits, const Sizes& s) {
  const std::vector<float> special{kNan, kInf, -kInf, -0.0f, 0.0f, 3e38f, -3e38f, 1e-42f};
  const size_t rows = static_cast<size_t>(s.rows);
  for (size_t token = 0; token < static_cast<size_t>(s.tokens) && token < 2 * special.size(); token += 2) {
    logits[token * rows + token * 7 % rows] = special[token / 2];
  }
  if (s.tokens > 18) std::fill_n(logits.begin() + 18 * static_cast<long>(rows), rows, -kInf);
}

std::vector<float> values_of(Both& t, const Sizes& s, Values kind) {
  if (kind == kFine) return t.random(s.each(), -4, 4);
  if (kind == kEqual) return std::vector<float>(s.each(), 0.375f);
  if (kind == kClose) {
    auto values = t.random(s.each(), 0, 90);
    for (float& x : values) x = 1 + std::floor(x) * std::numeric_limits<float>::epsilon();
    return values;
  }
  auto values = coarse(t, s.each());
  if (kind == kSpecial) spoil(values, s);
  return values;
}

/// Every third token is padding.
std::vector<int32_t> padding_of(const Sizes& s) {
  std::vector<int32_t> marks(static_cast<size_t>(s.tokens));
  for (size_t token = 0; token < marks.size(); ++token) marks[token] = token % 3 == 1 ? 5 : 0;
  return marks;
}

/// Experts of each token without repetition, of which some are none.
std::vector<int32_t> choices_of(Both& t, const Sizes& s, bool gaps = true) {
  std::vector<int32_t> all(static_cast<size_t>(s.rows)), choices;
  std::iota(all.begin(), all.end(), 0);
  for (int64_t token = 0; token < s.tokens; ++token) {
    std::shuffle(all.begin(), all.end(), t.generator);
    for (int64_t c = 0; c < s.k; ++c) choices.push_back(gaps && (token * 3 + c) % 5 == 0 ? -1 : all[static_cast<size_t>(c)]);
  }
  return choices;
}

enum Choose { kLargest, kGiven, kPositive, kNothing };

void route(Both& t) {
  for (const Sizes& s : kSizes) {
    for (int kind = 0; kind <= 4; ++kind) {
      for (int choose : {kLargest, kGiven, kPositive, kNothing}) {
        if (choose == kPositive && s.k != s.rows) continue;
        for (bool biased : {false, true}) {
          if (choose != kLargest && biased) continue;
          for (Values like : {kCoarse, kSpecial, kFine, kEqual}) {
            // Scores that differ by less than engines round decide with a bias.
            if (like == kFine && biased) continue;
            if (like >= kFine && choose != kLargest) continue;
            t.begin("route " + std::to_string(s.rows) + " by " + std::to_string(kind) + (biased ? " with bias" : ""));
            const auto logits = t.floats(values_of(t, s, like)), bias = t.floats(t.random(static_cast<size_t>(s.rows), -0.5, 0.5));
            const auto scores = t.floats(t.random(s.each())), weights = t.floats(t.random(s.chosen()));
            const auto choices = t.integers(choices_of(t, s));
            for (int normalize : {0, 1}) {
              t.run(40, [&](int) {
                Words w = Words().i(s.tokens, s.rows, s.k, kind, choose, s.groups, s.limit, normalize).v(logits);
                biased ? w.v(bias) : w.none();
                return w.v(scores).v(choices).v(weights).f(2.5);
              }, 2e-6);
            }
          }
        }
      }
    }
  }
  t.begin("route of a choice that does not exist");
  const auto logits = t.floats(t.random(24)), scores = t.floats(t.random(24)), weights = t.floats(t.random(6));
  const auto choices = t.integers({0, 7, 3, 8, -1, 2});
  t.run(40, [&](int) { return Words().i(3, 8, 2, 1, 1, 1, 1, 0).v(logits).none().v(scores).v(choices).v(weights).f(1); }, 0);
}

void route_grad(Both& t) {
  for (const Sizes& s : kSizes) {
    for (int kind = 0; kind <= 4; ++kind) {
      for (int extra = 0; extra < 6; ++extra) {
        t.begin("route gradient " + std::to_string(s.rows) + " by " + std::to_string(kind));
        const auto rows = static_cast<size_t>(s.rows);
        // Of a softmax they are probabilities; of others any positive numbers.
        auto values = t.random(s.each(), 0, 1);
        for (size_t i = 0; kind == 0 && i < values.size(); ++i) values[i] /= static_cast<float>(rows) / 2;
        auto list = choices_of(t, s);
        if (extra == 5 && s.k > 1) {
          for (size_t i = 1; i < list.size(); i += 3) list[i] = list[i - 1];  // one expert twice
        }
        const auto logits = t.floats(t.random(s.each())), scores = t.floats(kind == 3 ? t.random(s.each()) : values);
        const auto choices = t.integers(list), d_weights = t.floats(t.random(s.chosen()));
        const auto importance = t.floats(t.random(rows)), balance = t.floats(t.random(rows)), d = t.floats(t.random(s.each()));
        const auto padding = t.integers(padding_of(s));
        t.run(41, [&](int) {
          Words w = Words().i(s.tokens, s.rows, s.k, kind, extra & 1).v(logits).v(scores).v(choices).v(d_weights);
          extra & 2 ? w.v(importance) : w.none();
          s.rows > 1 && extra >= 3 ? w.v(balance) : w.none();
          w.v(d).f(1.5).f(extra & 1 ? 0.25 : 0);
          return extra % 3 == 2 ? w.v(padding) : w.none();
        }, 5e-6);
      }
    }
  }
  t.begin("route gradient of a choice that does not exist");
  const auto x = t.floats(t.random(24)), dw = t.floats(t.random(6)), choices = t.integers({0, 7, 3, 9, -1, 2});
  t.run(41, [&](int) {
    return Words().i(3, 8, 2, 1, 0).v(x).v(x).v(choices).v(dw).none().none().v(x).f(1).f(0).none();
  }, 0);
}

/// The kernels of a plain softmax top-k.
void plain(Both& t) {
  for (const Sizes& s : kSizes) {
    for (Values like : {kCoarse, kSpecial, kFine, kEqual, kClose}) {
      t.begin("softmax and top_k " + std::to_string(s.rows));
      const auto x = t.floats(values_of(t, s, like)), y = t.floats(t.random(s.each())), by = t.floats(coarse(t, s.each(), -1, 1));
      const auto choices = t.integers(std::vector<int32_t>(s.chosen(), 77)), weights = t.floats(t.random(s.chosen()));
      t.run(7, [&](int) { return Words().i(s.tokens, s.rows).v(x).v(y); }, 1e-6);
      for (int normalize : {0, 1}) {
        t.run(8, [&](int) { return Words().i(s.tokens, s.rows, s.k, normalize).none().v(x).v(choices).v(weights); }, 1e-6);
        t.run(8, [&](int) { return Words().i(s.tokens, s.rows, s.k, normalize).v(by).v(x).v(choices).v(weights); }, 1e-6);
      }
    }
    if (s.k < 1) continue;
    for (int normalize : {0, 1}) {
      t.begin("gate gradient " + std::to_string(s.rows));
      auto values = t.random(s.each(), 0, 1);
      for (float& value : values) value /= static_cast<float>(s.rows) / 2;
      const auto scores = t.floats(values), choices = t.integers(choices_of(t, s, false)), weights = t.floats(t.random(s.chosen(), 0, 1));
      const auto d_weights = t.floats(t.random(s.chosen())), d = t.floats(t.random(s.each()));
      t.run(15, [&](int) {
        return Words().i(s.tokens, s.rows, s.k, normalize).v(scores).v(choices).v(weights).v(d_weights).v(d).f(0.7);
      }, 5e-6);
    }
  }
}

void places(Both& t) {
  for (const Sizes& s : {Sizes{1, 1, 1}, Sizes{40, 6, 3}, Sizes{700, 12, 5}, Sizes{3000, 64, 8}, Sizes{900, 300, 22}, Sizes{0, 4, 2}, Sizes{9, 4, 0},
                         Sizes{9000, 2, 2}, Sizes{20000, 64, 6}, Sizes{33000, 130, 1}, Sizes{40000, 17, 17}, Sizes{5, 200, 150}}) {
    if (too_large(s.chosen(), 25000)) continue;
    for (int64_t experts : {s.rows, (s.rows + 1) / 2}) {
      for (int prioritized : {0, 1}) {
        t.begin("places of choices");
        auto values = coarse(t, s.each());
        if (s.tokens > 20) values[5] = values[static_cast<size_t>(9 * s.rows)] = kNan;
        const auto scores = t.floats(values), choices = t.integers(choices_of(t, s));
        const auto targets = t.integers(std::vector<int32_t>(s.chosen(), 77)), places = t.integers(std::vector<int32_t>(s.chosen(), 77));
        const auto loads = t.integers(std::vector<int32_t>(static_cast<size_t>(s.rows), 77));
        t.run(42, [&](int) {
          return Words().i(s.tokens, s.rows, experts, s.k, prioritized).v(scores).v(choices).v(targets).v(places).v(loads);
        }, 0);
        const auto padding = t.integers(padding_of(s)), dropped = t.integers(choices_of(t, s));
        t.run(77, [&](int) { return Words().i(s.tokens, s.k).v(padding).v(dropped); }, 0);
        const auto counts = t.floats(t.random(static_cast<size_t>(s.rows)));
        for (int64_t first : {int64_t{0}, (s.k + 1) / 2, s.k}) {
          t.run(44, [&](int) { return Words().i(s.tokens, s.rows, s.k, first).v(choices).v(counts); }, 0);
        }
      }
    }
  }
  // Blocks wait for each other, and leave nothing for the next run.
  const Sizes much{40000, 96, 3};
  for (int again = 0; again < 20 && !too_large(much.chosen(), 25000); ++again) {
    t.begin("places of choices again");
    const auto values = t.floats(t.random(much.each())), choices = t.integers(choices_of(t, much));
    const auto targets = t.integers(std::vector<int32_t>(much.chosen(), 77)), places = t.integers(std::vector<int32_t>(much.chosen(), 77));
    const auto loads = t.integers(std::vector<int32_t>(96, 77)), counts = t.floats(std::vector<float>(96, 7));
    t.run(42, [&](int) { return Words().i(40000, 96, 96, 3, 0).v(values).v(choices).v(targets).v(places).v(loads); }, 0);
    t.run(44, [&](int) { return Words().i(40000, 96, 3, 3).v(choices).v(counts); }, 0);
  }
  t.begin("choices that do not exist");
  const auto scores = t.floats(t.random(8)), choices = t.integers({0, -1, 1, 4}), out = t.integers({9, 9, 9, 9});
  const auto loads = t.integers({9, 9, 9, 9}), counts = t.floats({9, 9, 9, 9});
  t.run(42, [&](int) { return Words().i(2, 4, 4, 2, 0).v(scores).v(choices).v(out).v(out).v(loads); }, 0);
  t.run(44, [&](int) { return Words().i(2, 4, 2, 2).v(choices).v(counts); }, 0);
  for (int wrong : {0, 1, 2, 3}) {
    t.begin("tokens of a table");
    const auto ids = t.integers({2, 0, wrong == 1 ? -7 : 1});
    const auto table = t.integers({0, 3, 2, 1, 3, wrong == 2 ? 8 : wrong == 3 ? 3 : 2});
    const auto found = t.integers(std::vector<int32_t>(6, 77));
    t.run(51, [&](int) { return Words().i(3, 2, 3, 4).v(ids).v(table).v(found); }, 0);
    t.run(51, [&](int) { return Words().i(2, 2, 3, 4).v(ids).v(table).v(found); }, 0);
    t.run(51, [&](int) { return Words().i(3, 0, 3, 4).v(ids).v(table).v(found); }, 0);
  }
}

void columns(Both& t) {
  for (const Sizes& s : {Sizes{1, 1, 1}, Sizes{50, 8, 2}, Sizes{301, 33, 4}, Sizes{1000, 64, 6}, Sizes{64, 300, 40}, Sizes{40, 1100, 5},
                         Sizes{5000, 70, 5}, Sizes{33000, 20, 3}, Sizes{9000, 132, 9}, Sizes{5000, 3, 2}, Sizes{33000, 2, 1}}) {
    if (too_large(s.each(), 70000)) continue;
    for (int ties : {0, 1, 2, 3}) {
      auto values = ties % 3 == 0 ? t.random(s.each()) : coarse(t, s.each());
      auto scores = values;
      // Logits tell equal scores apart.
      for (float& x : scores) x = ties == 3 ? x : ties == 2 ? 0.25f : std::round(x * 8) / 8;
      if (s.tokens > 20 && ties > 0) {
        spoil(values, s);
        scores[4] = scores[static_cast<size_t>(11 * s.rows)] = kNan;
        scores[6] = -0.0f;
      }
      t.begin("tokens of experts");
      const auto logits = t.floats(values), by = t.floats(scores), out = t.integers(std::vector<int32_t>(s.each(), 77));
      for (int64_t count : {int64_t{0}, int64_t{1}, (s.tokens + 2) / 3, s.tokens}) {
        t.run(43, [&](int) { return Words().i(s.tokens, s.rows, count).v(logits).v(by).v(out); }, 0);
      }
      t.begin("choices in tiles");
      const auto best = t.integers(choices_of(t, s));
      for (int64_t tile : {int64_t{1}, int64_t{7}, int64_t{128}, s.tokens / 2 + 1, s.tokens + 1}) {
        t.run(79, [&](int) { return Words().i(s.tokens, s.rows, s.k, tile).v(best).v(logits).v(by).v(out); }, 0);
      }
      if (s.k >= s.rows) continue;
      t.begin("quantiles");
      const auto z = t.floats(values), bias = t.floats(coarse(t, static_cast<size_t>(s.rows))), next = t.floats(t.random(static_cast<size_t>(s.rows)));
      t.run(55, [&](int) { return Words().i(s.tokens, s.rows, s.k).v(z).v(bias).v(next); }, 0);
    }
  }
}

void losses(Both& t) {
  for (const Sizes& s : kSizes) {
    const auto rows = static_cast<size_t>(s.rows);
    for (int kind : {0, 1, 2, 3}) {
      t.begin("balance loss " + std::to_string(s.rows));
      const auto scores = t.floats(t.random(s.each(), 0.01f, 1)), counts = t.floats(t.random(rows, 0, 9));
      const auto balance = t.floats(t.random(rows)), loss = t.floats({7}), total = t.floats({3});
      const auto padding = t.integers(padding_of(s));
      for (bool padded : {false, true}) {
        t.run(45, [&](int) {
          Words w = Words().i(s.tokens, s.rows, kind).v(scores).v(counts).v(balance).v(loss).v(total).f(0.5).f(0.3);
          return padded ? w.v(padding) : w.none();
        }, 3e-6);
      }
    }
    t.begin("z loss and importance " + std::to_string(s.rows));
    auto values = t.random(s.each(), -6, 6);
    const auto logits = t.floats(values), loss = t.floats({7}), total = t.floats({3});
    const auto padding = t.integers(padding_of(s));
    t.run(46, [&](int) { return Words().i(s.tokens, s.rows).v(logits).v(loss).v(total).f(0.3).none(); }, 3e-6);
    t.run(46, [&](int) { return Words().i(s.tokens, s.rows).v(logits).v(loss).v(total).f(0.3).v(padding); }, 3e-6);
    const auto choices = t.integers(choices_of(t, s)), weights = t.floats(t.random(s.chosen(), 0, 1)), slopes = t.floats(t.random(rows));
    t.run(47, [&](int) {
      return Words().i(s.tokens, s.rows, s.k).v(choices).v(weights).v(slopes).v(loss).v(total).f(0.3);
    }, 1e-5);
  }
  t.begin("losses without a choice");
  const auto nobody = t.integers(std::vector<int32_t>(12, -1)), all_padding = t.integers(std::vector<int32_t>(6, 1));
  const auto twelve = t.floats(t.random(12, 0.1f, 1)), thirty = t.floats(t.random(30, 0.1f, 1)), five = t.floats(t.random(5));
  const auto value = t.floats({7}), added = t.floats({3});
  t.run(47, [&](int) { return Words().i(6, 5, 2).v(nobody).v(twelve).v(five).v(value).v(added).f(0.3); }, 0);
  t.run(48, [&](int) {
    return Words().i(6, 5, 2).v(thirty).v(thirty).v(thirty).v(five).v(value).v(added).f(0.3).v(all_padding);
  }, 0);
  t.begin("losses of much");
  const Sizes s{3000, 96, 5};
  const auto scores = t.floats(t.random(s.each(), 0.01f, 1)), counts = t.floats(t.random(96, 0, 9)), slopes = t.floats(t.random(96));
  const auto choices = t.integers(choices_of(t, s)), weights = t.floats(t.random(s.chosen(), 0, 1));
  const auto loss = t.floats({7}), total = t.floats({3});
  t.run(45, [&](int) { return Words().i(3000, 96, 1).v(scores).v(counts).v(slopes).v(loss).v(total).f(2).f(1).none(); }, 3e-6);
  t.run(46, [&](int) { return Words().i(3000, 96).v(scores).v(loss).v(total).f(1).none(); }, 3e-6);
  t.run(47, [&](int) { return Words().i(3000, 96, 5).v(choices).v(weights).v(slopes).v(loss).v(total).f(1); }, 1e-5);
  t.begin("z loss of what is no number");
  const auto z = t.floats({1, kNan, 2, 3}), none = t.floats({7}), sum = t.floats({3});
  t.run(46, [&](int) { return Words().i(2, 2).v(z).v(none).v(sum).f(1).none(); }, 0);
  t.run(46, [&](int) { return Words().i(0, 2).v(z).v(none).v(sum).f(1).none(); }, 0);
}

void noise(Both& t) {
  for (const Sizes& s : kSizes) {
    const auto rows = static_cast<size_t>(s.rows);
    for (bool ties : {false, true}) {
      t.begin("noise " + std::to_string(s.rows));
      const auto clean = t.floats(t.random(s.each())), spread = t.floats(t.random(s.each())), noise = t.floats(t.random(s.each()));
      const auto logits = t.floats(ties ? coarse(t, s.each()) : t.random(s.each())), slopes = t.floats(t.random(rows));
      const auto d = t.floats(t.random(s.each())), d_spread = t.floats(t.random(s.each()));
      const auto loss = t.floats({7}), total = t.floats({3});
      const auto padding = t.integers(padding_of(s));
      t.run(49, [&](int) { return Words().i(s.tokens * s.rows).v(clean).v(spread).v(noise).v(logits); }, 1e-6);
      t.run(50, [&](int) {
        return Words().i(s.tokens, s.rows, s.k).v(clean).v(spread).v(noise).v(logits).none().v(d).v(d_spread).none();
      }, 2e-6);
      if (s.k < 1 || s.k >= s.rows) continue;
      t.run(48, [&](int) {
        return Words().i(s.tokens, s.rows, s.k).v(clean).v(spread).v(logits).v(slopes).v(loss).v(total).f(0.3).none();
      }, 1e-5);
      t.run(48, [&](int) {
        return Words().i(s.tokens, s.rows, s.k).v(clean).v(spread).v(logits).v(slopes).v(loss).v(total).f(0.3).v(padding);
      }, 1e-5);
      t.run(50, [&](int) {
        return Words().i(s.tokens, s.rows, s.k).v(clean).v(spread).v(noise).v(logits).v(slopes).v(d).v(d_spread).v(padding);
      }, 5e-6);
      t.run(50, [&](int) {
        return Words().i(s.tokens, s.rows, s.k).v(clean).v(spread).v(noise).v(logits).v(slopes).v(d).v(d_spread).none();
      }, 5e-6);
    }
  }
}

void token_rows(Both& t) {
  for (int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) {
    const double tolerance = dtype == SCHEMOE_F32 ? 1e-6 : 5e-3;
    for (int64_t columns : {0, 1, 33, 64, 1000}) {
      for (const Sizes& s : {Sizes{1, 2, 1}, Sizes{37, 9, 4}, Sizes{11, 60, 40}}) {
        t.begin("rows without computation", dtype);
        const auto count = static_cast<size_t>(s.tokens * columns);
        const auto a = t.values(t.random(count)), b = t.values(t.random(count)), choices = t.integers(choices_of(t, s));
        const auto weights = t.floats(t.random(s.chosen(), 0, 1));
        const int64_t experts = s.rows * 2 / 3;
        t.run(52, [&](int type) {
          return Words().i(type, s.tokens, columns, experts, s.k).v(a).v(choices).v(weights).v(b);
        }, tolerance);
        t.run(53, [&](int type) {
          return Words().i(type, s.tokens, columns, experts, s.k).v(a).v(b).v(choices).v(weights);
        }, 3e-6);
        t.begin("gated rows", dtype);
        const auto logits = t.floats(t.random(static_cast<size_t>(s.tokens), -9, 9)), rows = t.values(t.random(count));
        const auto y = t.values(t.random(count)), d = t.values(t.random(count)), slopes = t.floats(t.random(static_cast<size_t>(s.tokens)));
        t.run(59, [&](int type) { return Words().i(type, s.tokens, columns).v(logits).v(rows).v(y).none().none(); }, tolerance);
        t.run(59, [&](int type) { return Words().i(type, s.tokens, columns).v(logits).v(rows).v(y).v(d).v(slopes); }, tolerance);
      }
    }
  }
}

void cosines(Both& t) {
  for (int64_t columns : {0, 1, 31, 256, 1000}) {
    t.begin("rows of length 1");
    const auto count = static_cast<size_t>(45 * columns);
    auto values = t.random(count);
    std::fill_n(values.begin(), columns, 0.0f);
    const auto x = t.floats(values), y = t.floats(t.random(count)), norms = t.floats(t.random(45, 0.5, 2)), d = t.floats(t.random(count));
    t.run(56, [&](int) { return Words().i(45, columns).v(x).v(y).v(norms); }, 1e-6);
    t.run(57, [&](int) { return Words().i(45, columns).v(y).v(norms).v(d).v(d); }, 2e-6);
  }
  for (size_t count : {size_t{0}, size_t{3}, size_t{5000}, size_t{300007}}) {
    t.begin("temperature");
    const auto z = t.floats(t.random(count, 0, 2)), by = t.floats({0.07f}), d = t.floats(t.random(count, 0, 2)), slope = t.floats({7});
    t.run(58, [&](int) { return Words().i(static_cast<int64_t>(count)).v(z).v(by).none().none(); }, 0);
    t.run(58, [&](int) { return Words().i(static_cast<int64_t>(count)).v(z).v(by).v(d).v(slope); }, 1e-6);
  }
}

void shifts(Both& t) {
  for (size_t rows : {1, 12, 300, 1000}) {
    t.begin("shift of a bias");
    std::vector<float> counts(rows);
    for (size_t e = 0; e < rows; ++e) counts[e] = static_cast<float>(e * e % 17);
    const auto loads = t.floats(counts), even = t.floats(std::vector<float>(rows, 5)), bias = t.floats(t.random(rows));
    const auto number = static_cast<int64_t>(rows);
    t.run(54, [&](int) { return Words().i(number, 1, 0).v(loads).v(bias).f(1e-3); }, 0);
    t.run(54, [&](int) { return Words().i(number, 1, 0).v(even).v(bias).f(1e-3); }, 0);
    t.run(54, [&](int) { return Words().i(number, 4, 1).v(loads).v(bias).f(0.9); }, 1e-6);
    t.run(78, [&](int) { return Words().i(number, (number + 1) / 2).v(loads).v(bias).f(1e-3).f(0.6); }, 1e-6);
  }
}

}  // namespace

/// All parts, or those named.
int main(int count, char** names) {
  if (const auto skipped = without_gpu()) return *skipped;
  const std::pair<const char*, void (*)(Both&)> parts[] = {
      {"route", route},   {"route_grad", route_grad}, {"plain", plain},           {"places", places},   {"columns", columns},
      {"losses", losses}, {"noise", noise},           {"token_rows", token_rows}, {"cosines", cosines}, {"shifts", shifts}};
  for (const auto& [name, run] : parts) {
    const auto named = [&, of = std::string(name)](const char* other) { return of == other; };
    if (count > 1 && std::none_of(names + 1, names + count, named)) continue;
    Both t;
    run(t);
  }
  return check::result();
}
