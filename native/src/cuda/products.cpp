#include "cuda/products.h"

#include <algorithm>

namespace schemoe::cuda {

namespace {

cudaDataType_t type_of(schemoe_dtype dtype) { return dtype == SCHEMOE_BF16 ? CUDA_R_16BF : CUDA_R_32F; }

/// The largest power of two up to 256 that divides all addresses of a matrix's groups.
int64_t alignment(const void* data, const Matrix& matrix, int64_t groups, schemoe_dtype dtype) {
  uint64_t bits = reinterpret_cast<uint64_t>(data) | 256;
  if (groups > 1) bits |= static_cast<uint64_t>(matrix.stride * element_bytes(dtype));
  return static_cast<int64_t>(bits & -bits);
}

}  // namespace

/// The library counts columns first: a row-major matrix is its transpose, so C^T = op(B)^T op(A)^T.
struct Products::Plan {
  lt::MatmulDesc desc = nullptr;
  lt::MatrixLayout a = nullptr, b = nullptr, c = nullptr;
  lt::Algorithm algorithm;
  size_t workspace_bytes = 0;
  bool possible = false;

  ~Plan() {
    const lt::Library& l = lt::library();
    for (lt::MatrixLayout layout : {a, b, c}) {
      if (layout) l.layout_destroy(layout);
    }
    if (desc) l.desc_destroy(desc);
  }
};

Products::Products(const World& world, bool tf32) : tf32_(tf32), handles_(world.devices(), nullptr) {
  const lt::Library& l = lt::library();
  for (size_t device = 0; device < handles_.size(); ++device) {
    CUDA_CHECK(cudaSetDevice(static_cast<int>(device)));
    LT_CHECK(l.create(&handles_[device]));
  }
}

Products::~Products() {
  plans_.clear();
  for (lt::Handle handle : handles_) {
    if (handle) lt::library().destroy(handle);
  }
}

std::unique_ptr<Products::Plan> Products::make(const Gemm& g, int device, const int64_t* alignments) const {
  const lt::Library& l = lt::library();
  auto plan = std::make_unique<Plan>();
  const bool fast = tf32_ && g.dtypes.a == SCHEMOE_F32;
  LT_CHECK(l.desc_create(&plan->desc, fast ? lt::kCompute32FFastTF32 : lt::kCompute32F, CUDA_R_32F));
  const int32_t first = g.trans_b ? lt::kOpT : lt::kOpN;
  const int32_t second = g.trans_a ? lt::kOpT : lt::kOpN;
  LT_CHECK(l.desc_set(plan->desc, lt::kDescTransA, &first, sizeof first));
  LT_CHECK(l.desc_set(plan->desc, lt::kDescTransB, &second, sizeof second));
  const auto layout = [&](lt::MatrixLayout& to, schemoe_dtype dtype, int64_t rows, int64_t columns, const Matrix& m) {
    LT_CHECK(l.layout_create(&to, type_of(dtype), static_cast<uint64_t>(columns), static_cast<uint64_t>(rows),
                             std::max({m.ld, columns, int64_t{1}})));
    const auto batches = static_cast<int32_t>(g.groups);
    const int64_t stride = m.stride;
    LT_CHECK(l.layout_set(to, lt::kLayoutBatchCount, &batches, sizeof batches));
    LT_CHECK(l.layout_set(to, lt::kLayoutBatchStride, &stride, sizeof stride));
  };
  layout(plan->a, g.dtypes.b, g.trans_b ? g.n : g.k, g.trans_b ? g.k : g.n, g.b);
  layout(plan->b, g.dtypes.a, g.trans_a ? g.k : g.m, g.trans_a ? g.m : g.k, g.a);
  layout(plan->c, g.dtype_c, g.m, g.n, g.c);

  lt::Preference preference = nullptr;
  LT_CHECK(l.preference_create(&preference));
  const struct Owner {
    const lt::Library& library;
    lt::Preference preference;
    ~Owner() { library.preference_destroy(preference); }
  } owner{l, preference};
  const uint64_t workspace = kWorkspace;
  LT_CHECK(l.preference_set(preference, lt::kPreferenceWorkspace, &workspace, sizeof workspace));
  for (int i = 0; i < 4; ++i) {
    const auto bytes = static_cast<uint32_t>(alignments[i]);
    LT_CHECK(l.preference_set(preference, lt::kPreferenceAlignmentA + i, &bytes, sizeof bytes));
  }
  lt::Heuristic best{};
  int found = 0;
  const lt::Status status = l.heuristic(handles_[static_cast<size_t>(device)], plan->desc, plan->a, plan->b, plan->c,
                                        plan->c, preference, 1, &best, &found);
  plan->possible = status == lt::kSuccess && found > 0 && best.state == lt::kSuccess;
  plan->algorithm = best.algorithm;
  plan->workspace_bytes = best.workspace_bytes;
  return plan;
}

const Products::Plan& Products::find(const Gemm& g, const Operands& at, int device) {
  const int64_t alignments[4] = {
      alignment(at.b, g.b, g.groups, g.dtypes.b), alignment(at.a, g.a, g.groups, g.dtypes.a),
      alignment(at.c, g.c, g.groups, g.dtype_c), alignment(at.c, g.c, g.groups, g.dtype_c)};
  const Key key = {device,  g.dtypes.a, g.dtypes.b, g.dtype_c, g.trans_a,     g.trans_b,     g.groups,
                   g.m,     g.n,       g.k,       g.a.ld,    g.a.stride,    g.b.ld,        g.b.stride,
                   g.c.ld,  g.c.stride, alignments[0], alignments[1], alignments[2]};
  auto& plan = plans_[key];
  if (!plan) plan = make(g, device, alignments);
  return *plan;
}

bool Products::run(const Gemm& g, const Operands& at, int device, const Plan*& kept, void* workspace,
                   cudaStream_t stream) {
  if (!kept) kept = &find(g, at, device);
  if (!kept->possible) return false;
  const auto alpha = static_cast<float>(g.alpha);
  const auto beta = static_cast<float>(g.beta);
  LT_CHECK(lt::library().matmul(handles_[static_cast<size_t>(device)], kept->desc, &alpha, at.b, kept->a, at.a,
                                kept->b, &beta, at.c, kept->c, at.c, kept->c, &kept->algorithm, workspace,
                                kept->workspace_bytes, stream));
  return true;
}

}  // namespace schemoe::cuda
