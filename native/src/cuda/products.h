// Matrix products by cuBLASLt: one fixed algorithm for each shape, chosen once.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "cuda/cublaslt.h"
#include "cuda/world.h"
#include "runtime/arguments.h"

namespace schemoe::cuda {

/// Where the operands of a product lie.
struct Operands {
  const void* a;
  const void* b;
  void* c;
};

class Products {
 public:
  Products(const World& world, bool tf32);
  ~Products();
  Products(const Products&) = delete;

  /// Work area that `run` needs on its stream.
  static constexpr size_t kWorkspace = size_t{32} << 20;

  /// How a shape is computed.
  struct Plan;

  /// False when the library has no algorithm for it. `device` is the current one; `kept` is nullptr, or
  /// what an earlier call with operands at the same places left there.
  bool run(const Gemm& gemm, const Operands& at, int device, const Plan*& kept, void* workspace, cudaStream_t stream);

 private:
  using Key = std::vector<int64_t>;

  const Plan& find(const Gemm& gemm, const Operands& at, int device);
  std::unique_ptr<Plan> make(const Gemm& gemm, int device, const int64_t* alignments) const;

  const bool tf32_;
  std::vector<lt::Handle> handles_;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace schemoe::cuda
