#include "cuda/sources.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cuda/check.h"
#include "cuda/kernels/kernels.h"
#include "runtime/failure.h"
#include "runtime/sources.h"

namespace schemoe::cuda {

namespace {

constexpr int64_t kThreads = 256;

SourceCall with_numbers(const CallSource& c) {
  SourceCall call{};
  std::copy(c.numbers.begin(), c.numbers.end(), call.numbers);
  return call;
}

void launch(const CallSource& c, SourceCall call, cudaStream_t stream) {
  const int64_t blocks = std::clamp<int64_t>((c.threads + kThreads - 1) / kThreads, 1, INT32_MAX);
  void* arguments[] = {&call};
  CUDA_CHECK(cudaLaunchKernel(c.function->cuda, dim3(static_cast<unsigned>(blocks)), dim3(kThreads), arguments, 0, stream));
}

struct Free {
  void operator()(void* memory) const { cudaFree(memory); }
};
using Memory = std::unique_ptr<void, Free>;

Memory filled(size_t bytes, int fill) {
  void* memory = nullptr;
  CUDA_CHECK(cudaMalloc(&memory, std::max<size_t>(bytes, 1)));
  Memory owned(memory);
  CUDA_CHECK(cudaMemset(memory, fill, bytes));
  return owned;
}

/// What it writes into memory that is filled with a byte, with its guards.
std::vector<std::byte> output_of(const CallSource& c, int fill) {
  const auto output = static_cast<size_t>(c.output - 1);
  SourceCall call = with_numbers(c);
  std::vector<Memory> kept;
  for (size_t i = 0; i < CallSource::kBuffers; ++i) {
    if (c.buffers[i].null()) continue;
    const auto bytes = static_cast<size_t>(c.bytes[i]);
    const size_t guard = i == output ? kGuardBytes : 0;
    kept.push_back(filled(bytes + 2 * guard, guard ? fill : 0));
    call.buffers[i] = static_cast<std::byte*>(kept.back().get()) + guard;
  }
  launch(c, call, nullptr);
  CUDA_CHECK(cudaDeviceSynchronize());
  const auto bytes = static_cast<size_t>(c.bytes[output]) + 2 * kGuardBytes;
  std::vector<std::byte> host(bytes);
  CUDA_CHECK(cudaMemcpy(host.data(), static_cast<std::byte*>(call.buffers[output]) - kGuardBytes, bytes, cudaMemcpyDeviceToHost));
  return host;
}

}  // namespace

#if CUDART_VERSION >= 12080
std::vector<const void*> load_image(const std::string& source, const std::vector<std::string>& names, std::span<const uint8_t> image) {
  cudaLibrary_t library = nullptr;
  const cudaError_t error = cudaLibraryLoadData(&library, image.data(), nullptr, nullptr, 0, nullptr, nullptr, 0);
  if (error != cudaSuccess) {
    cudaGetLastError();
    fail(SCHEMOE_UNSUPPORTED, "Cannot load the source \"", source, "\" for CUDA: ", cudaGetErrorString(error));
  }
  std::vector<const void*> kernels;
  for (const std::string& name : names) {
    cudaKernel_t kernel = nullptr;
    if (cudaLibraryGetKernel(&kernel, library, name.c_str()) != cudaSuccess) {
      cudaGetLastError();
      fail(SCHEMOE_INVALID, "Cannot load the source \"", source, "\" for CUDA: it has no kernel ", name);
    }
    kernels.push_back(reinterpret_cast<const void*>(kernel));
  }
  return kernels;
}
#else
std::vector<const void*> load_image(const std::string& source, const std::vector<std::string>&, std::span<const uint8_t>) {
  fail(SCHEMOE_UNSUPPORTED, "Cannot load the source \"", source, "\" for CUDA: the library was built with a CUDA toolkit older than 12.8");
}
#endif

void prove_sources(const Program& program, const World& world) {
  for (const Call& call : program.calls) {
    const auto* c = std::get_if<CallSource>(&call.arguments);
    if (!c) continue;
    if (!c->function->cuda) not_loaded(*c->function, "the CUDA engine");
    if (c->function->proven(*c, SCHEMOE_CUDA)) continue;
    for (uint32_t device = 0; device < world.devices(); ++device) {
      world.use(device);
      cudaFuncAttributes attributes{};
      CUDA_CHECK(cudaFuncGetAttributes(&attributes, c->function->cuda));
    }
    if (c->output > 0) {
      world.use(0);
      const std::vector<std::byte> outputs[] = {output_of(*c, kSourceFills[0]), output_of(*c, kSourceFills[1])};
      const auto bytes = static_cast<size_t>(c->bytes[static_cast<size_t>(c->output - 1)]);
      for (int i = 0; i < 2; ++i) check_guards(*c->function, outputs[i].data() + kGuardBytes, bytes, kSourceFills[i]);
      compare_outputs(*c->function, outputs[0].data() + kGuardBytes, outputs[1].data() + kGuardBytes, bytes);
    }
    c->function->prove(*c, SCHEMOE_CUDA);
  }
}

void run(const CallSource& c, const Context& context) {
  SourceCall call = with_numbers(c);
  for (size_t i = 0; i < CallSource::kBuffers; ++i) call.buffers[i] = context.at<void>(c.buffers[i]);
  launch(c, call, context.stream);
}

}  // namespace schemoe::cuda
