// Products of a gate with float32 among its factors.
#include "cuda/kernels/split.cuh"

namespace schemoe::cuda {

bool run_split(const Gemm& g, const Context& context) {
  if (g.groups != 1 || !g.bias.null() || g.relu) return false;
  return split::scores(g, context) || split::weights(g, context) || split::rows(g, context) ||
         split::wide_rows(g, context);
}

}  // namespace schemoe::cuda
