// Matrix products by cuBLASLt: one fixed algorithm for each shape, chosen once; measuring chooses among those
// of equal bits.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "cuda/cublaslt.h"
#include "cuda/world.h"
#include "runtime/program.h"

namespace schemoe::cuda {

/// Lets nothing of the product's C, at `c`, be below 0; NaN stays NaN, which the ReLU of cuBLASLt, a maximum
/// with 0, does not promise. (activations.cu)
void rectify(const Gemm& gemm, void* c, cudaStream_t stream);

struct Context;
namespace hopper {
struct Grouped;
}

/// Where the operands of a product lie.
struct Operands {
  const void* a;
  const void* b;
  void* c;
  const void* bias = nullptr;
};

/// Whether a group's matrix is a small one for the grouped kernel.
bool is_fine(const Gemm& gemm);

/// A product of groups as the kernel for Hopper takes it.
hopper::Grouped grouped_of(const Gemm& gemm, const Context& context);

class Products {
 public:
  /// `tune`: `tune` does something.
  Products(const World& world, bool tf32, bool tune);
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
  /// Runs as many of the calls, from the first, as one kernel does together: two products of groups that are added, two
  /// sums over rows with the same first factor, two products of the same rows and the activation that multiplies them,
  /// or one and that activation's gradients. Returns how many; 0 where none does.
  size_t run_together(std::span<const schemoe::Call> calls, const Context& context);
  /// Whether ragged groups of that form, if they lie well, are the kernel's for Hopper.
  bool runs_on_hopper(const Gemm& all) const;

  // tuning.cpp
  /// Where a product is measured, on the current device.
  struct Bench {
    int device;
    void* workspace;
    cudaStream_t stream;
  };
  /// The candidates for a product, in the library's order.
  struct Trial {
    struct Candidate {
      lt::Config config;
      bool equal = false;  // in bits to the first
      double milliseconds = 0;
    };
    Gemm gemm;
    size_t chosen = 0;
    std::vector<Candidate> candidates;
    bool measured = false;  // or the choice of a product of nearly as many rows, if its bits are equal
  };
  /// Whether measuring is worth it: large products of bfloat16.
  static bool is_tuned(const Gemm& gemm);
  /// Chooses the algorithm of such a product if it is new, by running those the library offers on numbers of its
  /// own: the fastest of those that give the same bits as the first, so that what is chosen changes no result.
  /// Where rows are nearly as many as in a product that was measured, its choice is taken: the capacity of a
  /// layer may change from step to step.
  /// Reads and writes none of the operands. Returns when the stream is idle.
  void tune(const Gemm& gemm, const Operands& at, const Bench& bench);
  /// What has been tried so far.
  const std::vector<Trial>& trials() const { return trials_; }

 private:
  struct Call;
  struct Plan;
  struct Branches;
  struct Shape;
  struct Work;
  struct Memory;
  using Key = std::vector<int64_t>;

  static Shape shape_of(const Gemm& gemm, const Operands& at, int device, bool ragged);
  /// With the first of as many candidates as there is room for and the library has.
  std::unique_ptr<Plan> make(const Shape& shape, int device, std::vector<lt::Heuristic>& candidates) const;
  static Trial compare_bits(const Gemm& gemm, const Call& call, const Memory& memory, const Work& work,
                            const std::vector<lt::Heuristic>& candidates);
  static void measure(Trial& trial, const Call& call, const Memory& memory, const Work& work,
                      const std::vector<lt::Heuristic>& candidates);
  /// A measured one of a product that differs in the number of rows, and little.
  const Trial* near(const Gemm& gemm) const;
  bool fast(const Gemm& gemm) const { return tf32_ && gemm.dtypes.a == SCHEMOE_F32; }
  void find_hopper(const World& world);
  /// False where that kernel cannot do it, or is not the faster one.
  bool run_on_hopper(const GemmGroups& groups, const Context& context) const;
  /// The first of two products with what is done of the others; false where the kernel cannot.
  bool run_on_hopper(const GemmGroups& groups, const hopper::Grouped& product, const Context& context) const;
  /// nullptr where ranks share a GPU: streams are scarce there, and the GPU has enough to do at once.
  Branches* branches_of(const Context& context);

  const bool tf32_;
  const bool tune_;
  const bool crowded_;
  std::vector<lt::Handle> handles_;
  int hopper_ = 0;  // multiprocessors for the kernel for Hopper, 0 where it is not used
  int64_t hopper_groups_ = 2;  // the fewest that it is used for
  // Several host threads enqueue when nodes are emulated.
  std::mutex mutex_;
  std::map<Key, std::unique_ptr<Plan>> plans_;
  /// Of each stream that ran ragged products.
  std::map<cudaStream_t, std::unique_ptr<Branches>> branches_;
  std::vector<Trial> trials_;
};

}  // namespace schemoe::cuda
