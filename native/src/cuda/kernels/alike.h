// Calls of a task that one launch does: the same for several tensors, or one after another on the same rows. What is done
// together follows from the calls' form alone, and bits are those of one after another.
#pragma once

#include <span>

#include "cuda/kernels/kernels.h"
#include "runtime/program.h"

namespace schemoe::cuda {

/// Tensors of a launch.
inline constexpr size_t kMostAlike = 32;

/// AdamW of a parameter, and the rounding of it or nullptr.
struct Update {
  const Adamw* step;
  const Round* rounded;
};

/// Updates with the same rates, of at most kMostAlike tensors apart from each other; elements are computed as by one
/// launch for each.
void run(std::span<const Update> updates, const Context& context);
/// Sums of the same kind, of at most kMostAlike tensors; the order of each is that of a launch of its own.
void run(std::span<const SumValues* const> sums, const Context& context);

/// Positions of tensors of the same length, heads' columns and base, of at most kMostTurned.
inline constexpr size_t kMostTurned = 2;
void run(std::span<const Rotary* const> turned, const Context& context);

/// Rows of bfloat16 without means, kept in registers; false where they do not fit: a norm, of a sum that is written too
/// where there is one,
bool run_rows(const Norm& norm, const AddTensors* sum, const Context& context);
/// and the gradient of its weight, and of its rows too where they are given.
bool run_rows(const NormWeightGrad& weight, const NormGrad* rows, const Context& context);

/// Runs as many of the calls, from the first, as one launch does; returns how many, 0 where there are not two.
size_t run_alike(std::span<const schemoe::Call> calls, const Context& context);

}  // namespace schemoe::cuda
