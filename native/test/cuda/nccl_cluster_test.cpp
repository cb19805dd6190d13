// Exceptions of every type while the threads of emulated nodes are inside NCCL, and every allocation failing in turn:
// the caller gets one failure, each group that was begun has ended, and the process goes on. With a library that is
// NCCL by name and the few calls of CUDA that a cluster needs: no GPU.
#include <cuda_runtime_api.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <system_error>

#include "check.h"
#include "failing_allocations.h"
#include "nccl/cluster.h"

namespace {

/// What a call of NCCL does; it runs on the threads of all parts.
std::function<int(const std::string& name, uintptr_t communicator)> hook;
std::atomic<int> groups = 0, made = 0, ended = 0;

}  // namespace

extern "C" {
/// For the libraries, which look for it here.
__attribute__((visibility("default"))) int nccl_call(const char* name, void* communicator) {
  const std::string_view call = name;
  if (call == "ncclGroupEnd") --groups;
  const int result = hook ? hook(name, reinterpret_cast<uintptr_t>(communicator)) : 0;
  if (call == "ncclGroupStart" && result == 0) ++groups;
  if (call == "ncclCommInitRankConfig") ++made;
  if (call == "ncclCommDestroy" || call == "ncclCommAbort") ++ended;
  return result;
}

cudaError_t cudaMalloc(void** to, size_t bytes) { return *to = std::malloc(bytes), cudaSuccess; }
cudaError_t cudaFree(void* data) { return std::free(data), cudaSuccess; }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return *stream = static_cast<cudaStream_t>(std::malloc(1)), cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return std::free(stream), cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaSetDevice(int) { return cudaSuccess; }
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) { return *value = 132, cudaSuccess; }
cudaError_t cudaDeviceCanAccessPeer(int* can, int, int) { return *can = 1, cudaSuccess; }
cudaError_t cudaDeviceEnablePeerAccess(int, unsigned) { return cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t) { return "fake"; }
const char* cudaGetErrorString(cudaError_t) { return "fake"; }
}

namespace {

using namespace schemoe;
using nccl::Cluster;

std::string library;

/// Three nodes of two ranks in one process: two threads beside the caller's.
CudaOptions options() {
  CudaOptions o;
  o.nodes = 3, o.ranks_per_node = 2, o.first = 0, o.count = 6;
  o.nccl = o.emulate_nodes = true;
  o.library = library;
  return o;
}

/// Everything that a cluster does; what it fails with, as the executor would say it.
Failure life(const cuda::World& world) {
  try {
    Cluster cluster(world, options());
    cluster.connect(cluster.make_ids());
    for (uint32_t part = 0; part < cluster.parts(); ++part) {
      const Range ranks = cluster.ranks_of(part);
      cluster.post(part, SCHEMOE_INTRA, {{ranks.first, ranks.first + 1, nullptr, 4, true, nullptr}});
    }
    if (auto failure = cluster.error()) throw *failure;
    return Failure(SCHEMOE_OK, "");
  } catch (...) {
    return caught();
  }
}

/// A call of a node's threads throws: what, and what the caller is told.
void thrown(const cuda::World& world) {
  struct Thrown {
    const char* name;
    std::function<void()> body;
    schemoe_status status;
    const char* text;
  };
  const Thrown all[] = {
      {"an error of NCCL", [] {}, SCHEMOE_DEVICE, "NCCL reports unhandled fake error"},
      {"a failure", [] { fail(SCHEMOE_INVALID, "it is not right"); }, SCHEMOE_INVALID, "it is not right"},
      {"bad_alloc", [] { throw std::bad_alloc(); }, SCHEMOE_OUT_OF_MEMORY, "out of memory"},
      {"system_error", [] { throw std::system_error(EAGAIN, std::generic_category(), "no thread"); }, SCHEMOE_OUT_OF_MEMORY, "no thread"},
      {"logic_error", [] { throw std::logic_error("not a number"); }, SCHEMOE_OUT_OF_MEMORY, "not a number"},
      {"what is no exception", [] { throw 7; }, SCHEMOE_INVALID, "unknown exception"},
  };
  for (const Thrown& one : all) {
    for (const char* where : {"ncclGroupStart", "ncclCommInitRankConfig", "ncclSend", "ncclRecv"}) {
      // On the caller's thread, on another, on all at once. Groups belong to no communicator: there it is all.
      for (uintptr_t rank : {uintptr_t{1}, uintptr_t{4}, uintptr_t{6}, uintptr_t{0}}) {
        hook = [&](const std::string& name, uintptr_t communicator) {
          if (name != where || (rank != 0 && communicator != 0 && communicator != rank)) return 0;
          one.body();
          return 3;
        };
        const Failure failure = life(world);
        const std::string name = std::string(one.name) + " in " + where + " of rank " + std::to_string(rank);
        check::that(failure.status() == one.status && failure.text().find(one.text) != std::string_view::npos,
                    name + ": status " + std::to_string(failure.status()) + ", " + std::string(failure.text()), __FILE__, __LINE__);
        CHECK_EQUAL(name + ": " + std::to_string(groups), name + ": 0");
      }
    }
  }
  // And what is thrown while communicators end is heard by nobody.
  hook = [](const std::string& name, uintptr_t) { return name == "ncclCommDestroy" ? throw std::bad_alloc() : 0; };
  CHECK_EQUAL(std::string(life(world).text()), "");
  hook = nullptr;
  groups = 0;
  CHECK_EQUAL(std::string(life(world).text()), "");
}

void failing(const cuda::World& world) {
  long skipped = 0, unheard = 0;
  for (bool failed = true; failed; ++skipped) {
    made = ended = 0;
    allocations::left = skipped;
    const Failure failure = life(world);
    failed = allocations::left < 0;
    allocations::left = -1;
    // The end of a cluster has nobody to tell.
    if (failed && failure.status() == SCHEMOE_OK) ++unheard;
    else check::that(failure.status() == (failed ? SCHEMOE_OUT_OF_MEMORY : SCHEMOE_OK), "allocation " + std::to_string(skipped) + ": " + std::string(failure.text()), __FILE__, __LINE__);
    CHECK_EQUAL(groups.load(), 0);
    CHECK_EQUAL(made.load(), ended.load());
  }
  std::printf("%ld allocations, %ld of which at the end\n", skipped, unheard);
  CHECK(skipped > 20);
}

/// The same for the ways out of a call in general.
void texts() {
  const auto said = [](auto&& body) {
    try {
      body();
    } catch (...) {
      return caught_in({.task = 3, .rank = 2}, "Cannot run the phase: ");
    }
    return Failure(SCHEMOE_OK, "");
  };
  const Failure known = said([] { fail_at({.task = 1}, SCHEMOE_DEVICE, "it burns"); });
  CHECK_EQUAL(std::string(known.text()), "Cannot run the phase: it burns");
  CHECK_EQUAL(known.record().task, 1u);
  CHECK_EQUAL(known.record().rank, 2u);
  CHECK_EQUAL(static_cast<int>(said([] { throw std::bad_alloc(); }).status()), static_cast<int>(SCHEMOE_OUT_OF_MEMORY));
  CHECK_EQUAL(static_cast<int>(said([] { throw "text"; }).status()), static_cast<int>(SCHEMOE_INVALID));
}

}  // namespace

int main(int count, char** arguments) {
  if (!CHECK_EQUAL(count, 2)) return 1;
  library = arguments[1];
  alarm(100);  // a hang ends the test
  const cuda::World world(options());
  CHECK_EQUAL(std::string(life(world).text()), "");  // copies of the library are loaded once
  texts();
  thrown(world);
  failing(world);
  return check::result();
}
