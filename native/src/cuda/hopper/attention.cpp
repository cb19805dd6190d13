#include "cuda/hopper/attention.h"

#include <initializer_list>

#include "cuda/hopper/device.h"

namespace schemoe::cuda {

namespace {

bool fits(const AttentionSizes& s, schemoe_dtype dtype, std::initializer_list<const void*> data) {
  for (const void* at : data) {
    if (reinterpret_cast<uintptr_t>(at) % 16 != 0) return false;
  }
  constexpr int64_t kMost = 65535;  // blocks of a grid in y and z
  return dtype == SCHEMOE_BF16 && (s.dim == 64 || s.dim == 128) && s.heads <= kMost && s.batch <= kMost &&
         s.length < int64_t{1} << 30 && hopper::is_hopper();
}

hopper::Heads heads_of(const AttentionSizes& s, double scale) {
  return {s.batch, s.length, s.heads, s.key_heads, s.dim, static_cast<float>(scale)};
}

}  // namespace

bool run_on_hopper(const Attention& a, const Context& context) {
  const hopper::AttentionForward forward{heads_of(a.sizes, a.scale),     context.at<const void>(a.q),
                                         context.at<const void>(a.k),    context.at<const void>(a.v),
                                         context.at<void>(a.out),        context.at<float>(a.logsum)};
  if (!fits(a.sizes, a.dtype, {forward.q, forward.k, forward.v, forward.out})) return false;
  hopper::run(forward, context.stream);
  return true;
}

bool run_on_hopper(const AttentionGrad& a, const Context& context) {
  hopper::AttentionBackward backward{};
  backward.heads = heads_of(a.sizes, a.scale);
  backward.q = context.at<const void>(a.q), backward.k = context.at<const void>(a.k), backward.v = context.at<const void>(a.v);
  backward.out = context.at<const void>(a.out), backward.dout = context.at<const void>(a.dout);
  backward.logsum = context.at<const float>(a.logsum);
  backward.dq = context.at<void>(a.dq), backward.dk = context.at<void>(a.dk), backward.dv = context.at<void>(a.dv);
  const auto& b = backward;
  if (!fits(a.sizes, a.dtype, {b.q, b.k, b.v, b.out, b.dout, b.dq, b.dk, b.dv})) return false;
  backward.scratch = context.scratch.get<float>(static_cast<size_t>(hopper::scratch_of(backward.heads)), context.stream);
  hopper::run(backward, context.stream);
  return true;
}

}  // namespace schemoe::cuda
