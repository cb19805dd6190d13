// NaN, infinities and what runs that look at numbers say of them: every kernel of the table, the GPU against the
// CPU engine.
#include <algorithm>
#include <limits>
#include <set>

#include "both.h"
#include "number_cases.h"

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
/// Of the largest finite number of a buffer.
constexpr double kTolerance = 1e-5;

struct Ran {
  int32_t status;
  std::string text;
  std::vector<std::vector<float>> floats;
};

/// A value at a place of one of a case's buffers, if that is one.
struct Spoilt {
  size_t buffer = SIZE_MAX, at = 0;
  float value = 0;
};

Ran run_on(Engine& engine, const NumberCase& one, const Spoilt& spoilt) {
  Ran ran{};
  std::vector<uint32_t> ids;
  const auto bytes_of = [](const auto& values) {
    const auto* begin = reinterpret_cast<const uint8_t*>(values.data());
    return std::vector<uint8_t>(begin, begin + 4 * values.size());
  };
  for (size_t i = 0; i < one.buffers.size(); ++i) {
    CaseBuffer buffer = one.buffers[i];
    if (i == spoilt.buffer) buffer.floats[spoilt.at] = spoilt.value;
    const auto bytes = buffer.floats.empty() ? bytes_of(buffer.integers) : bytes_of(buffer.floats);
    ids.push_back(engine.allocate(bytes.size()));
    CHECK_EQUAL(ids.back(), i);
    engine.write(ids.back(), 0, bytes);
  }
  Packed packed(1);
  packed.operation(0, 0, 0, {});
  packed.kernel(one.code, one.words);
  packed.records[0].flags = SCHEMOE_CHECK_NUMBERS;
  engine.status = SCHEMOE_OK;
  ran.text = engine.run(packed);
  ran.status = engine.status;
  for (size_t i = 0; i < one.buffers.size(); ++i) {
    const auto bytes = engine.read(ids[i], 0, 4 * std::max(one.buffers[i].floats.size(), one.buffers[i].integers.size()));
    ran.floats.emplace_back(bytes.size() / 4);
    std::memcpy(ran.floats.back().data(), bytes.data(), bytes.size());
    engine.free(ids[i]);
  }
  return ran;
}

/// The first element in which two buffers differ by more than rounding.
size_t difference(const std::vector<float>& a, const std::vector<float>& b, bool exact) {
  float largest = 0;
  for (float x : a) largest = std::isfinite(x) ? std::max(largest, std::abs(x)) : largest;
  const auto alike = [&](float x, float y) {
    if (exact) return std::memcmp(&x, &y, 4) == 0;
    if (!std::isfinite(x) || !std::isfinite(y)) return x == y || (std::isnan(x) && std::isnan(y));
    return std::abs(x - y) <= kTolerance * largest;
  };
  return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), alike).first - a.begin());
}

}  // namespace

int main() {
  if (const auto skipped = without_gpu()) return *skipped;
  Engine cpu(SCHEMOE_CPU, 1), gpu(SCHEMOE_CUDA, 1);
  const NumberCases cases;
  int refused = 0;
  for (const NumberCase& one : cases.list) {
    // Also in what decides and is not computed with; results are written over.
    std::vector<Spoilt> spoils(1);
    for (size_t i = 0; i < one.buffers.size(); ++i) {
      const CaseBuffer& buffer = one.buffers[i];
      if (buffer.floats.empty()) continue;
      for (size_t at : std::set<size_t>{0, buffer.at, buffer.floats.size() - 1}) {
        for (float value : {kNan, kInf, -kInf}) spoils.push_back({i, at, value});
      }
    }
    for (const Spoilt& spoilt : spoils) {
      const Ran a = run_on(cpu, one, spoilt), b = run_on(gpu, one, spoilt);
      if (b.text.find("the CUDA engine does not compute it") != std::string::npos) {
        ++refused;
        break;
      }
      const std::string name = one.name + " with " + std::to_string(spoilt.value) + " at " + std::to_string(spoilt.at) +
                               " of buffer " + std::to_string(spoilt.buffer);
      check::that(a.status == b.status && a.text == b.text, name + ": CPU says \"" + a.text + "\", GPU \"" + b.text + "\"",
                  __FILE__, __LINE__);
      for (size_t i = 0; i < a.floats.size(); ++i) {
        const size_t at = difference(a.floats[i], b.floats[i], one.buffers[i].floats.empty());
        check::that(at == a.floats[i].size(), name + ": buffer " + std::to_string(i) + " differs at " + std::to_string(at),
                    __FILE__, __LINE__);
      }
    }
  }
  std::printf("%zu cases, %d of kernels that the CUDA engine does not have\n", cases.list.size(), refused);
  return check::result();
}
