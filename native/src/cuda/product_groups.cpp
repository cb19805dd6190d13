// Products whose groups have numbers of rows of their own.
#include <algorithm>

#include "cuda/branches.h"
#include "cuda/hopper/grouped.h"
#include "cuda/kernels/kernels.h"
#include "cuda/products.h"

namespace schemoe::cuda {

namespace {

/// Multiprocessors that are left to transfers, where ranks have any.
constexpr int kForTransfers = 16;

}  // namespace

Products::Branches* Products::branches_of(const Context& context) {
  if (crowded_) return nullptr;
  const std::lock_guard lock(mutex_);
  auto& branches = branches_[context.stream];
  if (!branches) branches = std::make_unique<Branches>();
  return branches.get();
}

void Products::find_hopper(const World& world) {
  hopper_.assign(world.devices(), 0);
  for (uint32_t device = 0; device < world.devices(); ++device) {
    int major = 0, minor = 0, count = 0;
    const int ordinal = world.ordinal(device);
    CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal));
    CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal));
    CUDA_CHECK(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, ordinal));
    if (major != 9 || minor != 0) continue;
    // Its blocks stay where they are to the end: ranks that share a GPU share its multiprocessors.
    int ranks = 0;
    for (uint32_t rank = world.first(); rank < world.first() + world.count(); ++rank) {
      ranks += world.device(rank) == static_cast<int>(device) ? 1 : 0;
    }
    if (world.ranks() > 1) count = (count - kForTransfers) / ranks;
    hopper_[device] = std::max(count, 2);
  }
}

bool Products::run_on_hopper(const GemmGroups& groups, const Context& context) {
  const Gemm& all = groups.gemm;
  const int multiprocessors = hopper_[static_cast<size_t>(context.device)];
  const auto is_bf16 = [](schemoe_dtype dtype) { return dtype == SCHEMOE_BF16; };
  if (multiprocessors == 0 || !is_bf16(all.dtypes.a) || !is_bf16(all.dtypes.b) || !is_bf16(all.dtype_c)) return false;
  hopper::Grouped product{
      all.trans_a, all.trans_b, all.m, all.n, all.k, context.at<void>(all.a.view), context.at<void>(all.b.view),
      context.at<void>(all.c.view), all.a.ld, all.b.ld, all.c.ld, all.trans_a ? all.c.stride : all.b.stride,
      context.at<void>(all.bias), all.bias_stride, static_cast<float>(all.alpha), static_cast<float>(all.beta), all.relu};
  if (!hopper::fits(product) || (!all.trans_a && all.k == 0)) return false;
  std::vector<int32_t> first, rows, numbers;
  constexpr int64_t kMost = int64_t{1} << 30;
  for (int64_t group = 0; group < all.groups; ++group) {
    if (groups.ranges.first(group) + groups.ranges.rows(group) >= kMost) return false;
  }
  for (int64_t group = 0; group < all.groups; ++group) {
    if (groups.ranges.rows(group) > 0) {
      first.push_back(static_cast<int32_t>(groups.ranges.first(group)));
      rows.push_back(static_cast<int32_t>(groups.ranges.rows(group)));
      numbers.push_back(static_cast<int32_t>(group));
    } else if (all.trans_a) {
      cuda::run(groups.group(group), context);
    }
  }
  if (!rows.empty()) hopper::run(product, {first, rows, numbers}, multiprocessors, context.stream);
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
