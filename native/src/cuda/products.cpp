#include "cuda/products.h"

#include <algorithm>

#include "cuda/branches.h"
#include "cuda/product_plan.h"

namespace schemoe::cuda {

namespace {

cudaDataType_t type_of(schemoe_dtype dtype) { return dtype == SCHEMOE_BF16 ? CUDA_R_16BF : CUDA_R_32F; }

/// The largest power of two up to `most` that divides all addresses of a matrix's groups.
int64_t alignment(const void* data, const Matrix& matrix, int64_t groups, schemoe_dtype dtype, int64_t most) {
  uint64_t bits = reinterpret_cast<uint64_t>(data) | static_cast<uint64_t>(most);
  if (groups > 1) bits |= static_cast<uint64_t>(matrix.stride * element_bytes(dtype));
  return static_cast<int64_t>(bits & -bits);
}

}  // namespace

Products::Call::Call(const Gemm& g, bool fast, const void* bias) {
  const lt::Library& l = lt::library();
  LT_CHECK(l.desc_create(&desc, fast ? lt::kCompute32FFastTF32 : lt::kCompute32F, CUDA_R_32F));
  const int32_t first = g.trans_b ? lt::kOpT : lt::kOpN;
  const int32_t second = g.trans_a ? lt::kOpT : lt::kOpN;
  LT_CHECK(l.desc_set(desc, lt::kDescTransA, &first, sizeof first));
  LT_CHECK(l.desc_set(desc, lt::kDescTransB, &second, sizeof second));
  if (bias) {
    const uint32_t epilogue = lt::kEpilogueBias;
    LT_CHECK(l.desc_set(desc, lt::kDescEpilogue, &epilogue, sizeof epilogue));
    LT_CHECK(l.desc_set(desc, lt::kDescBias, &bias, sizeof bias));
    LT_CHECK(l.desc_set(desc, lt::kDescBiasStride, &g.bias_stride, sizeof g.bias_stride));
  }
  const auto layout = [&](lt::MatrixLayout& to, schemoe_dtype dtype, int64_t rows, int64_t columns, const Matrix& m) {
    LT_CHECK(l.layout_create(&to, type_of(dtype), static_cast<uint64_t>(columns), static_cast<uint64_t>(rows),
                             std::max({m.ld, columns, int64_t{1}})));
    if (g.groups == 1) return;
    const auto batches = static_cast<int32_t>(g.groups);
    const int64_t stride = m.stride;
    LT_CHECK(l.layout_set(to, lt::kLayoutBatchCount, &batches, sizeof batches));
    LT_CHECK(l.layout_set(to, lt::kLayoutBatchStride, &stride, sizeof stride));
  };
  layout(a, g.dtypes.b, g.trans_b ? g.n : g.k, g.trans_b ? g.k : g.n, g.b);
  layout(b, g.dtypes.a, g.trans_a ? g.k : g.m, g.trans_a ? g.m : g.k, g.a);
  layout(c, g.dtype_c, g.m, g.n, g.c);
}

Products::Products(const World& world, bool tf32, bool tune)
    : tf32_(tf32), tune_(tune), crowded_(world.count() > world.devices()), handles_(world.devices(), nullptr) {
  find_hopper(world);
  const lt::Library& l = lt::library();
  for (size_t device = 0; device < handles_.size(); ++device) {
    world.use(static_cast<uint32_t>(device));
    LT_CHECK(l.create(&handles_[device]));
  }
}

Products::~Products() {
  plans_.clear();
  for (lt::Handle handle : handles_) {
    if (handle) lt::library().destroy(handle);
  }
}

std::unique_ptr<Products::Plan> Products::make(const Shape& shape, int device,
                                               std::vector<lt::Heuristic>& candidates) const {
  const lt::Library& l = lt::library();
  const Gemm& g = shape.like;
  // The search for an algorithm looks at the alignment of the bias's address, which differs from call to call.
  const auto* bias =
      g.bias.null() ? nullptr : reinterpret_cast<const void*>(static_cast<uintptr_t>(shape.alignments[kBias]));
  auto plan = std::unique_ptr<Plan>(new Plan{{g, fast(g), bias}});

  lt::Preference preference = nullptr;
  LT_CHECK(l.preference_create(&preference));
  const struct Owner {
    const lt::Library& library;
    lt::Preference preference;
    ~Owner() { library.preference_destroy(preference); }
  } owner{l, preference};
  const uint64_t workspace = kWorkspace;
  LT_CHECK(l.preference_set(preference, lt::kPreferenceWorkspace, &workspace, sizeof workspace));
  for (int i = 0; i < kBias; ++i) {
    const auto bytes = static_cast<uint32_t>(shape.alignments[i]);
    LT_CHECK(l.preference_set(preference, lt::kPreferenceAlignmentA + i, &bytes, sizeof bytes));
  }
  const auto wanted = static_cast<int>(candidates.size());
  int found = 0;
  const lt::Status status = l.heuristic(handles_[static_cast<size_t>(device)], plan->call.desc, plan->call.a,
                                        plan->call.b, plan->call.c, plan->call.c, preference, wanted,
                                        candidates.data(), &found);
  candidates.resize(status == lt::kSuccess ? static_cast<size_t>(std::clamp(found, 0, wanted)) : 0);
  plan->possible = !candidates.empty() && candidates.front().state == lt::kSuccess;
  if (plan->possible) plan->take(candidates.front());
  return plan;
}

Gemm Products::rounded(const Gemm& group) {
  constexpr int64_t kRound = 128;
  Gemm like = group;
  int64_t& rows = group.trans_a ? like.k : like.m;
  rows = (rows + kRound - 1) / kRound * kRound;
  return like;
}

Products::Shape Products::shape_of(const Gemm& g, const Operands& at, int device, bool ragged) {
  Shape shape{ragged ? rounded(g) : g, {}, {}};
  const Matrix bias{g.bias, 0, g.bias_stride};
  // Ragged groups lie anywhere among rows; what each happens to be aligned to must not change its bits.
  const int64_t most = ragged ? 16 : 256;
  const auto aligned_to = [&](const void* data, const Matrix& matrix, schemoe_dtype dtype) {
    return alignment(data, matrix, g.groups, dtype, most);
  };
  const int64_t c = aligned_to(at.c, g.c, g.dtype_c);
  shape.alignments = {aligned_to(at.b, g.b, g.dtypes.b), aligned_to(at.a, g.a, g.dtypes.a), c, c,
                      at.bias ? aligned_to(at.bias, bias, g.dtype_c) : 0};
  const auto& [a, b, to, _, of_bias] = shape.alignments;
  shape.key = {device,       g.dtypes.a, g.dtypes.b, g.dtype_c, g.trans_a,  g.trans_b, g.groups, shape.like.m,
               g.n,          shape.like.k, g.a.ld,   g.a.stride, g.b.ld,    g.b.stride, g.c.ld,  g.c.stride,
               a,            b,          to,         of_bias,   g.bias_stride, ragged};
  return shape;
}

bool Products::run(const Gemm& g, const Operands& at, int device, void* workspace, cudaStream_t stream,
                   bool ragged) {
  const Shape shape = shape_of(g, at, device, ragged);
  std::unique_lock lock(mutex_);
  auto& kept = plans_[shape.key];
  if (!kept) {
    std::vector<lt::Heuristic> first(1);
    kept = make(shape, device, first);
  }
  const Plan* plan = kept.get();
  lock.unlock();
  if (!plan->possible) return false;
  const Work work{handles_[static_cast<size_t>(device)], workspace, stream};
  const auto multiply = [&](const Call& call) {
    return work.multiply(g, call, at, plan->algorithm, plan->workspace_bytes);
  };
  // The cached descriptor can be used unless the bias pointer or the row count belongs to this call.
  const lt::Status status = at.bias || ragged ? multiply(Call(g, fast(g), at.bias)) : multiply(plan->call);
  // An algorithm for a multiple of the rows may not do for every number of them: always or never the same.
  if (ragged && (status == lt::kInvalidValue || status == lt::kNotSupported)) return false;
  LT_CHECK(status);
  if (g.relu) rectify(g, at.c, stream);
  return true;
}

}  // namespace schemoe::cuda
