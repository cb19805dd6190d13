#include "cuda/kernels/kernels.h"

#include <variant>

#include "cuda/hopper/gate_products.h"

namespace schemoe::cuda {

void run(const Gemm& g, const Context& context) {
  if (g.groups == 0 || g.m == 0 || g.n == 0) return;
  if (g.k == 0) return scale(g, context);
  if (run_on_hopper(g, context) || run_split(g, context)) return;
  if (g.dtypes.a == g.dtypes.b) {
    auto* workspace = context.scratch.get<std::byte>(Products::kWorkspace, context.stream);
    const Operands at{context.at<void>(g.a.view), context.at<void>(g.b.view), context.at<void>(g.c.view),
                      context.at<void>(g.bias)};
    if (context.products.run(g, at, context.device, workspace, context.stream)) return;
  }
  run_own(g, context);
}

void run(const GemmGroups& g, const Context& context) { context.products.run_groups(g, context); }

void run_kernel(const Arguments& arguments, const Context& context) {
  std::visit(
      [&](const auto& kernel) {
        if constexpr (requires { run(kernel, context); }) run(kernel, context);
        // Host kernels, sends and receives are the executor's.
        else fail(SCHEMOE_UNSUPPORTED, "the CUDA engine does not compute it; the CPU engine does");
      },
      arguments);
}

}  // namespace schemoe::cuda
