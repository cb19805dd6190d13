// Calls of code that was compiled for this run, whose output is looked at before it is believed.
#include <algorithm>
#include <cstring>

#include "cpu/kernels/kernels.h"
#include "runtime/sources.h"

namespace schemoe {

namespace {

/// Memory for the outputs of two runs with guards around them.
struct Guarded {
  Guarded(std::vector<float>& floats, size_t bytes)
      : bytes_(bytes), padded_((bytes + kGuardBytes - 1) / kGuardBytes * kGuardBytes) {
    floats.resize(2 * (padded_ + 2 * kGuardBytes) / sizeof(float));
    data_ = reinterpret_cast<std::byte*>(floats.data());
  }
  std::byte* run(size_t which, const SourceFunction& f, void** buffers, size_t output, const int64_t* numbers) {
    std::byte* memory = data_ + which * (padded_ + 2 * kGuardBytes);
    std::byte* begin = memory + kGuardBytes;
    const int fill = kSourceFills[which];
    std::memset(memory, fill, bytes_ + 2 * kGuardBytes);
    buffers[output] = begin;
    f.cpu(buffers, numbers);
    check_guards(f, begin, bytes_, fill);
    return begin;
  }

 private:
  size_t bytes_, padded_;
  std::byte* data_;
};

}  // namespace

void run(const CallSource& c, const Context& context) {
  const SourceFunction& f = *c.function;
  if (!f.cpu) not_loaded(f, "the CPU engine");
  void* buffers[CallSource::kBuffers];
  for (size_t i = 0; i < CallSource::kBuffers; ++i) buffers[i] = context.at<void>(c.buffers[i]);
  int64_t numbers[CallSource::kNumbers]{};
  std::copy(c.numbers.begin(), c.numbers.end(), numbers);
  if (c.output == 0) return f.cpu(buffers, numbers);
  const auto output = static_cast<size_t>(c.output - 1);
  const auto bytes = static_cast<size_t>(c.bytes[output]);
  void* const place = buffers[output];
  Guarded guarded(context.scratch.floats, bytes);
  const std::byte* first = guarded.run(0, f, buffers, output, numbers);
  if (!f.proven(c, SCHEMOE_CPU)) {
    compare_outputs(f, first, guarded.run(1, f, buffers, output, numbers), bytes);
    f.prove(c, SCHEMOE_CPU);
  }
  std::memcpy(place, first, bytes);
}

}  // namespace schemoe
