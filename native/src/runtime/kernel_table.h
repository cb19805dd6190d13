// The kernels: the one place that ties codes, names and argument letters together.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/arguments.h"

namespace schemoe {

struct KernelSpec {
  uint32_t code;
  const char* name;
  /// i integer, f float, v view (two words), * any number of further integers.
  const char* letters;
  Arguments (*read)(Reader&);
  /// Part of a phase, not of a computation.
  bool transfer;
};

std::span<const KernelSpec> kernel_table();

/// nullptr where there is no such kernel.
const KernelSpec* find_kernel(uint32_t code);

/// Whether that many argument words can be right.
bool fits(const KernelSpec& spec, uint64_t words);

}  // namespace schemoe
