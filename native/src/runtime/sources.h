// Code of a user's own, compiled elsewhere and loaded while the library runs.
//
// A source has functions; compiled for the CPU it is a shared library with an entry
// `void schemoe_call_NAME(void* const* buffers, const int64_t* numbers)` for each, for CUDA an image with a
// kernel `schemoe_call_NAME(SourceCall)`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "runtime/arguments.h"

namespace schemoe {

/// What a kernel of a source is given.
struct SourceCall {
  void* buffers[CallSource::kBuffers];
  int64_t numbers[CallSource::kNumbers];
};

struct SourceFunction {
  std::string source, name;
  /// nullptr where it has not been loaded for engines of that kind.
  void (*cpu)(void* const* buffers, const int64_t* numbers) = nullptr;
  /// A cudaKernel_t.
  const void* cuda = nullptr;

  /// Whether a call of those sizes and numbers was found right on engines of that kind.
  bool proven(const CallSource& call, uint32_t kind) const;
  void prove(const CallSource& call, uint32_t kind) const;

 private:
  mutable std::mutex mutex_;
  mutable std::set<std::vector<int64_t>> proven_;
};

/// See `schemoe_load_source`.
void load_source(uint32_t kind, uint64_t number, const std::string& name, const std::string& functions, std::span<const uint8_t> image);

/// Throws INVALID where none of that number is loaded, or it has fewer functions.
const SourceFunction& find_source(int64_t number, int64_t function);

/// Throws UNSUPPORTED: the function was not loaded for engines of a kind.
[[noreturn]] void not_loaded(const SourceFunction& function, const char* kind);

/// Bytes in front of an output and behind it by which writing beside it shows.
inline constexpr size_t kGuardBytes = 64;

/// Fills of the memory for two runs, so that bytes that neither writes differ.
inline constexpr int kSourceFills[] = {0xa5, 0x5a};

/// Throws INVALID where the outputs of two runs, in memory filled so, differ.
void compare_outputs(const SourceFunction& function, const std::byte* first, const std::byte* second, size_t bytes);
/// Throws INVALID where the guards around an output are not as they were filled.
void check_guards(const SourceFunction& function, const std::byte* output, size_t bytes, int fill);

#ifdef SCHEMOE_WITH_CUDA
namespace cuda {
/// The kernels of an image, by their names.
std::vector<const void*> load_image(const std::string& source, const std::vector<std::string>& names, std::span<const uint8_t> image);
}  // namespace cuda
#endif

}  // namespace schemoe
