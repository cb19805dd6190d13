// The CPU kernels, one overload for each; `schemoe.h` says what each computes.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "cpu/buffers.h"
#include "cpu/scratch.h"
#include "runtime/arguments.h"
#include "runtime/check_numbers.h"

namespace schemoe {

/// Float32 copies of bfloat16 operands, by their views.
struct Staged {
  struct Copy {
    View view;
    /// Elements before it in the memory of all.
    size_t first;
  };
  std::vector<Copy> copies;
  float* memory = nullptr;

  const Copy* find(const View& view) const {
    for (const Copy& copy : copies) {
      if (copy.view.buffer == view.buffer && copy.view.offset == view.offset) return &copy;
    }
    return nullptr;
  }
  float* at(const View& view) const { return memory + find(view)->first; }
};

/// Where a kernel runs: buffers of one rank, and a flag that asks it to stop soon.
struct Context {
  const Buffers& buffers;
  uint32_t rank;
  Scratch& scratch;
  const std::atomic<bool>& stop;
  /// What kernels see instead of bfloat16.
  const Staged* staged = nullptr;

  /// nullptr for a null view.
  template <class T>
  T* at(const View& view) const {
    if (view.null()) return nullptr;
    if (staged) {
      if (staged->find(view)) return reinterpret_cast<T*>(staged->at(view));
    }
    return reinterpret_cast<T*>(buffers.at(view, rank));
  }
};

/// Throws Failure where the data are wrong, such as an expert that does not exist. Operands in bfloat16 become
/// float32, the kernel computes in float32, and its results are rounded once.
void run_kernel(const Arguments& arguments, const Context& context);

void run(const Gemm&, const Context&);
void run(const BiasAct&, const Context&);
void run(const ActGrad&, const Context&);
void run(const Glu&, const Context&);
void run(const GluGrad&, const Context&);
void run(const ColumnSum&, const Context&);
void run(const WeighRows&, const Context&);
void run(const Softmax&, const Context&);
void run(const TopK&, const Context&);
void run(const Positions&, const Context&);
void run(const AuxLoss&, const Context&);
void run(const Slots&, const Context&);
void run(const Dispatch&, const Context&);
void run(const Combine&, const Context&);
void run(const RowDot&, const Context&);
void run(const GateGrad&, const Context&);
void run(const Encode&, const Context&);
void run(const Decode&, const Context&);
void run(const SumRanks&, const Context&);
void run(const AddSlices&, const Context&);
void run(const MaxRanks&, const Context&);
void run(const Fill&, const Context&);
void run(const RandomNormal&, const Context&);
void run(const MaxLoad&, const Context&);
void run(const CountRows&, const Context&);
void run(const CopyBytes&, const Context&);
void run(const CallSource&, const Context&);
void run(const GemmGroups&, const Context&);
void run(const PlaceTokens&, const Context&);
void run(const GroupRows&, const Context&);
void run(const UngroupRows&, const Context&);
void run(const Route&, const Context&);
void run(const RouteGrad&, const Context&);
void run(const PlaceChoices&, const Context&);
void run(const ChooseTokens&, const Context&);
void run(const RoundChoices&, const Context&);
void run(const BudgetBias&, const Context&);
void run(const CountChoices&, const Context&);
void run(const DropPadding&, const Context&);
void run(const BalanceLoss&, const Context&);
void run(const ZLoss&, const Context&);
void run(const ImportanceLoss&, const Context&);
void run(const LoadLoss&, const Context&);
void run(const AddNoise&, const Context&);
void run(const NoiseGrad&, const Context&);
void run(const LookUp&, const Context&);
void run(const PlaceCopies&, const Context&);
void run(const AddIdentity&, const Context&);
void run(const IdentityDots&, const Context&);
void run(const ShiftBias&, const Context&);
void run(const QuantileBias&, const Context&);
void run(const UnitRows&, const Context&);
void run(const UnitRowsGrad&, const Context&);
void run(const Temper&, const Context&);
void run(const GatedRows&, const Context&);
void run(const Embedding&, const Context&);
void run(const EmbeddingGrad&, const Context&);
void run(const Rotary&, const Context&);
void run(const Norm&, const Context&);
void run(const NormGrad&, const Context&);
void run(const NormWeightGrad&, const Context&);
void run(const Attention&, const Context&);
void run(const AttentionGrad&, const Context&);
void run(const AddTensors&, const Context&);
void run(const CrossEntropy&, const Context&);
void run(const SumValues&, const Context&);
void run(const ClipScale&, const Context&);
void run(const Adamw&, const Context&);
void run(const Sgd&, const Context&);
void run(const Round&, const Context&);

/// Which element is not finite, among those that a check counts.
struct FoundNumber {
  int64_t element;
  NotFinite what;
};
/// The first of them.
std::optional<FoundNumber> find_number(const CheckNumbers& check, const Context& context);

/// Throws INVALID unless 0 <= value < below.
int64_t checked(const char* what, int64_t value, int64_t below);

/// Tokens in the order in which they take places: as they come, or, given scores [tokens, rows], by their best one, equal
/// ones as they come. The list lies in the scratch memory of the lane.
const std::vector<int32_t>& order_of_tokens(const Context& context, const float* scores, int64_t tokens, int64_t rows);

}  // namespace schemoe
