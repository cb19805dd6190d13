// Elementwise functions of an expert and their derivatives.
#include "cuda/kernels/block_rows.cuh"
#include "cuda/kernels/gated.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;
constexpr float kSqrtHalf = 0.70710678118654752f;
constexpr float kInverseSqrtTwoPi = 0.39894228040143268f;
constexpr float kTanhScale = 0.79788456080286536f;  // sqrt(2 / pi)
constexpr float kTanhCubic = 0.044715f;

/// Functions as types, so that a kernel knows its own.
struct Identity {
  static __device__ float value(float x) { return x; }
  static __device__ float slope(float) { return 1.0f; }
};

/// Of NaN both are NaN, here and of its square.
struct Relu {
  static __device__ float value(float x) { return x <= 0 ? 0.0f : x; }
  static __device__ float slope(float x) { return x > 0 ? 1.0f : x <= 0 ? 0.0f : x; }
};

struct Gelu {
  static __device__ float value(float x) { return 0.5f * x * (1.0f + erff(x * kSqrtHalf)); }
  static __device__ float slope(float x) {
    return 0.5f * (1.0f + erff(x * kSqrtHalf)) + x * kInverseSqrtTwoPi * expf(-0.5f * x * x);
  }
};

struct GeluTanh {
  static __device__ float inner(float x) { return tanhf(kTanhScale * (x + kTanhCubic * x * x * x)); }
  static __device__ float value(float x) { return 0.5f * x * (1.0f + inner(x)); }
  static __device__ float slope(float x) {
    const float t = inner(x);
    return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * kTanhScale * (1.0f + 3.0f * kTanhCubic * x * x);
  }
};

struct ReluSquared {
  static __device__ float value(float x) { return x <= 0 ? 0.0f : x * x; }
  static __device__ float slope(float x) { return x <= 0 ? 0.0f : 2 * x; }
};

/// gpt-oss's: a clamped argument passes no gradient.
template <bool kQuick>
struct ClampedSwiglu {
  static constexpr float kLimit = 7.0f, kSteep = 1.702f;
  static __device__ float clamped(float b) { return b > kLimit ? kLimit : b < -kLimit ? -kLimit : b; }
  static __device__ float gated(float a) {
    const float g = a > kLimit ? kLimit : a;
    return g * Silu<kQuick>::sigmoid(kSteep * g);
  }
  static __device__ float value(float a, float b) { return gated(a) * (clamped(b) + 1); }
  static __device__ float grad_a(float from, float a, float b) {
    if (a > kLimit) return 0.0f;
    const float s = Silu<kQuick>::sigmoid(kSteep * a);
    return from * s * (1.0f + kSteep * a * (1.0f - s)) * (clamped(b) + 1);
  }
  static __device__ float grad_b(float from, float a, float b) {
    return fabsf(b) > kLimit ? 0.0f : from * gated(a);
  }
};

/// DeepSeek-V4's: a clamped argument passes no gradient.
template <bool kQuick>
struct LimitedSwiglu {
  static constexpr float kLimit = 10.0f;
  static __device__ float clamped(float b) { return b > kLimit ? kLimit : b < -kLimit ? -kLimit : b; }
  static __device__ float gated(float a) { return Silu<kQuick>::value(a > kLimit ? kLimit : a); }
  static __device__ float value(float a, float b) { return gated(a) * clamped(b); }
  static __device__ float grad_a(float from, float a, float b) {
    return a > kLimit ? 0.0f : from * clamped(b) * Silu<kQuick>::slope(a);
  }
  static __device__ float grad_b(float from, float a, float b) {
    return fabsf(b) > kLimit ? 0.0f : from * gated(a);
  }
};

template <class T, class Body>
void with_function(schemoe_activation activation, Body&& body) {
  switch (activation) {
    case SCHEMOE_IDENTITY: return body(Identity{});
    case SCHEMOE_RELU: return body(Relu{});
    case SCHEMOE_GELU: return body(Gelu{});
    case SCHEMOE_GELU_TANH: return body(GeluTanh{});
    case SCHEMOE_SILU: return body(Silu<std::is_same_v<T, bf16>>{});
    case SCHEMOE_RELU_SQUARED: return body(ReluSquared{});
    case SCHEMOE_CLAMPED_SWIGLU:
    case SCHEMOE_LIMITED_SWIGLU: return;  // refused when the Program was read
  }
}

/// The same for functions of two.
template <class T, class Body>
void with_two(schemoe_activation activation, Body&& body) {
  if (activation == SCHEMOE_CLAMPED_SWIGLU) return body(ClampedSwiglu<std::is_same_v<T, bf16>>{});
  if (activation == SCHEMOE_LIMITED_SWIGLU) return body(LimitedSwiglu<std::is_same_v<T, bf16>>{});
  with_function<T>(activation, [&](auto f) { body(Product<decltype(f)>{}); });
}

/// Calls `body(group, row, column)` for every V columns; one block per piece of a row.
template <int V, class Body>
__global__ void __launch_bounds__(kThreads) each_kernel(Lines lines, int64_t columns, int64_t pieces, Body body) {
  for (int64_t block = blockIdx.x; block < lines.count * pieces; block += gridDim.x) {
    const int64_t line = block / pieces;
    const int64_t column = ((block - line * pieces) * blockDim.x + threadIdx.x) * V;
    int64_t group, row;
    lines.find(line, group, row);
    if (column < columns) body(group, row, column);
  }
}

template <int V, class Body>
void each(const Lines& lines, int64_t columns, cudaStream_t stream, Body body) {
  if (lines.count == 0 || columns == 0) return;
  const int64_t vectors = ceil_div(columns, V);
  const auto threads = static_cast<unsigned>(std::min<int64_t>(kThreads, ceil_div(vectors, 32) * 32));
  const int64_t pieces = ceil_div(vectors, threads);
  LAUNCH(stream, grid_of(lines.count * pieces), threads, 0, each_kernel<V>, lines, columns, pieces, body);
}

template <int V, class Body>
void each(const Block& block, const Context& context, Body body) {
  each<V>(lines_of(block, context), block.columns, context.stream, body);
}

/// Calls `body` with the element type, the function, and as many columns at a time as all grids allow.
template <bool kTwo = false, class Body, class... Views>
void choose(const Block& block, schemoe_activation activation, const Context& context, Body&& body,
            const Views&... matrices) {
  with_type(block.dtype, [&](auto element) {
    using T = decltype(element);
    const bool wide = block.columns % kVector<T> == 0 && (fits(grid<T>(context, matrices)) && ...);
    const auto chosen = [&](auto f) {
      if (wide) body(element, f, std::integral_constant<int, kVector<T>>{});
      else body(element, f, std::integral_constant<int, 1>{});
    };
    if constexpr (kTwo) with_two<T>(activation, chosen);
    else with_function<T>(activation, chosen);
  });
}

template <class F, class T, int V>
struct BiasActBody {
  Grid<T> x, bias, y;
  __device__ void operator()(int64_t group, int64_t row, int64_t column) const {
    float v[V], b[V];
    load(v, x.at(group, row, column));
    if (bias.data) {
      load(b, bias.at(group, 0, column));
#pragma unroll
      for (int i = 0; i < V; ++i) v[i] += b[i];
      store(x.at(group, row, column), v);
    }
    if (!y.data) return;
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] = F::value(v[i]);
    store(y.at(group, row, column), v);
  }
};

template <class T, int V>
struct RectifyBody {
  Grid<T> c;
  __device__ void operator()(int64_t group, int64_t row, int64_t column) const {
    float v[V];
    load(v, c.at(group, row, column));
#pragma unroll
    for (int i = 0; i < V; ++i) v[i] = Relu::value(v[i]);
    store(c.at(group, row, column), v);
  }
};

template <class F, class T, int V>
struct ActGradBody {
  Grid<T> dy, x, dx;
  __device__ void operator()(int64_t group, int64_t row, int64_t column) const {
    float d[V], v[V];
    load(d, dy.at(group, row, column));
    load(v, x.at(group, row, column));
#pragma unroll
    for (int i = 0; i < V; ++i) d[i] *= F::slope(v[i]);
    store(dx.at(group, row, column), d);
  }
};

template <class F, class T, int V>
struct GluBody {
  Grid<T> a, b, y;
  __device__ void operator()(int64_t group, int64_t row, int64_t column) const {
    float left[V], right[V];
    load(left, a.at(group, row, column));
    load(right, b.at(group, row, column));
#pragma unroll
    for (int i = 0; i < V; ++i) left[i] = F::value(left[i], right[i]);
    store(y.at(group, row, column), left);
  }
};

template <class F, class T, int V>
struct GluGradBody {
  Grid<T> dy, a, b, da, db;
  __device__ void operator()(int64_t group, int64_t row, int64_t column) const {
    // Everything is read before anything is written: outputs may be inputs.
    float from[V], left[V], right[V];
    load(from, dy.at(group, row, column));
    load(left, a.at(group, row, column));
    load(right, b.at(group, row, column));
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const float a = F::grad_a(from[i], left[i], right[i]);
      left[i] = F::grad_b(from[i], left[i], right[i]);
      right[i] = a;
    }
    store(da.at(group, row, column), right);
    store(db.at(group, row, column), left);
  }
};

}  // namespace

void run(const BiasAct& a, const Context& context) {
  const Matrix bias{a.bias, 0, a.bias_stride};
  if (a.bias.null() && a.y.view.null()) return;
  choose(a.block, a.activation, context, [&](auto element, auto f, auto v) {
    using T = decltype(element);
    each<v()>(a.block, context, BiasActBody<decltype(f), T, v()>{
        grid<T>(context, a.x), grid<T>(context, bias), grid<T>(context, a.y)});
  }, a.x, bias, a.y);
}

void rectify(const Gemm& g, void* data, cudaStream_t stream) {
  with_type(g.dtype_c, [&](auto element) {
    using T = decltype(element);
    const Grid<T> c{static_cast<T*>(data), g.c.ld, g.c.stride};
    const Lines lines{g.groups * g.m, g.m, g.groups, nullptr};
    constexpr int V = kVector<T>;
    if (g.n % V == 0 && fits(c)) each<V>(lines, g.n, stream, RectifyBody<T, V>{c});
    else each<1>(lines, g.n, stream, RectifyBody<T, 1>{c});
  });
}

void run(const ActGrad& a, const Context& context) {
  choose(a.block, a.activation, context, [&](auto element, auto f, auto v) {
    using T = decltype(element);
    each<v()>(a.block, context, ActGradBody<decltype(f), T, v()>{
        grid<T>(context, a.dy), grid<T>(context, a.x), grid<T>(context, a.dx)});
  }, a.dy, a.x, a.dx);
}

void run(const Glu& g, const Context& context) {
  choose<true>(g.block, g.activation, context, [&](auto element, auto f, auto v) {
    using T = decltype(element);
    each<v()>(g.block, context, GluBody<decltype(f), T, v()>{
        grid<T>(context, g.a), grid<T>(context, g.b), grid<T>(context, g.y)});
  }, g.a, g.b, g.y);
}

void run(const GluGrad& g, const Context& context) {
  choose<true>(g.block, g.activation, context, [&](auto element, auto f, auto v) {
    using T = decltype(element);
    each<v()>(g.block, context, GluGradBody<decltype(f), T, v()>{
        grid<T>(context, g.dy), grid<T>(context, g.a), grid<T>(context, g.b), grid<T>(context, g.da),
        grid<T>(context, g.db)});
  }, g.dy, g.a, g.b, g.da, g.db);
}

}  // namespace schemoe::cuda
