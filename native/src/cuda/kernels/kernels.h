// The CUDA kernels, one overload for each; `schemoe.h` says what each computes, and the CPU engine is
// their oracle. None uses float atomics, and each has one algorithm for a shape: equal inputs give
// equal bits.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "cuda/buffers.h"
#include "cuda/data_error.h"
#include "cuda/products.h"
#include "cuda/scratch.h"
#include "runtime/arguments.h"

namespace schemoe::cuda {

/// Where a kernel is enqueued: the rank and stream of its lane, whose GPU is the current one.
struct Context {
  const Buffers& buffers;
  uint32_t rank;
  /// Its number in the World, which may not be CUDA's.
  int device;
  cudaStream_t stream;
  Scratch& scratch;
  Products& products;
  /// Where a kernel reports invalid data.
  DataError* error;
  uint32_t call;
  /// The call's further integers in device memory: see `DeviceWords`.
  const int32_t* bounds;

  /// nullptr for a null view.
  template <class T>
  T* at(const View& view) const {
    return view.null() ? nullptr : reinterpret_cast<T*>(buffers.at(view, rank));
  }
  Report report() const { return {error, call}; }
};

/// Enqueues a kernel; throws Failure where the library refuses.
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
void run(const CopyBytes&, const Context&);
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
void run(const CheckNumbers&, const Context&);
void run(const CallSource&, const Context&);

/// Products of a gate with float32 among its factors; false where they do not fit.
bool run_split(const Gemm&, const Context&);
/// Products that cuBLASLt does not do: factors of two types, and shapes it has no algorithm for.
void run_own(const Gemm&, const Context&);
/// C = beta C, for products of nothing.
void scale(const Gemm&, const Context&);

/// A piece of a phase's copies, moved by one block.
struct Tile {
  const std::byte* from;
  std::byte* to;
  uint64_t bytes;
};
inline constexpr uint64_t kTileBytes = 32 << 10;
/// Copies all tiles of a list in device memory.
void copy_tiles(const Tile* tiles, uint32_t count, cudaStream_t stream);

/// Writes the time of the GPU's global clock.
void stamp(uint64_t* at, cudaStream_t stream);
/// Waits until the clock is that many nanoseconds after a stamp, or `stop` is set.
void pace(const uint64_t* from, int64_t nanoseconds, const uint32_t* stop, cudaStream_t stream);
/// Signals that the stream has arrived, and blocks it until `go` or `stop` is set.
void meet_host(uint32_t* arrived, const uint32_t* go, const uint32_t* stop, cudaStream_t stream);

}  // namespace schemoe::cuda
