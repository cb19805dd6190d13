// Descriptors of a product for cuBLASLt, and their cache.
#pragma once

#include <array>

#include "cuda/products.h"

namespace schemoe::cuda {

/// Addresses whose alignment a plan depends on, in the library's order: A, B, C, D, bias.
inline constexpr int kBias = 4;

/// Key of the choice of an algorithm.
struct Products::Shape {
  Gemm like;
  std::array<int64_t, kBias + 1> alignments;
  Key key;
};

/// Descriptors of a product. The library is column-major: a row-major matrix is its transpose, so
/// C^T = op(B)^T op(A)^T.
struct Products::Call {
  lt::MatmulDesc desc = nullptr;
  lt::MatrixLayout a = nullptr, b = nullptr, c = nullptr;

  Call(const Gemm& g, bool fast, const void* bias);
  Call(const Call&) = delete;
  ~Call() {
    const lt::Library& l = lt::library();
    for (lt::MatrixLayout layout : {a, b, c}) {
      if (layout) l.layout_destroy(layout);
    }
    if (desc) l.desc_destroy(desc);
  }
};

struct Products::Plan {
  Call call;
  lt::Algorithm algorithm{};
  size_t workspace_bytes = 0;
  bool possible = false;

  void take(const lt::Heuristic& candidate) {
    algorithm = candidate.algorithm;
    workspace_bytes = candidate.workspace_bytes;
  }
};

/// Where a product is enqueued.
struct Products::Work {
  lt::Handle handle;
  void* workspace;
  cudaStream_t stream;

  lt::Status multiply(const Gemm& g, const Call& call, const Operands& at, const lt::Algorithm& algorithm,
                      size_t workspace_bytes) const {
    const auto alpha = static_cast<float>(g.alpha);
    const auto beta = static_cast<float>(g.beta);
    return lt::library().matmul(handle, call.desc, &alpha, at.b, call.a, at.a, call.b, &beta, at.c, call.c, at.c,
                                call.c, &algorithm, workspace, workspace_bytes, stream);
  }
};

}  // namespace schemoe::cuda
