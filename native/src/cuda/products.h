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

struct Context;

/// Where the operands of a product lie.
struct Operands {
  const void* a;
  const void* b;
  void* c;
  const void* bias = nullptr;
};

class Products {
 public:
  Products(const World& world, bool tf32);
  ~Products();
  Products(const Products&) = delete;

  /// A ragged group as one whose algorithm it shares: of as many rows as a multiple of some.
  static Gemm rounded(const Gemm& group);
  /// Work area that `run` needs on its stream.
  static constexpr size_t kWorkspace = size_t{32} << 20;

  /// False when the library has no algorithm for it. `device` is the current one.
  /// `ragged`: with an algorithm that is chosen for a range of rows.
  bool run(const Gemm& gemm, const Operands& at, int device, void* workspace, cudaStream_t stream, bool ragged);
  bool run(const Gemm& gemm, const Operands& at, int device, void* workspace, cudaStream_t stream) {
    return run(gemm, at, device, workspace, stream, false);
  }

  /// Products of groups with numbers of rows of their own: in one kernel where a Hopper GPU can, otherwise
  /// some at once. Each sum has an order that depends on its shape alone.
  void run_groups(const GemmGroups& groups, const Context& context);
  /// Whether ragged groups of that form, if they lie well, are the kernel's for Hopper.
  bool runs_on_hopper(const Gemm& all) const;

 private:
  struct Call;
  struct Plan;
  struct Branches;
  using Key = std::vector<int64_t>;

  std::unique_ptr<Plan> make(const Gemm& gemm, int device, const int64_t* alignments) const;
  bool fast(const Gemm& gemm) const { return tf32_ && gemm.dtypes.a == SCHEMOE_F32; }
  void find_hopper(const World& world);
  /// False where that kernel cannot do it, or is not the faster one.
  bool run_on_hopper(const GemmGroups& groups, const Context& context) const;
  /// nullptr where ranks share a GPU: streams are scarce there, and the GPU has enough to do at once.
  Branches* branches_of(const Context& context);

  const bool tf32_;
  const bool crowded_;
  std::vector<lt::Handle> handles_;
  int hopper_ = 0;  // multiprocessors for the kernel for Hopper, 0 where it is not used
  // Several host threads enqueue when nodes are emulated.
  std::mutex mutex_;
  std::map<Key, std::unique_ptr<Plan>> plans_;
  /// Of each stream that ran ragged products.
  std::map<cudaStream_t, std::unique_ptr<Branches>> branches_;
};

}  // namespace schemoe::cuda
