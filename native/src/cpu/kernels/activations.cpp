// Elementwise functions of an expert and their derivatives.
#include <algorithm>
#include <cmath>

#include "cpu/kernels/error_function.h"
#include "cpu/kernels/kernels.h"
#include "cpu/kernels/vector.h"

namespace schemoe {

namespace {

constexpr float kSqrtHalf = 0.70710678118654752f;
constexpr float kInverseSqrtTwoPi = 0.39894228040143268f;
constexpr float kTanhScale = 0.79788456080286536f;  // sqrt(2 / pi)
constexpr float kTanhCubic = 0.044715f;

struct Identity {
  static float value(float x) { return x; }
  static float slope(float) { return 1.0f; }
};

// Of NaN both are NaN: a network that has gone wrong must show it. Infinities are those of PyTorch's formulas: GELU
// and SiLU of -inf are NaN (-inf times 0), and so are their slopes at both infinities, though the limits exist.
struct Relu {
  static float value(float x) { return x <= 0 ? 0.0f : x; }
  static float slope(float x) { return x > 0 ? 1.0f : x <= 0 ? 0.0f : x; }
};

struct Gelu {
  static float value(float x) { return 0.5f * x * (1.0f + error_function(x * kSqrtHalf)); }
  static float slope(float x) {
    const float bell = exponential_or_limit(-0.5f * x * x);
    return 0.5f * (1.0f + error_function(x * kSqrtHalf)) + x * kInverseSqrtTwoPi * bell;
  }
};

struct GeluTanh {
  static float inner(float x) { return std::tanh(kTanhScale * (x + kTanhCubic * x * x * x)); }
  static float value(float x) { return 0.5f * x * (1.0f + inner(x)); }
  static float slope(float x) {
    const float t = inner(x);
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * kTanhScale * (1.0f + 3.0f * kTanhCubic * x * x);
  }
};

struct Silu {
  static float sigmoid(float x) { return 1.0f / (1.0f + exponential_or_limit(-x)); }
  static float value(float x) { return x * sigmoid(x); }
  static float slope(float x) {
    const float s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
  }
};

struct ReluSquared {
  static float value(float x) { return x <= 0 ? 0.0f : x * x; }
  static float slope(float x) { return x <= 0 ? 0.0f : 2 * x; }
};

/// Functions of a and b: the product of an activation and b, but for one.
template <class F>
struct Product {
  static float value(float a, float b) { return F::value(a) * b; }
  static float grad_a(float from, float a, float b) { return from * b * F::slope(a); }
  static float grad_b(float from, float a, float) { return from * F::value(a); }
};

/// gpt-oss's: a clamped argument passes no gradient.
struct ClampedSwiglu {
  static constexpr float kLimit = 7.0f, kSteep = 1.702f;
  static float gated(float g) { return g * Silu::sigmoid(kSteep * g); }
  static float value(float a, float b) {
    return gated(std::min(a, kLimit)) * (std::clamp(b, -kLimit, kLimit) + 1);
  }
  static float grad_a(float from, float a, float b) {
    if (a > kLimit) return 0.0f;
    const float s = Silu::sigmoid(kSteep * a);
    return from * s * (1.0f + kSteep * a * (1.0f - s)) * (std::clamp(b, -kLimit, kLimit) + 1);
  }
  static float grad_b(float from, float a, float b) {
    return std::fabs(b) > kLimit ? 0.0f : from * gated(std::min(a, kLimit));
  }
};

/// DeepSeek-V4's: a clamped argument passes no gradient.
struct LimitedSwiglu {
  static constexpr float kLimit = 10.0f;
  static float value(float a, float b) { return Silu::value(std::min(a, kLimit)) * std::clamp(b, -kLimit, kLimit); }
  static float grad_a(float from, float a, float b) {
    return a > kLimit ? 0.0f : from * std::clamp(b, -kLimit, kLimit) * Silu::slope(a);
  }
  static float grad_b(float from, float a, float b) {
    return std::fabs(b) > kLimit ? 0.0f : from * Silu::value(std::min(a, kLimit));
  }
};

/// Calls `body` with the function as a type, so that the loop inside knows it.
template <class Body>
void with(schemoe_activation activation, Body&& body) {
  switch (activation) {
    case SCHEMOE_IDENTITY: return body(Identity{});
    case SCHEMOE_RELU: return body(Relu{});
    case SCHEMOE_GELU: return body(Gelu{});
    case SCHEMOE_GELU_TANH: return body(GeluTanh{});
    case SCHEMOE_SILU: return body(Silu{});
    case SCHEMOE_RELU_SQUARED: return body(ReluSquared{});
    case SCHEMOE_CLAMPED_SWIGLU:
    case SCHEMOE_LIMITED_SWIGLU: return;  // refused when the Program was read
  }
}

/// The same for functions of two.
template <class Body>
void with_two(schemoe_activation activation, Body&& body) {
  if (activation == SCHEMOE_CLAMPED_SWIGLU) return body(ClampedSwiglu{});
  if (activation == SCHEMOE_LIMITED_SWIGLU) return body(LimitedSwiglu{});
  with(activation, [&](auto f) { body(Product<decltype(f)>{}); });
}

// The pragma says that rows are the same or apart: without it those computed in place would not be vectors.

template <class F>
SCHEMOE_VECTOR void values(const float* x, float* y, int64_t count) {
#pragma GCC ivdep
  for (int64_t j = 0; j < count; ++j) y[j] = F::value(x[j]);
}

template <class F>
SCHEMOE_VECTOR void slopes(const float* dy, const float* x, float* dx, int64_t count) {
#pragma GCC ivdep
  for (int64_t j = 0; j < count; ++j) dx[j] = dy[j] * F::slope(x[j]);
}

template <class F>
SCHEMOE_VECTOR void values(const float* a, const float* b, float* y, int64_t count) {
#pragma GCC ivdep
  for (int64_t j = 0; j < count; ++j) y[j] = F::value(a[j], b[j]);
}

/// What the gradients of a product are made of.
struct Factors {
  const float *dy, *a, *b;
};

template <class F>
SCHEMOE_VECTOR void product_slopes(Factors x, float* da, float* db, int64_t count) {
#pragma GCC ivdep
  for (int64_t j = 0; j < count; ++j) {
    // Everything is read before anything is written: outputs may be inputs.
    const float from = x.dy[j], left = x.a[j], right = x.b[j];
    da[j] = F::grad_a(from, left, right);
    db[j] = F::grad_b(from, left, right);
  }
}

/// The first element of row (group, row), or nullptr for a null view.
float* row_of(const Context& context, const Matrix& matrix, int64_t group, int64_t row) {
  float* data = context.at<float>(matrix.view);
  return data ? data + group * matrix.stride + row * matrix.ld : nullptr;
}

template <class Body>
void each_row(const Block& block, const Context& context, Body&& body) {
  if (block.rows == 0 || block.columns == 0) return;
  for (int64_t group = 0; group < block.groups && !context.stop; ++group) {
    const int64_t first = block.first(group), end = first + block.rows_of(group);
    for (int64_t row = first; row < end && !context.stop; ++row) body(group, row);
  }
}

}  // namespace

void run(const BiasAct& a, const Context& context) {
  const float* biases = context.at<const float>(a.bias);
  with(a.activation, [&](auto f) {
    each_row(a.block, context, [&](int64_t group, int64_t row) {
      float* x = row_of(context, a.x, group, row);
      float* y = row_of(context, a.y, group, row);
      if (biases) {
        const float* bias = biases + group * a.bias_stride;
        for (int64_t j = 0; j < a.block.columns; ++j) x[j] += bias[j];
      }
      if (!y) return;
      values<decltype(f)>(x, y, a.block.columns);
    });
  });
}

void run(const ActGrad& a, const Context& context) {
  with(a.activation, [&](auto f) {
    each_row(a.block, context, [&](int64_t group, int64_t row) {
      const float* dy = row_of(context, a.dy, group, row);
      const float* x = row_of(context, a.x, group, row);
      float* dx = row_of(context, a.dx, group, row);
      slopes<decltype(f)>(dy, x, dx, a.block.columns);
    });
  });
}

void run(const Glu& g, const Context& context) {
  with_two(g.activation, [&](auto f) {
    each_row(g.block, context, [&](int64_t group, int64_t row) {
      const float* a = row_of(context, g.a, group, row);
      const float* b = row_of(context, g.b, group, row);
      float* y = row_of(context, g.y, group, row);
      values<decltype(f)>(a, b, y, g.block.columns);
    });
  });
}

void run(const GluGrad& g, const Context& context) {
  with_two(g.activation, [&](auto f) {
    each_row(g.block, context, [&](int64_t group, int64_t row) {
      const float* dy = row_of(context, g.dy, group, row);
      const float* a = row_of(context, g.a, group, row);
      const float* b = row_of(context, g.b, group, row);
      float* da = row_of(context, g.da, group, row);
      float* db = row_of(context, g.db, group, row);
      product_slopes<decltype(f)>({dy, a, b}, da, db, g.block.columns);
    });
  });
}

}  // namespace schemoe
