#include "cuda/hopper/gate_products.h"

#include <algorithm>

#include "cuda/hopper/device.h"
#include "cuda/hopper/planes.h"
#include "cuda/kernels/apart.h"

namespace schemoe::cuda {

namespace {

constexpr int64_t kFewExperts = 32, kMostExperts = 512;
/// Of a product's depth: shorter ones are over before a ring of stages is filled.
constexpr int64_t kShallow = 256;
constexpr int64_t kMost = int64_t{1} << 30;

enum class Kind { none, logits, rows, weight };

bool is_aligned(const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; }

bool lies_well(const Matrix& matrix, const Context& context) {
  return is_aligned(context.at<void>(matrix.view)) && matrix.ld % 8 == 0;
}

Kind kind_of(const Gemm& g, const Context& context) {
  if (g.groups != 1 || !g.bias.null() || g.relu || std::max({g.m, g.n, g.k}) >= kMost) return Kind::none;
  const bool half_a = g.dtypes.a == SCHEMOE_BF16, half_b = g.dtypes.b == SCHEMOE_BF16, half_c = g.dtype_c == SCHEMOE_BF16;
  const auto few = [](int64_t experts) { return experts <= kFewExperts || experts > kMostExperts || experts % 8 != 0; };
  Kind kind = Kind::none;
  if (half_a && !half_b && !half_c && !g.trans_a && g.trans_b) {
    const bool fits = !few(g.n) && g.k >= kShallow && g.k % 8 == 0 && lies_well(g.a, context) && lies_well(g.c, context);
    kind = fits ? Kind::logits : Kind::none;
  } else if (!half_a && half_b && !half_c && g.trans_a && !g.trans_b) {
    kind = !few(g.m) && g.n >= kShallow && g.n % 8 == 0 && lies_well(g.b, context) ? Kind::weight : Kind::none;
  } else if (!half_a && !half_b && half_c && !g.trans_a && !g.trans_b) {
    kind = !few(g.k) && g.n >= kShallow && g.n % 8 == 0 && lies_well(g.c, context) ? Kind::rows : Kind::none;
  }
  return kind != Kind::none && hopper::is_hopper() ? kind : Kind::none;
}

using hopper::Planes;
using hopper::PlaneRows;
using hopper::PlaneSums;

PlaneSums logits_of(const Gemm& g, const Context& context) {
  return {false,  g.m, g.n, g.k, context.at<void>(g.a.view), g.a.ld, {nullptr, g.n, g.k}, context.at<float>(g.c.view),
          g.c.ld, static_cast<float>(g.alpha), static_cast<float>(g.beta)};
}
PlaneSums weight_of(const Gemm& g, const Context& context) {
  return {true,   g.n, g.m, g.k, context.at<void>(g.b.view), g.b.ld, {nullptr, g.k, g.m}, context.at<float>(g.c.view),
          g.c.ld, static_cast<float>(g.alpha), static_cast<float>(g.beta)};
}
PlaneRows rows_of(const Gemm& g, const Context& context) {
  return {g.m, g.n, g.k, {nullptr, g.m, g.k}, {nullptr, g.k, g.n}, context.at<void>(g.c.view), g.c.ld,
          static_cast<float>(g.alpha), static_cast<float>(g.beta)};
}

size_t bytes_of(const Planes& planes, int count) { return Planes::bytes(count, planes.rows, planes.columns); }

/// Splits the float32 factor of sums to the beginning of `memory`, and lets partial sums lie behind it.
void run_sums(PlaneSums sums, const float* factor, int64_t ld, std::byte* memory, cudaStream_t stream) {
  sums.planes.data = memory;
  if (factor) hopper::split(factor, ld, sums.planes, 3, stream);
  hopper::run(sums, reinterpret_cast<float*>(memory + bytes_of(sums.planes, 3)), stream);
}

size_t bytes_of(const PlaneSums& sums) {
  return bytes_of(sums.planes, 3) + static_cast<size_t>(hopper::partial_of(sums)) * sizeof(float);
}

}  // namespace

bool run_on_hopper(const Gemm& g, const Context& context) {
  const Kind kind = kind_of(g, context);
  const auto memory_of = [&](size_t bytes) { return context.scratch.get<std::byte>(bytes, context.stream); };
  if (kind == Kind::logits) {
    const PlaneSums sums = logits_of(g, context);
    run_sums(sums, context.at<const float>(g.b.view), g.b.ld, memory_of(bytes_of(sums)), context.stream);
  } else if (kind == Kind::weight) {
    const PlaneSums sums = weight_of(g, context);
    run_sums(sums, context.at<const float>(g.a.view), g.a.ld, memory_of(bytes_of(sums)), context.stream);
  } else if (kind == Kind::rows) {
    PlaneRows rows = rows_of(g, context);
    std::byte* memory = memory_of(bytes_of(rows.a, 2) + bytes_of(rows.b, 2));
    rows.a.data = memory, rows.b.data = memory + bytes_of(rows.a, 2);
    hopper::split(context.at<const float>(g.a.view), g.a.ld, rows.a, 2, context.stream);
    hopper::split(context.at<const float>(g.b.view), g.b.ld, rows.b, 2, context.stream);
    hopper::run(rows, context.stream);
  }
  return kind != Kind::none;
}

size_t run_gate_gradients(std::span<const schemoe::Call> calls, const Context& context) {
  if (calls.size() < 2) return 0;
  const auto* first = std::get_if<Gemm>(&calls[0].arguments);
  const auto* second = std::get_if<Gemm>(&calls[1].arguments);
  if (!first || !second || first->m != second->k || first->k != second->m || first->a.ld != second->a.ld) return 0;
  const View& logits = first->a.view;
  const auto *split = context.at<void>(logits), *between = context.at<void>(first->c.view);
  // What the first one writes is not what the second one splits.
  const int64_t of_logits = 4 * first->m * first->a.ld, of_rows = 2 * first->m * first->c.ld;
  if (split != context.at<void>(second->a.view) || !are_apart(split, of_logits, between, of_rows)) return 0;
  if (kind_of(*first, context) != Kind::rows || kind_of(*second, context) != Kind::weight) return 0;
  PlaneRows rows = rows_of(*first, context);
  const PlaneSums sums = weight_of(*second, context);
  std::byte* memory = context.scratch.get<std::byte>(bytes_of(sums) + bytes_of(rows.b, 2) + 16, context.stream);
  rows.a.data = memory;
  rows.b.data = memory + (bytes_of(sums) + 15) / 16 * 16;
  hopper::split(context.at<const float>(logits), first->a.ld, rows.a, 3, context.stream);
  hopper::split(context.at<const float>(first->b.view), first->b.ld, rows.b, 2, context.stream);
  hopper::run(rows, context.stream);
  run_sums(sums, nullptr, 0, memory, context.stream);
  return 2;
}

}  // namespace schemoe::cuda
