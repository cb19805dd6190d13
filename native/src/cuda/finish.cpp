// The end of a run: everything is idle, and data are checked.
#include <algorithm>

#include "codecs/table.h"
#include "cuda/executor.h"
#include "runtime/check_numbers.h"
#include "runtime/repeated_expert.h"

namespace schemoe::cuda {

namespace {

Failure device_failure(cudaError_t error) noexcept {
  try {
    return {SCHEMOE_DEVICE, join("Cannot finish the run: the GPU reports ", cudaGetErrorName(error), ", ",
                                 cudaGetErrorString(error), "; close the engine and open a new one")};
  } catch (...) {
    return {SCHEMOE_DEVICE, "Cannot finish the run: the GPU reports an error; close the engine and open a new one"};
  }
}

/// The operation of a call.
const Operation& owner_of(const Program& program, uint32_t call) {
  return *std::find_if(program.operations.begin(), program.operations.end(), [&](const Operation& o) {
    return call >= o.calls.first && call < o.calls.first + o.calls.count;
  });
}

}  // namespace

/// Waits until all streams are idle, whatever happened.
void Executor::finish(const Program& program, const Plan& plan) {
  cudaError_t error = cudaSuccess;
  for (uint32_t lane : plan.lanes) {
    world_.leave(lane / kLanes);
    const cudaError_t result = cudaStreamSynchronize(lanes_.at(lane).stream);
    if (error == cudaSuccess) error = result;
  }
  if (error == cudaSuccess) {
    for (uint32_t lane : plan.lanes) {
      world_.leave(lane / kLanes);
      lanes_.at(lane).scratch.tidy();
    }
  }
  if (error != cudaSuccess) {
    cudaGetLastError();
    // An error that a finished stream returns is one that the context does not recover from.
    broken_ = true;
    std::unique_lock lock(mutex_);
    const Failure failure = unfinished(device_failure(error));
    lock.unlock();
    stop(failure);
  }
  std::vector<std::thread> callers;
  {
    const std::lock_guard lock(mutex_);
    program_ = nullptr;
    plan_ = nullptr;
    callers.swap(callers_);
    if (watched_ || closing_) changed_.notify_all();
  }
  hosts_.stop();
  for (std::thread& caller : callers) caller.join();
  hosts_.end();
  if (!failure_) {
    try {
      check_data(program);
    } catch (...) {
      failure_ = caught();
    }
  }
  if (failure_) dirty_errors_ = true;
}

/// Throws INVALID where a kernel found data that make no sense, NOT_FINITE where a checked one computed what is
/// not finite: of several the first in the Program's order.
void Executor::check_data(const Program& program) {
  if (!Signals::is_set(error_seen_)) return;
  DataError wrong{};
  uint64_t number = UINT64_MAX;
  for (uint32_t device = 0; device < world_.devices(); ++device) {
    DataError error{};
    world_.use(device);
    CUDA_CHECK(cudaMemcpy(&error, errors_[device], sizeof error, cudaMemcpyDeviceToHost));
    number = std::min<uint64_t>(number, error.number);
    if (error.set && (!wrong.set || error.call < wrong.call)) wrong = error;
  }
  if (number != UINT64_MAX && (!wrong.set || FirstNumber::call(number) < wrong.call)) {
    const uint32_t call = FirstNumber::call(number);
    throw not_finite(std::get<CheckNumbers>(program.calls[call].arguments), owner_of(program, call),
                     FirstNumber::element(number), static_cast<NotFinite>(FirstNumber::kind(number)));
  }
  if (!wrong.set) return;
  const Operation& operation = owner_of(program, wrong.call);
  const Call& call = program.calls[wrong.call];
  const std::string where = join("Cannot run kernel ", call.spec->name, ": ");
  if (const auto* encode = std::get_if<Encode>(&call.arguments)) {
    fail_at(place_of(operation), operation.checked ? SCHEMOE_NOT_FINITE : SCHEMOE_INVALID, where, "row ", wrong.value,
            " of ", wrong.below, " holds a value that is not finite, which ", encode->spec->name, " cannot represent");
  }
  if (wrong.what == static_cast<uint32_t>(Data::repeated)) {
    fail_at(place_of(operation), SCHEMOE_INVALID, where, RepeatedExpert{wrong.value, wrong.below});
  }
  fail_at(place_of(operation), SCHEMOE_INVALID, where, kDataNames[wrong.what], " holds ", wrong.value, " of ", wrong.below);
}

}  // namespace schemoe::cuda
