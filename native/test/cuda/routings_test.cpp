// A row's results have the same bits whatever other rows there are and wherever it lies: layers of gated experts in
// bfloat16, of random numbers of rows, with experts that have none, one row or all.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "both.h"

namespace {

#ifdef SCHEMOE_EMULATED
constexpr int kRoutings = 8;
#else
constexpr int kRoutings = 500;  // of each of two sizes
#endif
constexpr int64_t kExperts = 6, kTokens = 300;

/// Which token each row is, expert by expert.
using Routing = std::vector<std::vector<int64_t>>;

/// Experts of these sizes on the GPU, and what their layer leaves.
class Layer {
 public:
  Layer(int64_t model, int64_t hidden) : m_(model), h_(hidden) {
    x_ = values(kTokens * m_), dy_ = values(kTokens * m_);
    for (uint32_t* weights : {&w1_, &w3_, &w2_}) {
      const std::vector<uint8_t> content = values(kExperts * m_ * h_);
      *weights = engine_.allocate(content.size());
      engine_.write(*weights, 0, content);
    }
    for (uint32_t* rows : {&in_, &y_, &from_, &dx_}) *rows = engine_.allocate(of_rows(m_));
    for (uint32_t* rows : {&h1_, &h3_, &a_, &d1_, &d3_}) *rows = engine_.allocate(of_rows(h_));
    sums_ = engine_.allocate(of_weights());
  }

  struct Results {
    std::vector<uint8_t> y, dx, dw;
  };

  Results run(const Routing& routing) {
    std::vector<std::pair<int64_t, int64_t>> ranges;
    std::vector<uint8_t> x(of_rows(m_)), dy(of_rows(m_));
    int64_t row = 0;
    for (const auto& tokens : routing) {
      ranges.push_back({row, static_cast<int64_t>(tokens.size())});
      for (const int64_t token : tokens) {
        std::copy_n(x_.begin() + token * 2 * m_, 2 * m_, x.begin() + row * 2 * m_);
        std::copy_n(dy_.begin() + token * 2 * m_, 2 * m_, dy.begin() + row * 2 * m_);
        ++row;
      }
    }
    engine_.write(in_, 0, x);
    engine_.write(from_, 0, dy);
    const auto with = [&](Words words) {
      for (const auto& [first, rows] : ranges) words.i(first, rows);
      return words;
    };
    // rows x n from rows x k
    const auto product = [&](uint32_t a, uint32_t b, uint32_t c, int64_t n, int64_t k, bool trans_b, double beta) {
      return with(Words().i(1, 1, 0, trans_b, kExperts, row, n, k).m(a, k, 0).m(b, trans_b ? k : n, n * k).m(c, n, 0)
                      .f(1).f(beta).none().i(0, 0));
    };
    Packed packed(1);
    packed.operation(0, 0, 0, {});
    packed.kernel(24, product(in_, w1_, h1_, h_, m_, false, 0)).kernel(24, product(in_, w3_, h3_, h_, m_, false, 0));
    packed.kernel(4, with(Words().i(SCHEMOE_BF16, kExperts, row, h_).m(h1_, h_, 0).m(h3_, h_, 0).m(a_, h_, 0)
                              .i(SCHEMOE_SILU)));
    packed.kernel(24, product(a_, w2_, y_, m_, h_, false, 0));
    packed.kernel(24, product(from_, w2_, d1_, h_, m_, true, 0));
    packed.kernel(5, with(Words().i(SCHEMOE_BF16, kExperts, row, h_).m(d1_, h_, 0).m(h1_, h_, 0).m(h3_, h_, 0)
                              .m(d1_, h_, 0).m(d3_, h_, 0).i(SCHEMOE_SILU)));
    packed.kernel(24, product(d1_, w1_, dx_, m_, h_, true, 0)).kernel(24, product(d3_, w3_, dx_, m_, h_, true, 1));
    packed.kernel(24, with(Words().i(1, 1, 1, 0, kExperts, m_, h_, row).m(in_, m_, 0).m(d1_, h_, 0)
                               .m(sums_, h_, m_ * h_).f(1).f(0).none().i(0, 0)));
    CHECK_EQUAL(engine_.run(packed), "");
    return {engine_.read(y_, 0, of_rows(m_)), engine_.read(dx_, 0, of_rows(m_)), engine_.read(sums_, 0, of_weights())};
  }

  Routing random() {
    Routing routing(kExperts);
    const auto all = static_cast<int64_t>(1 + pick(kTokens));
    const uint64_t kind = pick(4), one = pick(kExperts);
    for (int64_t i = 0; i < all; ++i) {
      uint64_t expert = pick(kExperts);
      if (kind == 0) expert = one;                                 // all at one
      if (kind == 1) expert = std::min(expert, pick(kExperts));    // most at the first
      if (kind == 2 && expert == one) expert = (one + 1) % kExperts;  // none at one
      if (kind == 3 && !routing[expert].empty()) continue;         // single rows
      routing[expert].push_back(static_cast<int64_t>(pick(kTokens)));
    }
    return routing;
  }

  uint64_t pick(int64_t below) { return generator_() % static_cast<uint64_t>(below); }
  int64_t row_bytes() const { return 2 * m_; }
  int64_t expert_bytes() const { return 2 * m_ * h_; }

 private:
  static constexpr int64_t kRows = kTokens + 1;  // one that belongs to no expert
  size_t of_rows(int64_t columns) const { return static_cast<size_t>(2 * kRows * columns); }
  size_t of_weights() const { return static_cast<size_t>(kExperts * expert_bytes()); }

  std::vector<uint8_t> values(int64_t count) {
    std::uniform_real_distribution<float> value(-0.5f, 0.5f);
    std::vector<uint8_t> bytes;
    for (int64_t i = 0; i < count; ++i) {
      const uint32_t bits = std::bit_cast<uint32_t>(round_to_bf16(value(generator_))) >> 16;
      bytes.push_back(static_cast<uint8_t>(bits));
      bytes.push_back(static_cast<uint8_t>(bits >> 8));
    }
    return bytes;
  }

  const int64_t m_, h_;
  Engine engine_{SCHEMOE_CUDA, 1};
  std::mt19937 generator_{23};
  std::vector<uint8_t> x_, dy_;
  uint32_t w1_, w3_, w2_, in_, y_, from_, dx_, h1_, h3_, a_, d1_, d3_, sums_;
};

bool same(const std::vector<uint8_t>& a, int64_t at_a, const std::vector<uint8_t>& b, int64_t at_b, int64_t bytes) {
  return std::equal(a.begin() + at_a, a.begin() + at_a + bytes, b.begin() + at_b);
}

void check_rows(int64_t model, int64_t hidden, int routings) {
  Layer layer(model, hidden);
  const int64_t row_bytes = layer.row_bytes(), expert_bytes = layer.expert_bytes();
  // What each expert makes of each token, where it has all of them and no other expert any.
  std::vector<Layer::Results> alone;
  for (int64_t expert = 0; expert < kExperts; ++expert) {
    Routing routing(kExperts);
    for (int64_t token = 0; token < kTokens; ++token) routing[static_cast<size_t>(expert)].push_back(token);
    alone.push_back(layer.run(routing));
  }
  const auto zero = [](uint8_t byte) { return byte == 0; };
  CHECK(!std::all_of(alone[0].y.begin(), alone[0].y.end(), zero));
  CHECK(!std::equal(alone[0].dx.begin(), alone[0].dx.begin() + row_bytes, alone[1].dx.begin()));
  for (int i = 0; i < routings; ++i) {
    const Routing routing = layer.random();
    const Layer::Results got = layer.run(routing);
    int64_t row = 0;
    uint32_t y = 0, dx = 0;
    for (size_t expert = 0; expert < routing.size(); ++expert) {
      for (const int64_t token : routing[expert]) {
        y += !same(got.y, row * row_bytes, alone[expert].y, token * row_bytes, row_bytes);
        dx += !same(got.dx, row * row_bytes, alone[expert].dx, token * row_bytes, row_bytes);
        ++row;
      }
    }
    CHECK_EQUAL(y, 0u);
    CHECK_EQUAL(dx, 0u);
    // Gradients of weights: those of an expert's rows in their order, wherever they lie.
    const size_t expert = layer.pick(kExperts);
    Routing only(kExperts);
    only[expert] = routing[expert];
    const auto at = static_cast<int64_t>(expert) * expert_bytes;
    CHECK(same(got.dw, at, layer.run(only).dw, at, expert_bytes));
  }
}

}  // namespace

/// Given a number: only so many routings of each size, as under compute-sanitizer.
int main(int count, char** given) {
  if (const auto code = without_gpu()) return *code;
  const int routings = count > 1 ? std::atoi(given[1]) : kRoutings;
  CHECK(routings > 0);
  check_rows(72, 136, routings);
  check_rows(264, 40, routings);
  return check::result();
}
