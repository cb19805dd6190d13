#include "cuda/together.h"

#include "cuda/hopper/gate_products.h"
#include "cuda/kernels/alike.h"
#include "cuda/kernels/place_tokens.h"
#include "cuda/products.h"

namespace schemoe::cuda {

size_t run_together(std::span<const schemoe::Call> calls, const Context& context) {
  if (const size_t products = context.products.run_together(calls, context)) return products;
  if (const size_t rows = run_dots_and_places(calls, context)) return rows;
  if (const size_t gradients = run_gate_gradients(calls, context)) return gradients;
  return run_alike(calls, context);
}

}  // namespace schemoe::cuda
