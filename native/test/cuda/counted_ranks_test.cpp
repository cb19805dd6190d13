// Rows of several ranks that kernels count while their Program runs, on CUDA against rows that the Program was made for,
// run after run of one Program, and against the CPU engine.
#include "counted_ranks.h"
#include "route.h"

#include "both.h"

namespace {

using Case = CountedRanks;

template <class T>
std::vector<uint8_t> bytes_of(const std::vector<T>& values) {
  const auto* begin = reinterpret_cast<const uint8_t*>(values.data());
  return {begin, begin + sizeof(T) * values.size()};
}

struct World {
  Engine& engine;
  const int64_t each;
  Case at;

  World(Engine& engine, int dtype) : engine(engine), each(dtype == SCHEMOE_BF16 ? 2 : 4) {
    std::mt19937 generator(5);
    std::uniform_real_distribution<float> value(-1, 1);
    for (const auto& [id, bytes] : at.sizes(each)) {
      at.*id = engine.allocate(static_cast<uint64_t>(bytes));
      for (uint32_t rank = 0; rank < Case::kRanks; ++rank) {
        std::vector<uint8_t> content(static_cast<size_t>(bytes));
        if (id == &Case::x || id == &Case::a) {
          for (int64_t i = 0; i < bytes / each; ++i) {
            const auto bits = std::bit_cast<uint32_t>(round_to_bf16(value(generator)));
            const auto* begin = reinterpret_cast<const uint8_t*>(&bits) + 4 - each;
            std::copy(begin, begin + each, content.begin() + i * each);
          }
        }
        engine.write(at.*id, rank, content);
      }
    }
  }
  void route(const Case::Loads& loads) {
    std::vector<int32_t> all, choices, positions;
    for (const auto& own : loads) all.insert(all.end(), own.begin(), own.end());
    for (uint32_t rank = 0; rank < Case::kRanks; ++rank) {
      ::route(loads[rank], choices, positions);
      engine.write(at.choices, rank, bytes_of(choices));
      engine.write(at.positions, rank, bytes_of(positions));
      engine.write(at.loads, rank, bytes_of(all));
      engine.write(at.out, rank, std::vector<uint8_t>(static_cast<size_t>(Case::kTokens * Case::kColumns * each)));
    }
  }
  std::vector<std::vector<uint8_t>> read(bool all = true) {
    std::vector<std::vector<uint8_t>> found;
    for (uint32_t rank = 0; rank < Case::kRanks; ++rank) {
      found.push_back(engine.read(at.sent, rank, static_cast<size_t>(Case::kRows * Case::kColumns * each)));
      if (!all) continue;
      found.push_back(engine.read(at.out, rank, static_cast<size_t>(Case::kTokens * Case::kColumns * each)));
      found.push_back(engine.read(at.sums, rank, 4 * Case::kLocal * Case::kColumns));
    }
    return found;
  }
};

void same_bits(int dtype) {
  Engine gpu(SCHEMOE_COMPARED, Case::kRanks), cpu(SCHEMOE_CPU, Case::kRanks);
  World world(gpu, dtype), reference(cpu, dtype);
  Prepared counted(gpu, world.at.packed(dtype, nullptr)), there(cpu, reference.at.packed(dtype, nullptr));
  for (int round = 0; round < 2; ++round) {
    for (const auto& loads : Case::cases()) {
      world.route(loads);
      CHECK_EQUAL(gpu.run(world.at.packed(dtype, &loads)), "");
      const auto expected = world.read();
      world.route(loads);
      CHECK_EQUAL(counted.run(), "");
      CHECK(world.read() == expected);
      reference.route(loads);
      CHECK_EQUAL(there.run(), "");
      CHECK(world.read(false) == reference.read(false));
    }
  }
}

/// Rows that there is no room for, or that ranks see differently, end the run by the same words; then it is right again.
void wrong_loads() {
  Engine gpu(SCHEMOE_COMPARED, Case::kRanks), cpu(SCHEMOE_CPU, Case::kRanks);
  World world(gpu, SCHEMOE_F32), reference(cpu, SCHEMOE_F32);
  Prepared one(gpu, world.at.packed(SCHEMOE_F32, nullptr)), other(cpu, reference.at.packed(SCHEMOE_F32, nullptr));
  const Case::Loads right = Case::cases()[0], full = {{0, 0, 16, 0, 0, 0}, {0, 0, 3, 13, 0, 0}, {1, 0, 7, 3, 0, 5}};
  for (const Case::Loads& loads : {full, right}) {
    for (World* at : {&world, &reference}) at->route(loads);
    const std::string text = other.run();
    CHECK_EQUAL(one.run().substr(0, 60), text.substr(0, 60));
    CHECK_EQUAL(text.empty(), loads == right);
  }
}

}  // namespace

int main() {
  if (const auto skipped = without_gpu()) return *skipped;
  for (int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) same_bits(dtype);
  wrong_loads();
  return check::result();
}
