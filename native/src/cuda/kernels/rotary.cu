// Rotary positions, of queries and keys in one launch.
#include <cmath>

#include "cuda/kernels/alike.h"
#include "cuda/kernels/launch.cuh"

namespace schemoe::cuda {

namespace {

constexpr int kThreads = 256;

/// Cosine and sine of each position and pair; the angle is computed in double, as the CPU does.
__global__ void __launch_bounds__(kThreads) turns_kernel(int64_t count, int64_t half, double base, bool back, float2* turns) {
  const int64_t at = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at >= count) return;
  const auto position = static_cast<double>(at / half), i = static_cast<double>(at % half);
  const double angle = position * pow(base, -i / static_cast<double>(half));
  turns[at] = make_float2(static_cast<float>(cos(angle)), static_cast<float>(back ? -sin(angle) : sin(angle)));
}

struct Turned {
  void* x;
  int64_t items;  // of V pairs
  int64_t heads;
};
struct AllTurned {
  Turned list[kMostTurned];
};

/// A thread turns V pairs of the tensor of its blockIdx.y. `Index` holds all items.
template <class T, int V, class Index>
__global__ void __launch_bounds__(kThreads)
    rotary_kernel(const __grid_constant__ AllTurned all, Index length, Index half, const float2* turns) {
  const Turned& tensor = all.list[blockIdx.y];
  const int64_t number = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (number >= tensor.items) return;
  const auto at = static_cast<Index>(number);
  const Index of_row = half / V, row = at / of_row, i = (at - row * of_row) * V;
  const Index position = row / static_cast<Index>(tensor.heads) % length;
  const float2* turn = turns + int64_t{position} * half + i;
  T *low = static_cast<T*>(tensor.x) + int64_t{row} * 2 * half + i, *high = low + half;
  float a[V], b[V];
  load(a, low);
  load(b, high);
#pragma unroll
  for (int j = 0; j < V; ++j) {
    const float left = a[j], right = b[j];
    a[j] = left * turn[j].x - right * turn[j].y;
    b[j] = right * turn[j].x + left * turn[j].y;
  }
  store(low, a);
  store(high, b);
}

}  // namespace

void run(std::span<const Rotary* const> turned, const Context& context) {
  const Rotary& r = *turned.front();
  const int64_t half = r.dim / 2, angles = r.length * half;
  if (angles == 0) return;
  auto* turns = context.scratch.get<float2>(static_cast<size_t>(angles), context.stream);
  LAUNCH(context.stream, grid_of(ceil_div(angles, kThreads)), kThreads, 0, turns_kernel, angles, half, r.base, r.back, turns);
  with_type(r.dtype, [&](auto like) {
    using T = decltype(like);
    bool wide = half % kVector<T> == 0;
    for (const Rotary* one : turned) wide = wide && aligned(context.at<T>(one->x));
    const auto launch = [&](auto v) {
      AllTurned all{};
      int64_t most = 0;
      for (size_t i = 0; i < turned.size(); ++i) {
        all.list[i] = {context.at<T>(turned[i]->x), turned[i]->tokens * turned[i]->heads * (half / v()), turned[i]->heads};
        most = std::max(most, all.list[i].items);
      }
      if (most == 0) return;
      const dim3 grid(grid_of(ceil_div(most, kThreads)), static_cast<unsigned>(turned.size()));
      if (most <= INT32_MAX) {
        LAUNCH(context.stream, grid, kThreads, 0, (rotary_kernel<T, v(), int32_t>), all, static_cast<int32_t>(r.length),
               static_cast<int32_t>(half), turns);
      } else {
        LAUNCH(context.stream, grid, kThreads, 0, (rotary_kernel<T, v(), int64_t>), all, r.length, half, turns);
      }
    };
    wide ? launch(std::integral_constant<int, kVector<T>>{}) : launch(std::integral_constant<int, 1>{});
  });
}

void run(const Rotary& r, const Context& context) {
  const Rotary* alone = &r;
  run(std::span(&alone, 1), context);
}

}  // namespace schemoe::cuda
