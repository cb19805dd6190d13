// No kernel hides a NaN: in each that computes floating-point numbers, one in any of its inputs shows in them.
#include <algorithm>
#include <limits>

#include "library.h"
#include "number_cases.h"
#include "runtime/kernel_table.h"

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Runs a case that looks at its numbers, with a NaN in one of its buffers if that is one.
Outcome look(const NumberCase& one, size_t spoilt = SIZE_MAX) {
  Engine engine(1);
  for (size_t i = 0; i < one.buffers.size(); ++i) {
    CaseBuffer buffer = one.buffers[i];
    if (i == spoilt) buffer.floats[buffer.at] = kNan;
    CHECK_EQUAL(engine.allocate(4 * std::max(buffer.floats.size(), buffer.integers.size())), i);
    if (buffer.floats.empty()) engine.write(static_cast<uint32_t>(i), 0, buffer.integers);
    else engine.write(static_cast<uint32_t>(i), 0, buffer.floats);
  }
  Packed packed(1);
  packed.operation(0, 0, 0, {});
  packed.kernel(one.code, one.words);
  packed.records[0].flags = SCHEMOE_CHECK_NUMBERS;
  return engine.run(packed);
}

void propagates(const NumberCase& one) {
  CHECK_EQUAL(one.name + ": " + look(one).text, one.name + ": ");
  for (size_t i = 0; i < one.buffers.size(); ++i) {
    if (!one.buffers[i].shows) continue;
    const Outcome outcome = look(one, i);
    check::that(outcome.status == SCHEMOE_NOT_FINITE,
                one.name + " hides a NaN in buffer " + std::to_string(i) + ": \"" + outcome.text + "\"", __FILE__, __LINE__);
  }
}

/// Every kernel of the table is among the cases, or has a reason not to be; not both.
void complete(const std::vector<NumberCase>& cases) {
  for (const schemoe::KernelSpec& spec : schemoe::kernel_table()) {
    const bool has = std::any_of(cases.begin(), cases.end(), [&](const auto& one) { return one.code == spec.code; });
    const bool exempt = std::any_of(kWithoutNumbers.begin(), kWithoutNumbers.end(),
                                    [&](const auto& one) { return one.first == spec.code; });
    check::that(has != exempt, std::string("kernel ") + spec.name + (has ? " has a case and a reason against one" : " has no case"),
                __FILE__, __LINE__);
  }
}

}  // namespace

int main() {
  const NumberCases cases;
  complete(cases.list);
  for (const NumberCase& one : cases.list) propagates(one);
  return check::result();
}
