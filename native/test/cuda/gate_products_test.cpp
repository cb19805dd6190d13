// Products of a gate of many experts in bfloat16 layers on CUDA against the CPU engine: logits, and the gradients of the
// tokens and of the weight, alone and after each other.
#include <cstdio>
#include <memory>

#include "both.h"

namespace {

struct Size {
  int64_t tokens, experts, columns;
};

const Size kSizes[] = {{1, 40, 256}, {200, 64, 328}, {333, 136, 264}, {1100, 40, 256}, {130, 264, 1000}, {70, 512, 264}};

/// The tokens, the weight and the gradients of the logits, with rows that begin apart.
struct Operands {
  Operands(Both& t, const Size& s) : s(s), ldx(s.columns + 8), ldw(s.columns + 4), ldl(s.experts + 8) {
    x = t.values(t.random(static_cast<size_t>(s.tokens * ldx), -1, 1));
    weight = t.floats(t.random(static_cast<size_t>(s.experts * ldw), -1, 1));
    logits = t.floats(t.random(static_cast<size_t>(s.tokens * ldl), -1, 1));
    dx = t.values(t.random(static_cast<size_t>(s.tokens * ldx), -1, 1));
    dw = t.floats(t.random(static_cast<size_t>(s.experts * ldw), -1, 1));
  }
  /// In float32 on the CPU.
  static Words types(int d, int factors, int c) {
    const bool cpu = d == SCHEMOE_F32;
    return Words().i(cpu ? 0 : factors, cpu ? 0 : c);
  }
  Words forward(int d, double beta) const {
    return types(d, 2, 0).i(0, 1, 1, s.tokens, s.experts, s.columns).m(x, ldx, 0).m(weight, ldw, 0).m(logits, ldl, 0)
        .f(0.5).f(beta).none().i(0, 0);
  }
  Words of_tokens(int d, double beta) const {
    return types(d, 0, 1).i(0, 0, 1, s.tokens, s.columns, s.experts).m(logits, ldl, 0).m(weight, ldw, 0).m(dx, ldx, 0)
        .f(0.5).f(beta).none().i(0, 0);
  }
  Words of_weight(int d, double beta) const {
    return types(d, 3, 0).i(1, 0, 1, s.experts, s.columns, s.tokens).m(logits, ldl, 0).m(x, ldx, 0).m(dw, ldw, 0)
        .f(0.5).f(beta).none().i(0, 0);
  }

  const Size s;
  const int64_t ldx, ldw, ldl;
  uint32_t x, weight, logits, dx, dw;
};

void products(Both& t, const Size& s) {
  const std::string sizes = std::to_string(s.tokens) + " tokens, " + std::to_string(s.experts) + " experts, " +
                            std::to_string(s.columns) + " columns";
  for (const double beta : {0.0, 1.0}) {
    t.begin("logits of " + sizes, SCHEMOE_BF16);
    const Operands forward(t, s);
    t.run(1, [&](int d) { return forward.forward(d, beta); }, 2e-6);

    t.begin("gradients of " + sizes, SCHEMOE_BF16);
    const Operands o(t, s);
    t.run(1, [&](int d) { return o.of_tokens(d, beta); }, 8e-3);
    const std::vector<uint8_t> of_tokens = t.on_gpu(o.dx);
    t.run(1, [&](int d) { return o.of_weight(d, beta); }, 2e-6);
    const std::vector<uint8_t> of_weight = t.on_gpu(o.dw);
    t.run({{1, [&](int d) { return o.of_tokens(d, beta); }}, {1, [&](int d) { return o.of_weight(d, beta); }}}, 8e-3);
    CHECK(t.on_gpu(o.dx) == of_tokens);
    CHECK(t.on_gpu(o.dw) == of_weight);
  }
}

}  // namespace

int main() {
  if (const auto end = without_gpu()) return *end;
  const auto t = std::make_unique<Both>();
  for (const Size& s : kSizes) products(*t, s);
  return check::result();
}
