// Products whose sums over k are made in parts by several blocks.
#pragma once

#include "cuda/kernels/split.cuh"

namespace schemoe::cuda::split {

template <class C>
static __global__ void __launch_bounds__(256)
    add_parts_kernel(Sizes s, int64_t parts, float alpha, float beta, const float* partial, C* c, int64_t ldc) {
  const int64_t count = s.m * s.n;
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < count; i += int64_t{gridDim.x} * 256) {
    float sum = 0;
#pragma unroll 4
    for (int64_t part = 0; part < parts; ++part) sum += partial[part * count + i];
    const int64_t row = i / s.n;
    C* to = c + row * ldc + (i - row * s.n);
    float value = alpha * sum;
    if (beta != 0) value += beta * to_float(*to);
    from_float(*to, value);
  }
}

/// Parts of k that give every multiprocessor several blocks; fixed for a shape.
inline int64_t part_of(int64_t k, int64_t blocks, int64_t stage) {
  constexpr int64_t kEnough = 640;
  const int64_t parts = std::clamp<int64_t>(kEnough / blocks, 1, std::max<int64_t>(k / (4 * stage), 1));
  return ceil_div(ceil_div(k, parts), stage) * stage;
}

template <class Launch>
void in_parts(const Gemm& g, Sizes s, const Context& context, int64_t blocks, int64_t stage, Launch&& launch) {
  s.each = part_of(s.k, blocks, stage);
  const int64_t parts = ceil_div(s.k, s.each);
  auto* partial = context.scratch.get<float>(static_cast<size_t>(parts * s.m * s.n), context.stream);
  launch(s, static_cast<unsigned>(parts), partial);
  with_type(g.dtype_c, [&](auto element) {
    using C = decltype(element);
    LAUNCH(context.stream, grid_of(std::min<int64_t>(ceil_div(s.m * s.n, 256), 4096)), 256, 0, add_parts_kernel<C>, s,
           parts, static_cast<float>(g.alpha), static_cast<float>(g.beta), partial, context.at<C>(g.c.view), g.c.ld);
  });
}

}  // namespace schemoe::cuda::split
