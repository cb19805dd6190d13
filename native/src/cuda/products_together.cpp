// Products of groups that one kernel computes together, so that what they share is read once and nothing is written
// between them. What is done together follows from the calls' form alone, never from numbers of rows.
#include <algorithm>

#include "cuda/hopper/grouped.h"
#include "cuda/kernels/kernels.h"
#include "cuda/products.h"

namespace schemoe::cuda {

namespace {

bool same(const View& a, const View& b) { return a.buffer == b.buffer && a.offset == b.offset; }
bool same(const Ranges& a, const Ranges& b) { return std::ranges::equal(a.words, b.words); }

bool plain(const Gemm& gemm) { return gemm.bias.null() && !gemm.relu; }

/// Products of the same rows, columns and form, their factors apart alike; without bias or ReLU.
bool alike(const GemmGroups& first, const GemmGroups& second) {
  const Gemm &a = first.gemm, &b = second.gemm;
  return plain(a) && plain(b) && !a.trans_a && !b.trans_a && a.trans_b == b.trans_b && a.groups == b.groups &&
         a.n == b.n && a.k == b.k && a.alpha == b.alpha && a.a.ld == b.a.ld && a.b.ld == b.b.ld && a.b.stride == b.b.stride &&
         a.c.ld == b.c.ld && same(first.ranges, second.ranges);
}

bool lies_at(const Matrix& matrix, const Matrix& c) { return same(matrix.view, c.view) && matrix.ld == c.ld; }

/// Sums over the same rows of products with the same first factor, such as the gradients of two weights.
bool are_sums_of_same(const GemmGroups& first, const GemmGroups& second) {
  const Gemm &a = first.gemm, &b = second.gemm;
  const bool form = plain(a) && plain(b) && a.trans_a && b.trans_a && !a.trans_b && !b.trans_b;
  return form && a.groups == b.groups && a.m == b.m && a.n == b.n && a.alpha == b.alpha && a.beta == b.beta &&
         same(a.a.view, b.a.view) && a.a.ld == b.a.ld && a.b.ld == b.b.ld && a.c.ld == b.c.ld &&
         a.c.stride == b.c.stride && !same(a.c.view, b.c.view) && !same(a.c.view, b.b.view) &&
         same(first.ranges, second.ranges);
}

/// Whether the third call is the SwiGLU of what the other two compute from the same rows.
bool is_gated(const GemmGroups& first, const GemmGroups& second, const schemoe::Call& third) {
  const auto* glu = std::get_if<Glu>(&third.arguments);
  const Gemm &a = first.gemm, &b = second.gemm;
  return glu && !a.trans_b && a.beta == 0 && b.beta == 0 && same(a.a.view, b.a.view) && !same(a.c.view, b.c.view) &&
         glu->activation == SCHEMOE_SILU && glu->block.dtype == SCHEMOE_BF16 && glu->block.groups == a.groups &&
         glu->block.columns == a.n && same(glu->block.ranges, first.ranges) && lies_at(glu->a, a.c) &&
         lies_at(glu->b, b.c) && !same(glu->y.view, a.c.view) && !same(glu->y.view, b.c.view) &&
         !same(glu->y.view, a.a.view);
}

/// Whether the second call is SwiGLU's gradient of what the first computes, the first argument's in its place.
const GluGrad* gradient_of(const GemmGroups& first, const schemoe::Call& second) {
  const auto* grad = std::get_if<GluGrad>(&second.arguments);
  const Gemm& g = first.gemm;
  const auto apart = [&](const View& view) {
    return !same(view, g.c.view) && !same(view, g.a.view);
  };
  const bool fits = grad && !g.trans_a && g.trans_b && g.beta == 0 && plain(g) &&
                    grad->activation == SCHEMOE_SILU && grad->block.dtype == SCHEMOE_BF16 &&
                    grad->block.groups == g.groups && grad->block.columns == g.n &&
                    same(grad->block.ranges, first.ranges) && lies_at(grad->dy, g.c) && lies_at(grad->da, g.c) &&
                    apart(grad->a.view) && apart(grad->b.view) && apart(grad->db.view) &&
                    !same(grad->db.view, grad->a.view) && !same(grad->db.view, grad->b.view);
  return fits ? grad : nullptr;
}

}  // namespace

size_t Products::run_together(std::span<const schemoe::Call> calls, const Context& context) {
  if (calls.size() < 2) return 0;
  const auto* first = std::get_if<GemmGroups>(&calls[0].arguments);
  const auto* second = std::get_if<GemmGroups>(&calls[1].arguments);
  if (!first || !runs_on_hopper(first->gemm) || !is_fine(first->gemm)) return 0;
  hopper::Grouped product = grouped_of(first->gemm, context);
  if (const GluGrad* grad = gradient_of(*first, calls[1])) {
    product.x1 = context.at<void>(grad->a.view);
    product.x3 = context.at<void>(grad->b.view);
    product.d3 = context.at<void>(grad->db.view);
    product.ld_x1 = grad->a.ld;
    product.ld_x3 = grad->b.ld;
    product.ld_d3 = grad->db.ld;
    return run_on_hopper(*first, product, context) ? 2 : 0;
  }
  if (!second || !runs_on_hopper(second->gemm)) return 0;
  if (are_sums_of_same(*first, *second)) {
    product.b2 = context.at<void>(second->gemm.b.view);
    product.c2 = context.at<void>(second->gemm.c.view);
    return run_on_hopper(*first, product, context) ? 2 : 0;
  }
  if (!alike(*first, *second)) return 0;
  const Gemm& other = second->gemm;
  product.b2 = context.at<void>(other.b.view);
  if (other.beta == 1 && same(first->gemm.c.view, other.c.view)) {
    product.a2 = context.at<void>(other.a.view);
    return run_on_hopper(*first, product, context) ? 2 : 0;
  }
  if (calls.size() < 3 || !is_gated(*first, *second, calls[2])) return 0;
  const Matrix& y = std::get<Glu>(calls[2].arguments).y;
  product.c2 = context.at<void>(other.c.view);
  product.gated = context.at<void>(y.view);
  product.ld_gated = y.ld;
  return run_on_hopper(*first, product, context) ? 3 : 0;
}

}  // namespace schemoe::cuda
