// NVTX ranges: the host's work on each operation, as Nsight Systems shows it.
#pragma once

#include "runtime/program.h"

namespace schemoe {

/// Whether the library was built with NVTX.
bool has_nvtx();

/// Ranges of a Program that has names, one inside the other on the thread that begins them, until they
/// end together with this object. Of a Program without names there are none.
class NvtxRanges {
 public:
  explicit NvtxRanges(const Program& program) : program_(program) {}
  ~NvtxRanges() {
    for (; open_ > 0; --open_) pop();
  }
  NvtxRanges(const NvtxRanges&) = delete;

  /// All of a run, by the name of the Program.
  void begin_run() {
    if (!program_.names.empty()) push(nullptr);
  }
  /// An operation by the name of its task; the payload is its rank, the category its lane and kind.
  void begin(const Operation& operation) {
    if (!program_.names.empty()) push(&operation);
  }

 private:
  void push(const Operation* operation);
  void pop();

  const Program& program_;
  uint32_t open_ = 0;
};

}  // namespace schemoe
