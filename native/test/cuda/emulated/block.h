// Blocks of threads on the CPU, lane by lane: each thread is a fiber, which runs until it must wait for others.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstring>
#include <source_location>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

/// Of functions that belong to the emulation, so that their own accesses are not checked.
#define EMULATED __attribute__((no_sanitize("thread", "alignment", "bounds"))) inline

namespace emulated {

using Where = std::source_location;

/// What lanes of a warp do together. All of them must come to the same.
enum class Together { shuffle, reduce, vote, match, sync, load, product };

/// The thread that is running.
struct Thread {
  dim3 index{0, 0, 0}, block{0, 0, 0}, blocks, threads;
  unsigned number = 0;  // in its block
  unsigned rank = 0;    // of its block in the cluster
};
extern Thread running;

EMULATED unsigned lane() { return running.number % 32; }

/// Waits until all lanes of the warp have come, each with a value; returns all values, until the next call.
const uint64_t* gather(Together what, unsigned mask, uint64_t mine, Where where);
/// Waits until all threads of the block that have not ended have come.
void sync_block(Where where);
/// Waits until all threads of the cluster's blocks that have not ended have come.
void sync_cluster(Where where);
/// Where the same shared memory of another block of the cluster lies.
void* in_block(void* own, unsigned rank);
/// Waits until it holds: of a thread alone, which says what it waits for.
void wait_until(bool (*holds)(const void*), const void* of, const char* what, Where where);
/// Ends the launch with an error of the kernel: what it did is said with its name, block and thread.
[[noreturn]] void wrong(const std::string& what);

/// Forgets what tensor cores and copies of the block before have not ended. See hopper.h.
void begin_block();

/// Counts what orders two accesses of a cluster: the cluster among all of all launches, its barriers, its block's, and its
/// warp's. Mostly a cluster is a single block.
struct Moment {
  uint64_t cluster = 0;
  uint32_t meetings = 0, barriers = 0, warp_barriers = 0;
};
/// Of the thread that is running.
extern Moment moment;
/// Whether a kernel is running, and no function of the emulation for it.
extern bool in_kernel;
/// What the linker makes one of may be the copy that kernels were compiled with, whose accesses are checked.
struct Unchecked {
  const bool before = std::exchange(in_kernel, false);
  ~Unchecked() { in_kernel = before; }
};

struct Range {
  uintptr_t begin = 0, end = 0;
  bool has(const void* at) const {
    const auto address = reinterpret_cast<uintptr_t>(at);
    return address >= begin && address < end;
  }
};
/// The stacks of threads, the shared memory that the launch asked for, and that of all blocks of the cluster.
extern Range stacks, dynamic, shared_by_cluster;
/// Whether shared memory of the cluster is there, and of a block that has not ended.
bool may_share(const void* at, size_t bytes);
/// Blocks of a cluster, of which there are so many at most.
extern unsigned blocks_together;
inline constexpr unsigned kMostBlocks = 8;

/// All threads of all blocks, one after another; what went wrong is the runtime's last error.
void run(unsigned cluster, dim3 grid, dim3 block, size_t shared, const char* kernel, void (*body)(const void*),
         const void* parameters, size_t bytes);

/// A kernel with its parameters, as a function of one address.
template <class Kernel, class... Parameters>
struct Call {
  const Kernel& kernel;
  std::tuple<Parameters...> parameters;
  EMULATED static void make(const void* from) {
    const auto* call = static_cast<const Call*>(from);
    std::apply(call->kernel, call->parameters);
  }
};

template <class Kernel, class... Parameters>
void launch(unsigned cluster, dim3 grid, dim3 block, size_t shared, const char* name, const Kernel& kernel, Parameters... parameters) {
  const Call<Kernel, Parameters...> call{kernel, {parameters...}};
  run(cluster, grid, block, shared, name, &Call<Kernel, Parameters...>::make, &call, sizeof call);
}

}  // namespace emulated

/// In place of those of launch.cuh.
#define LAUNCH(...) LAUNCH_CLUSTERS(1, __VA_ARGS__)
#define LAUNCH_CLUSTERS(cluster, stream, grid, block, shared, kernel, ...)                                             \
  do {                                                                                                                 \
    (void)(stream);                                                                                                    \
    ::emulated::launch((cluster), (grid), (block), (shared), #kernel, [&](const auto&... p) { kernel(p...); }, __VA_ARGS__); \
    ::schemoe::cuda::check(cudaGetLastError(), #kernel, __FILE__, __LINE__);                                           \
  } while (false)
#define DYNAMIC_SHARED(type, name) type* const name = reinterpret_cast<type*>(::emulated::dynamic.begin)
