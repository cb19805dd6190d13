// Products whose groups have numbers of rows of their own.
#include <algorithm>
#include <climits>
#include <vector>

#include "cuda/branches.h"
#include "cuda/hopper/grouped.h"
#include "cuda/kernels/kernels.h"
#include "cuda/products.h"

namespace schemoe::cuda {

Products::Branches* Products::branches_of(const Context& context) {
  if (crowded_) return nullptr;
  const std::lock_guard lock(mutex_);
  auto& branches = branches_[context.stream];
  if (!branches) branches = std::make_unique<Branches>();
  return branches.get();
}

/// Only where no ranks share a GPU: the kernel's blocks stay on their multiprocessors to its end. Where there are
/// several ranks, transfers of other lanes need some for themselves, and few large groups are faster on all of them.
void Products::find_hopper(const World& world) {
  if (crowded_) return;
  constexpr int kForTransfers = 16, kMany = 16;
  int least = INT_MAX;
  for (uint32_t device = 0; device < world.devices(); ++device) {
    const auto attribute = [&](cudaDeviceAttr which) {
      int value = 0;
      CUDA_CHECK(cudaDeviceGetAttribute(&value, which, world.ordinal(device)));
      return value;
    };
    if (attribute(cudaDevAttrComputeCapabilityMajor) != 9 || attribute(cudaDevAttrComputeCapabilityMinor) != 0) return;
    least = std::min(least, attribute(cudaDevAttrMultiProcessorCount));
  }
  const bool several = world.ranks() > 1;
  hopper_ = several ? least - kForTransfers : least;
  hopper_groups_ = several ? kMany : 2;
}

bool is_fine(const Gemm& g) { return hopper::is_fine((g.trans_a ? g.m : g.k) * g.n); }

bool Products::runs_on_hopper(const Gemm& all) const {
  const auto is_bf16 = [](schemoe_dtype dtype) { return dtype == SCHEMOE_BF16; };
  return hopper_ > 0 && all.groups >= hopper_groups_ && (!all.trans_a || is_fine(all)) && is_bf16(all.dtypes.a) &&
         is_bf16(all.dtypes.b) && is_bf16(all.dtype_c);
}

hopper::Grouped grouped_of(const Gemm& g, const Context& context) {
  return {g.trans_a, g.trans_b, g.trans_a ? g.m : 0, g.n, g.trans_a ? 0 : g.k, context.at<void>(g.a.view),
          context.at<void>(g.b.view), context.at<void>(g.c.view), g.a.ld, g.b.ld, g.c.ld,
          g.trans_a ? g.c.stride : g.b.stride, context.at<void>(g.bias), g.bias_stride, static_cast<float>(g.alpha),
          static_cast<float>(g.beta), g.relu};
}

bool Products::run_on_hopper(const GemmGroups& groups, const Context& context) const {
  return runs_on_hopper(groups.gemm) && run_on_hopper(groups, grouped_of(groups.gemm, context), context);
}

bool Products::run_on_hopper(const GemmGroups& groups, const hopper::Grouped& product, const Context& context) const {
  if (!hopper::fits(product)) return false;
  const Gemm& g = groups.gemm;
  constexpr int64_t kMost = int64_t{1} << 30;
  std::vector<int64_t> chosen;
  for (int64_t group = 0; group < g.groups; ++group) {
    if (groups.ranges.first(group) + groups.ranges.rows(group) >= kMost) return false;
    if (g.trans_a || groups.ranges.rows(group) > 0) chosen.push_back(group);
  }
  // What takes longest begins first: of sums over rows those of many rows, which otherwise may be the last ones.
  if (g.trans_a) {
    std::stable_sort(chosen.begin(), chosen.end(),
                     [&](int64_t a, int64_t b) { return groups.ranges.rows(a) > groups.ranges.rows(b); });
  }
  std::vector<int32_t> first, rows, number;
  for (const int64_t group : chosen) {
    first.push_back(static_cast<int32_t>(groups.ranges.first(group)));
    rows.push_back(static_cast<int32_t>(groups.ranges.rows(group)));
    number.push_back(static_cast<int32_t>(group));
  }
  if (!rows.empty()) hopper::run(product, {first, rows, number}, hopper_, context.stream);
  return true;
}

void Products::run_groups(const GemmGroups& groups, const Context& context) {
  const Gemm& all = groups.gemm;
  if (all.dtypes.a != all.dtypes.b || all.groups < 2) {
    for (int64_t group = 0; group < all.groups; ++group) cuda::run(groups.group(group), context);
    return;
  }
  if (run_on_hopper(groups, context)) return;
  Branches* branches = branches_of(context);
  const int streams = branches ? Branches::kCount + 1 : 1;
  auto* workspace = context.scratch.get<std::byte>(streams * kWorkspace, context.stream);
  if (branches) branches->begin(context.stream);
  std::vector<Gemm> rest;  // what the library does not do
  int next = 0;
  for (int64_t group = 0; group < all.groups; ++group) {
    const Gemm one = groups.group(group);
    if (one.m == 0 || one.n == 0) continue;
    const Operands at{context.at<void>(one.a.view), context.at<void>(one.b.view), context.at<void>(one.c.view),
                      context.at<void>(one.bias)};
    const cudaStream_t stream = next == 0 ? context.stream : branches->streams[next - 1];
    if (one.k == 0 || !run(one, at, context.device, workspace + next * kWorkspace, stream, true)) rest.push_back(one);
    next = (next + 1) % streams;
  }
  if (branches) branches->end(context.stream);
  for (const Gemm& one : rest) cuda::run(one, context);
}

}  // namespace schemoe::cuda
