// The few entries of NCCL that transfers need, declared here and found at run time, so that the library
// builds without NCCL and loads on machines without it.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "runtime/failure.h"

namespace schemoe::nccl {

using Result = int;
using Communicator = void*;
using Id = std::array<char, 128>;

// Values of nccl.h that have not changed since the version that this asks for.
inline constexpr Result kSuccess = 0;
inline constexpr Result kInProgress = 7;
inline constexpr int kUint8 = 1;
inline constexpr int kUndefined = INT32_MIN;
/// Versions count 10000 a major, 100 a minor and 1 a patch.
inline constexpr int kOldest = 21800;
/// The first that lets several ranks share a GPU.
inline constexpr int kSharedGpu = 23000;

/// ncclConfig_t as of version 2.18; later versions know it by its size.
struct Config {
  size_t size = sizeof(Config);
  unsigned magic = 0xcafebeef;
  unsigned version = kOldest;
  int blocking = 1;
  int cga_cluster_size = kUndefined;
  int min_ctas = kUndefined;
  int max_ctas = kUndefined;
  const char* net_name = nullptr;
  int split_share = kUndefined;

  /// At most that many blocks a communicator; 0: as many as NCCL takes.
  static Config of_blocks(int most) {
    Config config;
    if (most > 0) config.min_ctas = 1, config.max_ctas = most;
    return config;
  }
};

struct Library {
  std::string path;
  int version = 0;
  Result (*get_version)(int*);
  const char* (*error_string)(Result);
  const char* (*last_error)(Communicator);
  Result (*unique_id)(Id*);
  /// The id is passed by value in C; a struct of that size goes through memory alike.
  Result (*init)(Communicator*, int ranks, Id, int rank, Config*);
  Result (*destroy)(Communicator);
  Result (*abort)(Communicator);
  Result (*async_error)(Communicator, Result*);
  Result (*send)(const void*, size_t count, int type, int peer, Communicator, cudaStream_t);
  Result (*receive)(void*, size_t count, int type, int peer, Communicator, cudaStream_t);
  Result (*group_start)();
  Result (*group_end)();

  /// Throws DEVICE unless the call succeeded.
  void check(Result result, const char* what) const;
};

/// Opens the file at `path`, or what the loader finds if it is empty. Throws UNSUPPORTED naming what is
/// missing; the library stays loaded.
Library open_library(const std::string& path);

/// `2.30.7`.
std::string version_text(int version);

}  // namespace schemoe::nccl
