// How a kernel says that its data are wrong, such as an expert that does not exist.
#pragma once

#include <cstdint>

namespace schemoe::cuda {

/// In device memory; the first kernel to find something fills it.
struct DataError {
  uint32_t set;
  uint32_t call;
  uint32_t what;
  uint32_t unused;
  int64_t value;
  int64_t below;
  /// Of elements that are not finite the first, see `FirstNumber`; UINT64_MAX where all are.
  unsigned long long number;
  /// In the host's memory, so that it sees at once whether there is one.
  uint32_t* seen;
};

/// An element that is not finite as one number, smaller where it comes first: its check, its place, what it is.
struct FirstNumber {
  static constexpr int kElementBits = 40, kKindBits = 2;
  static constexpr uint32_t kMostCalls = 1u << (64 - kElementBits - kKindBits);

  static constexpr uint32_t call(uint64_t number) { return static_cast<uint32_t>(number >> (kElementBits + kKindBits)); }
  static constexpr int64_t element(uint64_t number) {
    return static_cast<int64_t>(number >> kKindBits & ((uint64_t{1} << kElementBits) - 1));
  }
  static constexpr uint32_t kind(uint64_t number) { return static_cast<uint32_t>(number & ((1u << kKindBits) - 1)); }
  static constexpr uint64_t of(uint32_t call, int64_t element, uint32_t kind) {
    const uint64_t most = (uint64_t{1} << kElementBits) - 1, at = static_cast<uint64_t>(element);
    return uint64_t{call} << (kElementBits + kKindBits) | (at < most ? at : most) << kKindBits | kind;
  }
};

inline constexpr const char* kDataNames[] = {"choices", "positions", "slots",     "rows",
                                             "ids",     "targets",   "token ids", "table", "repeated"};
/// For `rows` the value is a row with a number that is not finite, for `repeated` an expert, with a row of the table.
enum class Data : uint32_t { choices, positions, slots, rows, ids, targets, token_ids, table, repeated };

/// A kernel's access to the error record.
struct Report {
  DataError* error;
  uint32_t call;

#ifdef __CUDACC__
  /// Whether 0 <= value < below.
  __device__ bool checked(Data what, int64_t value, int64_t below) const {
    if (value >= 0 && value < below) return true;
    found(what, value, below);
    return false;
  }
  __device__ void found(Data what, int64_t value, int64_t below) const {
    if (atomicCAS(&error->set, 0u, 1u) == 0u) {
      error->call = call;
      error->what = static_cast<uint32_t>(what);
      error->value = value;
      error->below = below;
      *error->seen = 1;
    }
  }
#endif
};

}  // namespace schemoe::cuda
