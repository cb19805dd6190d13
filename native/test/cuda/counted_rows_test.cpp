// Rows that a kernel counts while its Program runs, on CUDA against the CPU engine and against rows that the Program was
// made for, run after run of one Program.
#include "counted_rows.h"
#include "route.h"

#include "both.h"

namespace {

using Case = CountedRows;

std::vector<uint8_t> bytes_of(const std::vector<float>& values, int dtype) {
  std::vector<uint8_t> bytes;
  for (float value : values) {
    const auto bits = std::bit_cast<uint32_t>(round_to_bf16(value));
    const auto* begin = reinterpret_cast<const uint8_t*>(&bits);
    if (dtype == SCHEMOE_BF16) bytes.insert(bytes.end(), begin + 2, begin + 4);
    else bytes.insert(bytes.end(), begin, begin + 4);
  }
  return bytes;
}

std::vector<uint8_t> bytes_of(const std::vector<int32_t>& values) {
  const auto* begin = reinterpret_cast<const uint8_t*>(values.data());
  return {begin, begin + 4 * values.size()};
}

/// The buffers of a case on an engine.
struct Rows {
  Engine& engine;
  const int dtype;
  Case at;
  std::vector<std::pair<uint32_t, size_t>> results;  // and bytes
  std::vector<uint8_t> a;

  Rows(Engine& engine, int dtype) : engine(engine), dtype(dtype) {
    std::mt19937 generator(5);
    std::uniform_real_distribution<float> value(-1, 1);
    const auto random = [&](int64_t count) {
      std::vector<float> values(static_cast<size_t>(count));
      for (float& v : values) v = value(generator);
      return values;
    };
    const auto put = [&](const std::vector<uint8_t>& bytes) {
      const uint32_t id = engine.allocate(bytes.size());
      engine.write(id, 0, bytes);
      return id;
    };
    const size_t size = dtype == SCHEMOE_BF16 ? 2 : 4;
    const auto empty = [&](int64_t count, size_t each) {
      const std::vector<uint8_t> bytes(static_cast<size_t>(count) * each);
      results.emplace_back(put(bytes), bytes.size());
      return results.back().first;
    };
    constexpr int64_t kTokens = Case::kTokens * Case::kColumns, kAll = Case::kRows * Case::kColumns;
    constexpr int64_t kWeights = Case::kExperts * Case::kColumns * Case::kColumns;
    at.x = put(bytes_of(random(kTokens), dtype));
    at.choices = put(bytes_of(std::vector<int32_t>(Case::kRows)));
    at.positions = put(bytes_of(std::vector<int32_t>(Case::kRows)));
    at.loads = put(bytes_of(std::vector<int32_t>(Case::kExperts)));
    at.weights = put(bytes_of(random(Case::kRows), SCHEMOE_F32));
    at.w = put(bytes_of(random(kWeights), dtype));
    a = bytes_of(random(kAll), dtype);
    at.a = empty(kAll, size);
    at.rows = empty(kAll, size);
    at.y = empty(kAll, size);
    at.sums = empty(Case::kExperts * Case::kColumns, 4);
    at.dots = empty(Case::kRows, 4);
    at.out = empty(kTokens, size);
    at.dw = empty(kWeights, size);
  }

  void begin(const std::vector<int32_t>& loads) {
    std::vector<int32_t> choices, positions;
    ::route(loads, choices, positions);
    engine.write(at.choices, 0, bytes_of(choices));
    engine.write(at.positions, 0, bytes_of(positions));
    engine.write(at.loads, 0, bytes_of(loads));
    engine.write(at.a, 0, a);
  }
  Packed packed(const std::vector<int32_t>* known, bool products) const {
    Packed packed(1);
    packed.operation(0, 0, 0, {});
    at.add(packed, dtype, known, products);
    return packed;
  }
  std::vector<std::vector<uint8_t>> read() {
    std::vector<std::vector<uint8_t>> all;
    for (const auto& [id, bytes] : results) all.push_back(engine.read(id, 0, bytes));
    return all;
  }
};

void same_bits(int dtype, bool products) {
  Engine gpu(SCHEMOE_COMPARED, 1), cpu(SCHEMOE_CPU, 1);
  Rows rows(gpu, dtype), reference(cpu, dtype);
  Prepared counted(gpu, rows.packed(nullptr, products)), counted_there(cpu, reference.packed(nullptr, products));
  for (int round = 0; round < 2; ++round) {
    for (const auto& loads : Case::cases()) {
      rows.begin(loads);
      CHECK_EQUAL(gpu.run(rows.packed(&loads, products)), "");
      const auto expected = rows.read();
      rows.begin(loads);
      CHECK_EQUAL(counted.run(), "");
      CHECK(rows.read() == expected);
      // Rows are copies and products with a weight, which are the same on both engines.
      reference.begin(loads);
      CHECK_EQUAL(counted_there.run(), "");
      CHECK(gpu.read(rows.at.rows, 0, 64) == cpu.read(reference.at.rows, 0, 64));
    }
  }
}

/// Loads that are none of the rows end the run by the same words; then it is right again.
void wrong_loads() {
  Engine gpu(SCHEMOE_COMPARED, 1), cpu(SCHEMOE_CPU, 1);
  Rows rows(gpu, SCHEMOE_F32), reference(cpu, SCHEMOE_F32);
  Prepared one(gpu, rows.packed(nullptr, false)), other(cpu, reference.packed(nullptr, false));
  for (const std::vector<int32_t>& loads : {std::vector<int32_t>{5, 4, 4, 4}, {19, 0, 0, -1}, {5, 4, 4, 5}}) {
    rows.begin({5, 4, 4, 5});
    reference.begin({5, 4, 4, 5});
    gpu.write(rows.at.loads, 0, bytes_of(loads));
    cpu.write(reference.at.loads, 0, bytes_of(loads));
    const std::string text = other.run();
    CHECK_EQUAL(one.run(), text);
    CHECK_EQUAL(text.empty(), loads == (std::vector<int32_t>{5, 4, 4, 5}));
  }
}

}  // namespace

int main() {
  if (const auto skipped = without_gpu()) return *skipped;
#ifdef SCHEMOE_EMULATED
  constexpr bool kProducts = false;
#else
  constexpr bool kProducts = true;
#endif
  for (int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) same_bits(dtype, kProducts);
  wrong_loads();
  return check::result();
}
