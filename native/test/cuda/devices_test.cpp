// Ranks on the GPUs of a list. With one GPU only the list itself can be tested.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>

#include "exchange.h"

namespace {

int visible = 0;

std::string text_of(const std::vector<uint32_t>& devices) {
  std::string text;
  for (uint32_t device : devices) text.append(text.empty() ? "" : ",").append(std::to_string(device));
  return text;
}

void refusals() {
  const auto refused = [](uint32_t ranks, const std::vector<uint32_t>& devices, uint32_t copy_by = 0) {
    const Engine engine(ranks, Gpus{copy_by, devices});
    CHECK(!engine.handle && engine.status == SCHEMOE_INVALID);
    return std::string(engine.error.text);
  };
  CHECK_CONTAINS(refused(2, {0}), "1 devices are given for 2 ranks");
  CHECK_CONTAINS(refused(2, {0, 0, 0}), "3 devices are given for 2 ranks");
  const auto far = static_cast<uint32_t>(visible);
  CHECK_CONTAINS(refused(3, {0, 0, far}), "rank 2 is to be on GPU " + std::to_string(far));
  CHECK_CONTAINS(refused(1, {0}, 3), "an option is out of range");
}

/// Exchanges after computations: each rank's bytes, and times on one clock.
void mapping(const std::vector<uint32_t>& devices, uint32_t copy_by, uint64_t slice) {
  const auto ranks = static_cast<uint32_t>(devices.size());
  Engine engine(ranks, Gpus{copy_by, devices});
  check::that(engine.handle, "on GPUs " + text_of(devices) + ": " + engine.error.text, __FILE__, __LINE__);
  if (!engine.handle) return;
  // GPUs are numbered as ranks first use them
  std::vector<uint32_t> expected, known;
  for (uint32_t device : devices) {
    auto at = std::find(known.begin(), known.end(), device);
    if (at == known.end()) at = known.insert(at, device);
    expected.push_back(static_cast<uint32_t>(at - known.begin()));
  }
  std::vector<uint32_t> processors(ranks, ~0u);
  CHECK_EQUAL(schemoe_processors(engine.handle, processors.data(), ranks, &engine.error), SCHEMOE_OK);
  CHECK(processors == expected);
  CHECK_EQUAL(schemoe_processors(engine.handle, processors.data(), ranks + 1, &engine.error), SCHEMOE_INVALID);
  Exchange exchange(engine, slice);
  const uint32_t scores = engine.allocate(64);
  constexpr double kPaced = 2e-3;
  Packed packed(ranks);
  for (uint32_t r = 0; r < ranks; ++r) {
    packed.operation(0, r, 0, {false, kPaced, {}});
    packed.kernel(20, Words().i(16).v(scores).f(r));
  }
  exchange.add(packed, 1);
  Prepared prepared(engine, packed);
  for (uint32_t run = 0; run < 3; ++run) {
    exchange.fill(run);
    CHECK_EQUAL(prepared.run(), "");
    exchange.check();
  }
  uint64_t wrong = 1;
  CHECK_EQUAL(schemoe_clock_error(engine.handle, &wrong, &engine.error), SCHEMOE_OK);
  const bool several = std::any_of(devices.begin(), devices.end(), [&](uint32_t d) { return d != devices.front(); });
  check::that(several ? wrong > 0 && wrong < 200'000 : wrong == 0,
              "clocks of GPUs " + text_of(devices) + " are within " + std::to_string(wrong) + " ns", __FILE__, __LINE__);
  if (several) std::printf("GPUs %s: clocks within %.1f us\n", text_of(devices).c_str(), static_cast<double>(wrong) * 1e-3);
  // All begin with the run, and take as long as each other.
  const schemoe_event& first = prepared.events[0];
  for (uint32_t r = 1; r < ranks; ++r) {
    const auto apart = static_cast<int64_t>(prepared.events[r].end_ns - first.end_ns);
    check::that(std::abs(apart) < 1'000'000, "rank " + std::to_string(r) + " on GPUs " + text_of(devices) + " ends " +
                                                 std::to_string(apart) + " ns after rank 0", __FILE__, __LINE__);
  }
}

}  // namespace

int main() {
  if (const auto returned = without_gpu()) return *returned;
  if (cudaGetDeviceCount(&visible) != cudaSuccess) return 1;
  refusals();
  std::vector<std::vector<uint32_t>> lists{{0, 0}};
  const auto last = static_cast<uint32_t>(visible - 1);
  if (visible > 1) {
    lists.insert(lists.end(), {{0, 1}, {1, 0}, {0, 1, 0, 1}, {1, 1, 0, 0}, {0, 1, 1}, {last, last}, {last, 0, last}});
    std::vector<uint32_t> all;
    for (uint32_t device = 0; device <= last; ++device) all.push_back(device);
    lists.push_back(all);
  }
  for (const auto& devices : lists) {
    for (uint32_t copy_by : {0, 1}) {
      for (uint64_t slice : {70'001, 3'000'001}) mapping(devices, copy_by, slice);
    }
  }
  return check::result();
}
