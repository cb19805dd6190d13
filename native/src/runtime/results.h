// The floating-point numbers that each kernel computes, for those who look at them.
#pragma once

#include <vector>

#include "runtime/arguments.h"

namespace schemoe {

/// Matrices of which a kernel wrote every element.
struct Result {
  Block block;
  Matrix x;
};

/// None for kernels that write integers or coded bytes, or only move what others computed.
std::vector<Result> results_of(const Arguments& arguments);

}  // namespace schemoe
