// Every kernel of the table on small inputs, to be run with a NaN or an infinity in each of them: a table for
// the CPU engine alone (numbers_test.cpp) and for both (cuda/numbers_test.cpp).
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "codecs/table.h"
#include "packed.h"
#include "schemoe.h"

/// A buffer of a case; ids count from 0.
struct CaseBuffer {
  std::vector<float> floats;
  std::vector<int32_t> integers;
  /// Whether a NaN in it must show in what the kernel computes.
  bool shows = false;
  /// Where: an element that the kernel reads.
  size_t at = 0;
};

struct NumberCase {
  uint32_t code;
  std::string name;
  std::vector<CaseBuffer> buffers;
  Words words;
};

/// Kernels that compute no floating-point numbers, and why.
inline const std::vector<std::pair<uint32_t, const char*>> kWithoutNumbers{
    {9, "places are integers"},
    {11, "slots are integers"},
    {16, "coded bytes; values that a codec cannot represent are an error, see codecs_test"},
    {19, "loads are integers"},
    {21, "loads are integers"},
    {22, "what the host writes, it checks by kernel 29"},
    {23, "bytes of anything"},
    {26, "moves rows that others computed"},
    {27, "moves rows that others computed"},
    {30, "what code of somebody else writes, kernel 29 checks"},
    {32, "bytes of anything"},
    {33, "bytes of anything"},
    {34, "bytes of anything"},
    {42, "places are integers"},
    {43, "choices are integers"},
    {51, "choices are integers"},
    {74, "slots and places are integers"},
    {77, "choices are integers"},
    {79, "choices are integers"},
    {81, "loads are integers"},
};

class NumberCases {
 public:
  NumberCases() {
    products();
    elementwise();
    gates();
    rows();
    routing();
    losses();
    updates();
    training();
  }
  std::vector<NumberCase> list;

 private:
  static constexpr int64_t kRows = 6, kColumns = 8, kK = 2;
  static constexpr size_t kCount = kRows * kColumns;

  void begin(uint32_t code, const std::string& name) { list.push_back({code, name, {}, {}}); }
  Words& words() { return list.back().words; }
  uint32_t add(CaseBuffer buffer) {
    list.back().buffers.push_back(std::move(buffer));
    return static_cast<uint32_t>(list.back().buffers.size() - 1);
  }
  std::vector<float> random(size_t count) {
    std::uniform_real_distribution<float> value(0.1f, 0.9f);
    std::vector<float> values(count);
    for (float& x : values) x = value(generator_);
    return values;
  }
  /// An input in which a NaN must show.
  uint32_t in(size_t count) { return add({random(count), {}, true, count / 2}); }
  /// One in which it need not: where it decides and is not computed with. And results.
  uint32_t other(size_t count) { return add({random(count), {}}); }
  uint32_t integers(std::vector<int32_t> values) { return add({{}, std::move(values)}); }
  /// Different experts of each token.
  uint32_t choices() {
    std::vector<int32_t> values;
    for (int32_t t = 0; t < kRows; ++t) values.insert(values.end(), {t % 8, (t + 3) % 8});
    return integers(values);
  }

  void products() {
    for (int64_t relu : {0, 1}) {
      begin(1, "gemm");
      const auto a = in(kRows * 5), b = in(5 * kColumns), c = in(kCount), bias = in(kColumns);
      words().i(0, 0, 0, 0, 1, kRows, kColumns, 5).m(a, 5, 0).m(b, kColumns, 0).m(c, kColumns, 0).f(1).f(0.5).v(bias).i(0, relu);
      begin(24, "gemm_groups");
      const auto ga = in(kRows * 5), gb = in(2 * 5 * kColumns), gc = in(kCount), gbias = in(2 * kColumns);
      words().i(0, 0, 0, 0, 2, kRows, kColumns, 5).m(ga, 5, 0).m(gb, kColumns, 5 * kColumns).m(gc, kColumns, 0).f(1).f(0.5);
      words().v(gbias).i(kColumns, relu).i(0, 4, 4, 2);
    }
  }

  void elementwise() {
    const auto head = [&] { words().i(0, 1, kRows, kColumns); };
    for (int activation = SCHEMOE_IDENTITY; activation <= SCHEMOE_RELU_SQUARED; ++activation) {
      begin(2, "bias_act"), head();
      const auto x = in(kCount), bias = in(kColumns), y = other(kCount);
      words().m(x, kColumns, 0).v(bias).i(0).m(y, kColumns, 0).i(activation);
      begin(2, "bias_act without a bias"), head();
      const auto bare = in(kCount), result = other(kCount);
      words().m(bare, kColumns, 0).none().i(0).m(result, kColumns, 0).i(activation);
      begin(3, "act_grad"), head();
      // the slope of the identity is 1 everywhere
      const auto dy = in(kCount), of = activation == SCHEMOE_IDENTITY ? other(kCount) : in(kCount), dx = other(kCount);
      words().m(dy, kColumns, 0).m(of, kColumns, 0).m(dx, kColumns, 0).i(activation);
    }
    for (int activation = SCHEMOE_IDENTITY; activation <= SCHEMOE_LIMITED_SWIGLU; ++activation) {
      begin(4, "glu"), head();
      const auto a = in(kCount), b = in(kCount), y = other(kCount);
      words().m(a, kColumns, 0).m(b, kColumns, 0).m(y, kColumns, 0).i(activation);
      begin(5, "glu_grad"), head();
      const auto dy = in(kCount), ga = in(kCount), gb = in(kCount), da = other(kCount), db = other(kCount);
      for (uint32_t m : {dy, ga, gb, da, db}) words().m(m, kColumns, 0);
      words().i(activation);
    }
    begin(6, "column_sum"), head();
    const auto x = in(kCount), sums = in(kColumns);
    words().m(x, kColumns, 0).v(sums).i(0, 1);
    begin(82, "weigh_rows"), head();
    const auto d = in(kCount), factor = in(kCount), weights = in(kRows), dots = in(kRows);
    words().m(d, kColumns, 0).m(factor, kColumns, 0).none().i(0).v(weights).v(dots).i(0, 1);
    begin(82, "weigh_rows by a vector"), head();
    const auto dv = in(kCount), vector = in(kColumns), by = in(kRows), products = other(kRows);
    words().m(dv, kColumns, 0).none().i(0, 0).v(vector).i(0).v(by).v(products).i(0, 0);
    begin(29, "check_numbers"), head();
    words().m(in(kCount), kColumns, 0);
    begin(20, "fill");
    words().i(4).v(other(4)).f(1);
    begin(28, "random_normal");
    words().i(0, 16, 3, 5, 7).v(other(16)).f(1);
  }

  void gates() {
    begin(7, "softmax");
    const auto x = in(kCount), y = other(kCount);
    words().i(kRows, kColumns).v(x).v(y);
    for (int64_t normalize : {0, 1}) {
      begin(8, "top_k");
      const auto logits = other(kCount), scores = in(kCount), chosen = choices(), weights = other(kRows * kK);
      words().i(kRows, kColumns, kK, normalize).v(logits).v(scores).v(chosen).v(weights);
      begin(15, "gate_grad");
      const auto s = in(kCount), c = choices(), w = other(kRows * kK), d = in(kRows * kK), out = other(kCount);
      words().i(kRows, kColumns, kK, normalize).v(s).v(c).v(w).v(d).v(out).f(0.1);
    }
    begin(10, "aux_loss");
    const auto s = in(kCount), c = choices(), loss = other(1);
    words().i(kRows, kColumns, kK).v(s).v(c).v(loss);
  }

  /// Rows of tokens and of experts: 4 experts of 3 places, each choice in one of them.
  void rows() {
    constexpr int64_t kExperts = 4, kPlaces = 3;
    const std::vector<int32_t> experts{0, 1, 1, 2, 2, 3, 3, 0, 0, 1, 2, 3}, places{0, 0, 1, 0, 1, 0, 1, 1, 2, 2, 2, 2};
    const auto sizes = [&](bool typed) { (typed ? words().i(0) : words()).i(kRows, kColumns, kK, kExperts); };
    begin(12, "dispatch"), sizes(true);
    auto x = in(kCount);
    auto slots = integers({0, 7, 8, 1, 2, 9, 3, 4, 10, 5, 6, 11}), weights = in(kRows * kK), out = other(2 * kCount);
    words().v(x).v(slots).v(weights).v(out).i(1, 0, kPlaces);
    begin(13, "combine"), sizes(true);
    auto in_rows = in(2 * kCount), c = integers(experts), p = integers(places);
    weights = in(kRows * kK);
    auto y = in(kCount);
    words().v(in_rows).v(c).v(p).v(weights).v(y).i(1, 1, 0, kPlaces);
    begin(14, "row_dot"), sizes(true);
    const auto a = in(kCount), b = in(2 * kCount);
    c = integers(experts), p = integers(places);
    words().v(a).v(b).v(c).v(p).v(other(kRows * kK)).i(1, 0, kPlaces);
    begin(25, "place_tokens"), sizes(true);
    x = in(kCount), c = integers(experts), p = integers(places), weights = in(kRows * kK), out = other(2 * kCount);
    words().v(x).v(c).v(p).v(weights).v(out).i(1, 0, kPlaces).i(0, 3, 6, 9, 12);
    begin(17, "decode");
    const auto decoded = other(kCount), wire = in(kCount);
    words().i(0, schemoe::codec_number("none"), 0, 0, 2, 1, 3, kColumns).v(decoded).i(3 * kColumns, 0, kColumns).v(wire).i(3 * kColumns * 4, 0, 0, 0);
    begin(18, "sum_ranks");
    const auto parts = in(3 * kColumns), sum = other(kColumns);
    words().i(3, kColumns, kColumns).v(parts).v(sum);
    begin(52, "add_identity");
    const auto from = in(kCount), all = choices(), w = in(kRows * kK), to = in(kCount);
    words().i(0, kRows, kColumns, 0, kK).v(from).v(all).v(w).v(to);
    begin(53, "identity_dots");
    const auto da = in(kCount), db = in(kCount), of = choices(), dots = other(kRows * kK);
    words().i(0, kRows, kColumns, 0, kK).v(da).v(db).v(of).v(dots);
    begin(59, "gated_rows");
    auto logits = in(kRows), gated = in(kCount);
    y = in(kCount);
    words().i(0, kRows, kColumns).v(logits).v(gated).v(y).none().none();
    begin(59, "gated_rows backward");
    logits = in(kRows), gated = in(kCount), y = in(kCount);
    const auto d_rows = other(kCount), d_logits = other(kRows);
    words().i(0, kRows, kColumns).v(logits).v(gated).v(y).v(d_rows).v(d_logits);
  }

  void routing() {
    for (int64_t kind = 0; kind <= 4; ++kind) {
      begin(40, "route by " + std::to_string(kind));
      // a bias decides and is in no score
      const auto logits = in(kCount), bias = other(kColumns), scores = other(kCount), c = choices(), w = other(kRows * kK);
      words().i(kRows, kColumns, kK, kind, 0, 1, 1, 1).v(logits).v(bias).v(scores).v(c).v(w).f(2);
      begin(41, "route_grad by " + std::to_string(kind));
      // the loss on logits reads all of them, and probabilities all scores (but for kind 3, whose they are)
      const auto z = in(kCount), s = kind == 3 ? other(kCount) : in(kCount), of = choices(), d = in(kRows * kK);
      const auto importance = in(kColumns), balance = in(kColumns), out = other(kCount);
      words().i(kRows, kColumns, kK, kind, 1).v(z).v(s).v(of).v(d).v(importance).v(balance).v(out).f(2).f(0.1).none();
    }
    begin(44, "count_choices");
    const auto c = choices(), counts = other(kColumns);
    words().i(kRows, kColumns, kK, kK).v(c).v(counts);
    begin(49, "add_noise");
    const auto clean = in(kCount), spread = in(kCount), noise = in(kCount), logits = other(kCount);
    words().i(static_cast<int64_t>(kCount)).v(clean).v(spread).v(noise).v(logits);
    begin(50, "noise_grad");
    // noisy logits decide which one a clean one is compared with
    const auto nc = in(kCount), ns = in(kCount), nn = in(kCount), nl = other(kCount), slopes = in(kColumns), d = in(kCount);
    words().i(kRows, kColumns, kK).v(nc).v(ns).v(nn).v(nl).v(slopes).v(d).v(other(kCount)).none();
    begin(56, "unit_rows");
    const auto x = in(kCount), y = other(kCount), norms = other(kRows);
    words().i(kRows, kColumns).v(x).v(y).v(norms);
    begin(57, "unit_rows_grad");
    const auto uy = in(kCount), un = in(kRows), ud = in(kCount), dx = other(kCount);
    words().i(kRows, kColumns).v(uy).v(un).v(ud).v(dx);
    begin(58, "temper");
    const auto t = in(kCount), temperature = in(1);
    words().i(static_cast<int64_t>(kCount)).v(t).v(temperature).none().none();
    begin(58, "temper backward");
    const auto tz = in(kCount), of = in(1), dz = in(kCount), dt = other(1);
    words().i(static_cast<int64_t>(kCount)).v(tz).v(of).v(dz).v(dt);
  }

  void losses() {
    for (int64_t kind = 0; kind <= 3; ++kind) {
      begin(45, "balance_loss by " + std::to_string(kind));
      const auto scores = in(kCount), counts = in(kColumns), balance = in(kColumns), loss = other(1), total = in(1);
      words().i(kRows, kColumns, kind).v(scores).v(counts).v(balance).v(loss).v(total).f(2).f(0.1).none();
    }
    begin(46, "z_loss");
    const auto logits = in(kCount), loss = other(1), total = in(1);
    words().i(kRows, kColumns).v(logits).v(loss).v(total).f(0.1).none();
    begin(47, "importance_loss");
    const auto c = choices(), w = in(kRows * kK), importance = in(kColumns), iloss = other(1), itotal = in(1);
    words().i(kRows, kColumns, kK).v(c).v(w).v(importance).v(iloss).v(itotal).f(0.1);
    begin(48, "load_loss");
    const auto clean = in(kCount), spread = in(kCount), noisy = other(kCount), slopes = other(kColumns), lloss = other(1), ltotal = in(1);
    words().i(kRows, kColumns, kK).v(clean).v(spread).v(noisy).v(slopes).v(lloss).v(ltotal).f(0.1).none();
  }

  void updates() {
    for (int64_t quantile : {0, 1}) {
      begin(54, quantile ? "shift_bias by quantiles" : "shift_bias by signs");
      // counts of tokens, of which the mean is passed
      const auto loads = quantile ? in(kColumns) : other(kColumns), bias = in(kColumns);
      words().i(kColumns, 2, quantile).v(loads).v(bias).f(0.1);
    }
    begin(78, "budget_bias");
    // counts of choices, which all are divided by
    const auto budget = other(kColumns), moved = in(kColumns);
    words().i(kColumns, kColumns - 2).v(budget).v(moved).f(0.1).f(0.5);
    begin(55, "quantile_bias");
    // only their order decides which of them is the result
    const auto logits = other(kCount), bias = other(kColumns), out = other(kColumns);
    words().i(kRows, kColumns, kK).v(logits).v(bias).v(out);
  }

  void training() {
    constexpr int64_t kLength = 3, kVocabulary = 5, kTokens = 6;
    const std::vector<int32_t> ids{2, 0, 4, 1, 3, 2};
    constexpr size_t kTable = kVocabulary * kColumns;
    begin(60, "embedding");
    auto i = integers(ids), table = in(kTable), places = in(kLength * kColumns), out = other(kCount);
    words().i(kTokens, kColumns, kVocabulary, kLength).v(i).v(table).v(places).v(out);
    begin(61, "embedding_grad");
    i = integers(ids);
    auto dy = in(kCount);
    table = other(kTable), places = other(kLength * kColumns);
    words().i(kTokens, kColumns, kVocabulary, kLength).v(i).v(dy).v(table).v(places);
    begin(62, "rotary");
    words().i(kTokens, kLength, 2, 4).v(in(kCount)).f(10000).i(0);
    for (int64_t centered : {0, 1}) {
      begin(63, "norm");
      auto x = in(kCount), w = in(kColumns), b = in(kColumns), y = other(kCount), s = other(2 * kRows);
      words().i(centered, kRows, kColumns).v(x).v(w).v(b).v(y).v(s).f(1e-5);
      begin(64, "norm_grad");
      dy = in(kCount), x = in(kCount), w = in(kColumns), s = in(2 * kRows);
      list.back().buffers[s].at = 1;  // 1 / deviation; the mean of the others is not read
      words().i(centered, kRows, kColumns).v(dy).v(x).v(w).v(s).v(in(kCount)).i(1);
      begin(65, "norm_weight_grad");
      dy = in(kCount), x = in(kCount), s = in(2 * kRows), w = other(kColumns), b = other(kColumns);
      list.back().buffers[s].at = 1;
      words().i(centered, kRows, kColumns).v(dy).v(x).v(s).v(w).v(b);
    }
    // 2 sequences of 3, 2 heads that share one of keys and values
    constexpr size_t kQueries = 6 * 8, kKeys = 6 * 4, kSums = 6 * 2;
    begin(66, "attention");
    auto q = in(kQueries), k = in(kKeys), v = in(kKeys), o = other(kQueries), sums = other(kSums);
    words().i(2, kLength, 2, 1, 4).v(q).v(k).v(v).v(o).v(sums).f(0.5);
    begin(67, "attention_grad");
    q = in(kQueries), k = in(kKeys), v = in(kKeys), o = in(kQueries), sums = in(kSums);
    list.back().buffers[o].at = kQueries - 1;  // a query of several keys: of a single one the score has no gradient
    const auto d_out = in(kQueries), dq = other(kQueries), dk = other(kKeys), dv = other(kKeys);
    words().i(2, kLength, 2, 1, 4).v(q).v(k).v(v).v(o).v(sums).v(d_out).v(dq).v(dk).v(dv).f(0.5);
    begin(80, "add_slices");
    const auto one = in(2 * kColumns), two = in(kColumns), added = other(2 * kColumns);
    words().i(0, kColumns, 2).v(one).v(two).v(two).v(added).i(1, 0, 2, 0, 1).i(1, 1, 3, 4, 1, 0);
    begin(68, "add");
    const auto a = in(kCount), b = in(kCount), sum = other(kCount);
    words().i(static_cast<int64_t>(kCount)).v(a).v(b).v(sum);
    begin(69, "cross_entropy");
    const auto logits = in(kCount), targets = integers({1, 7, 0, 3, 2, 5}), loss = other(kRows);
    words().i(kRows, kColumns).v(logits).v(targets).v(loss).f(0.1);
    for (int64_t squares : {0, 1}) {
      begin(70, "sum_values");
      const auto x = in(kCount), total = other(1);
      words().i(squares, static_cast<int64_t>(kCount)).v(x).v(total);
    }
    begin(71, "clip_scale");
    const auto squares = in(4), scale = other(2);
    words().i(4).v(squares).v(scale).f(0.5);
    begin(72, "adamw");
    auto p = in(kColumns), g = in(kColumns), first = in(kColumns), second = in(kColumns), clip = in(2), rates = in(3);
    words().i(kColumns);
    for (uint32_t view : {p, g, first, second, clip, rates}) words().v(view);
    words().f(0.9).f(0.99).f(1e-8).f(0.01);
    begin(73, "sgd");
    p = in(kColumns), g = in(kColumns), first = in(kColumns), clip = in(2), rates = in(3);
    list.back().buffers[rates].at = 0;  // of momentum there is no other
    words().i(kColumns);
    for (uint32_t view : {p, g, first, clip, rates}) words().v(view);
    words().f(0.9);
    begin(75, "round");
    const auto x = in(kColumns), rounded = other((kColumns + 1) / 2);
    words().i(kColumns).v(x).v(rounded);
  }

  std::mt19937 generator_{17};
};
