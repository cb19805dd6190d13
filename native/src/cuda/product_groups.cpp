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

/// Whether the kernel for Hopper is the faster one for a form of groups.
bool is_faster(const Gemm& g, bool ragged) {
  static const int mask = getenv("HOPPER_MASK") ? atoi(getenv("HOPPER_MASK")) : 7;
  return mask >> ((ragged ? 0 : 3) + (g.trans_a ? 2 : g.trans_b ? 1 : 0)) & 1;
}

}  // namespace

/// Groups that have rows.
struct Products::HopperGroups {
  std::vector<int32_t> first, rows, number;
  void add(int64_t from, int64_t count, int64_t group) {
    first.push_back(static_cast<int32_t>(from));
    rows.push_back(static_cast<int32_t>(count));
    number.push_back(static_cast<int32_t>(group));
  }
};

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
    if (transfers_) count = (count - kForTransfers) / ranks;
    hopper_[device] = std::max(count, 2);
  }
}

bool Products::run_on_hopper(const GemmGroups& groups, const Context& context) {
  const Gemm& all = groups.gemm;
  if (!is_faster(all, true)) return false;
  constexpr int64_t kMost = int64_t{1} << 30;
  HopperGroups with_rows;
  for (int64_t group = 0; group < all.groups; ++group) {
    const int64_t first = groups.ranges.first(group), rows = groups.ranges.rows(group);
    if (first + rows >= kMost) return false;
    if (rows > 0) with_rows.add(first, rows, group);
  }
  if (!run_on_hopper(all, with_rows, context)) return false;
  for (int64_t group = 0; all.trans_a && group < all.groups; ++group) {
    if (groups.ranges.rows(group) == 0) cuda::run(groups.group(group), context);
  }
  return true;
}

bool Products::run_on_hopper(const Gemm& g, const Context& context) {
  if (g.groups < 2 || transfers_ || !is_faster(g, false)) return false;
  const Matrix& other = g.trans_a ? g.b : g.c;
  if (g.a.ld <= 0 || other.ld <= 0 || g.a.stride % g.a.ld != 0 || other.stride % other.ld != 0) return false;
  // Rows of a group after those of the one before.
  const int64_t apart = g.a.stride / g.a.ld, rows = g.trans_a ? g.k : g.m;
  constexpr int64_t kMost = int64_t{1} << 30;
  if (apart < rows || other.stride / other.ld != apart || apart * g.groups >= kMost) return false;
  HopperGroups groups;
  for (int64_t group = 0; group < g.groups; ++group) groups.add(group * apart, rows, group);
  return run_on_hopper(g, groups, context);
}

bool Products::run_on_hopper(const Gemm& g, const HopperGroups& groups, const Context& context) {
  const int multiprocessors = hopper_[static_cast<size_t>(context.device)];
  const auto is_bf16 = [](schemoe_dtype dtype) { return dtype == SCHEMOE_BF16; };
  if (multiprocessors == 0 || !is_bf16(g.dtypes.a) || !is_bf16(g.dtypes.b) || !is_bf16(g.dtype_c)) return false;
  const hopper::Grouped product{
      g.trans_a, g.trans_b, g.m, g.n, g.k, context.at<void>(g.a.view), context.at<void>(g.b.view),
      context.at<void>(g.c.view), g.a.ld, g.b.ld, g.c.ld, g.trans_a ? g.c.stride : g.b.stride,
      context.at<void>(g.bias), g.bias_stride, static_cast<float>(g.alpha), static_cast<float>(g.beta), g.relu};
  if (!hopper::fits(product) || (!g.trans_a && g.k == 0)) return false;
  if (!groups.rows.empty()) {
    hopper::run(product, {groups.first, groups.rows, groups.number}, multiprocessors, context.stream);
  }
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
