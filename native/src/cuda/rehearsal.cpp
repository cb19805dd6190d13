// What would take the time of a first run: kernels are loaded, room is found, and the library's products
// are chosen, some by measuring, and run once before it begins.
#include <optional>

#include "cuda/executor.h"
#include "cuda/kernels/preload.h"

namespace schemoe::cuda {

namespace {

/// What decides which kernel the library takes for a product.
std::vector<int64_t> key_of(const Gemm& g, bool ragged) {
  const Gemm like = ragged ? Products::rounded(g) : g;
  return {g.dtypes.a, g.dtypes.b, g.dtype_c, g.trans_a, g.trans_b, g.groups, like.m, g.n,
          like.k, g.a.ld, g.a.stride, g.b.ld, g.b.stride, g.c.ld, g.c.stride, g.relu,
          g.bias.null(), g.bias_stride, ragged};
}

}  // namespace

/// With NCCL nothing may wait for the GPU in the middle of a run, while kernels wait for each other there.
/// Otherwise this only spares the first run, and a run that has too little memory for it says so itself.
void Executor::prepare_products(const Program& program, Plan& plan) {
  if (plan.prepared) return;
  preload_kernels(world_);
  try {
    for (uint32_t lane : plan.lanes) {
      if (lane % kLanes != SCHEMOE_COMPUTE) continue;
      world_.enter(lane / kLanes);
      lanes_.at(lane).scratch.get<std::byte>(Products::kWorkspace, lanes_.at(lane).stream);
    }
    rehearse(program);
  } catch (...) {
    const Failure failure = caught();
    if (options_.nccl || failure.status() != SCHEMOE_OUT_OF_MEMORY) throw failure;
  }
  plan.prepared = true;
}

/// Runs each product that has not run yet, its result going nowhere: its kernel is loaded then.
void Executor::rehearse(const Program& program) {
  for (const Operation& o : program.operations) {
    if (!world_.holds(o.rank)) continue;
    for (const Call& call : slice(program.calls, o.calls)) {
      if (const auto* gemm = std::get_if<Gemm>(&call.arguments)) rehearse(*gemm, o.rank, false);
      const auto* groups = std::get_if<GemmGroups>(&call.arguments);
      if (!groups || products_.runs_on_hopper(groups->gemm)) continue;
      for (int64_t group = 0; group < groups->gemm.groups; ++group) rehearse(groups->group(group), o.rank, true);
    }
  }
}

void Executor::rehearse(const Gemm& gemm, uint32_t rank, bool ragged) {
  std::vector<int64_t> key = key_of(gemm, ragged);
  key.push_back(world_.device(rank));
  const bool empty = gemm.groups == 0 || gemm.m == 0 || gemm.n == 0 || gemm.k == 0;
  if (empty || !rehearsed_.insert(std::move(key)).second) return;
  const auto bytes = static_cast<uint64_t>(matrix_bytes(gemm.c, gemm.groups, gemm.m, gemm.n, gemm.dtype_c));
  world_.enter(rank);
  // Where the result begins within 256 bytes decides too.
  const uint64_t shift = reinterpret_cast<uint64_t>(buffers_.at(gemm.c.view, rank)) % 256;
  std::byte* result = nullptr;
  CUDA_CHECK(cudaMalloc(reinterpret_cast<void**>(&result), bytes + shift));
  Lane& lane = lanes_.at(rank * kLanes + SCHEMOE_COMPUTE);
  std::optional<Failure> failure;
  try {
    const std::byte* bias = gemm.bias.null() ? nullptr : buffers_.at(gemm.bias, rank);
    const Operands at{buffers_.at(gemm.a.view, rank), buffers_.at(gemm.b.view, rank), result + shift, bias};
    auto* workspace = lane.scratch.get<std::byte>(Products::kWorkspace, lane.stream);
    const int device = world_.device(rank);
    if (!ragged) products_.tune(gemm, at, {device, workspace, lane.stream});
    products_.run(gemm, at, device, workspace, lane.stream, ragged);
  } catch (...) {
    failure = caught();
  }
  CUDA_CHECK(cudaStreamSynchronize(lane.stream));
  CUDA_CHECK(cudaFree(result));
  if (failure) throw *failure;
}

}  // namespace schemoe::cuda
