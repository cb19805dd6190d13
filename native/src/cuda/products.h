// Matrix products by cuBLASLt: one fixed algorithm for each shape, chosen once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
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

  /// False when the library has no algorithm for it. `device` is the current one.
  bool run(const Gemm& gemm, const Operands& at, int device, void* workspace, cudaStream_t stream);

 private:
  struct Plan;
  using Key = std::vector<int64_t>;

  std::unique_ptr<Plan> make(const Gemm& gemm, int device, const int64_t* alignments) const;

  const bool tf32_;
  std::vector<lt::Handle> handles_;
  // Several host threads enqueue when nodes are emulated.
  std::mutex mutex_;
  std::map<Key, std::unique_ptr<Plan>> plans_;
};

}  // namespace schemoe::cuda
