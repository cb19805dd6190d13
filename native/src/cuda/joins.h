// Events between the lanes of a Program, worked out once.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/program.h"

namespace schemoe::cuda {

struct Joins {
  explicit Joins(const Program& program);

  /// Operations of other lanes whose end each operation waits for, without those that its lane's order or an
  /// earlier wait of its lane implies.
  std::vector<std::vector<uint32_t>> waits;
  /// Whether another lane waits for its end.
  std::vector<uint8_t> awaited;
  /// The operation before it on its lane, or kNone.
  std::vector<uint32_t> before;

  static constexpr uint32_t kNone = UINT32_MAX;
};

}  // namespace schemoe::cuda
