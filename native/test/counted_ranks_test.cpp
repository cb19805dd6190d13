// Rows of several ranks that kernels count while their Program runs: the same as rows that the Program was made for.
#include "counted_ranks.h"
#include "route.h"

#include "library.h"

namespace {

using Case = CountedRanks;

struct World {
  Engine engine{1, Case::kRanks};
  Case at;

  World() {
    std::mt19937 generator(5);
    std::uniform_real_distribution<float> value(-1, 1);
    for (const auto& [id, bytes] : at.sizes(4)) {
      at.*id = engine.allocate(static_cast<uint64_t>(bytes));
      for (uint32_t rank = 0; rank < Case::kRanks; ++rank) {
        std::vector<float> values(static_cast<size_t>(bytes / 4));
        if (id == &Case::x || id == &Case::a) for (float& v : values) v = value(generator);
        engine.write(at.*id, rank, values);
      }
    }
  }
  void route(const Case::Loads& loads) {
    std::vector<int32_t> all, choices, positions;
    for (const auto& own : loads) all.insert(all.end(), own.begin(), own.end());
    for (uint32_t rank = 0; rank < Case::kRanks; ++rank) {
      ::route(loads[rank], choices, positions);
      engine.write(at.choices, rank, choices);
      engine.write(at.positions, rank, positions);
      engine.write(at.loads, rank, all);
      engine.write(at.out, rank, std::vector<float>(Case::kTokens * Case::kColumns, -1));
    }
  }
  std::vector<std::vector<float>> read() {
    std::vector<std::vector<float>> all;
    for (uint32_t rank = 0; rank < Case::kRanks; ++rank) {
      all.push_back(engine.read<float>(at.out, rank, Case::kTokens * Case::kColumns));
      all.push_back(engine.read<float>(at.sums, rank, Case::kLocal * Case::kColumns));
      all.push_back(engine.read<float>(at.returned, rank, Case::kRows * Case::kColumns));
    }
    return all;
  }
};

void same_bits() {
  World world;
  const Packed counted = world.at.packed(SCHEMOE_F32, nullptr);
  schemoe_program* program = world.engine.prepare(counted);
  std::vector<schemoe_event> events(counted.records.size());
  for (int round = 0; round < 2; ++round) {
    for (const auto& loads : Case::cases()) {
      world.route(loads);
      CHECK_EQUAL(world.engine.run(world.at.packed(SCHEMOE_F32, &loads)).text, "");
      const auto expected = world.read();
      world.route(loads);
      CHECK_EQUAL(world.engine.run(program, events).text, "");
      CHECK(world.read() == expected);
    }
  }
}

/// Loads that ranks see differently, or that there is no room for, end the run, and the next one is right again.
void wrong_loads() {
  World world;
  const Packed counted = world.at.packed(SCHEMOE_F32, nullptr);
  schemoe_program* program = world.engine.prepare(counted);
  std::vector<schemoe_event> events(counted.records.size());
  const Case::Loads right = Case::cases()[0];
  const auto said = [&](const Case::Loads& loads) {
    world.route(right);
    std::vector<int32_t> all;
    for (const auto& own : loads) all.insert(all.end(), own.begin(), own.end());
    for (uint32_t rank = 0; rank < Case::kRanks; ++rank) world.engine.write(world.at.loads, rank, all);
    return world.engine.run(program, events);
  };
  const Outcome full = said({{0, 0, 16, 0, 0, 0}, {0, 0, 3, 13, 0, 0}, {1, 0, 7, 3, 0, 5}});
  CHECK_EQUAL(full.status, SCHEMOE_NO_ROOM);
  CHECK(full.text.find("the experts of rank 1 get 42 rows, there is room for 40") != std::string::npos);
  const Outcome wrong = said({{3, 3, 3, 3, 2, 1}, right[1], right[2]});
  CHECK_EQUAL(wrong.status, SCHEMOE_INVALID);
  CHECK(wrong.text.find("the experts have 15 rows and not 16") != std::string::npos);
  world.route(right);
  std::vector<int32_t> other;
  for (const auto& own : {right[1], right[0], right[2]}) other.insert(other.end(), own.begin(), own.end());
  world.engine.write(world.at.loads, 2, other);
  CHECK(world.engine.run(program, events).text.find("bytes for rank") != std::string::npos);
  CHECK_EQUAL(said(right).text, "");
}

/// Refused before anything runs.
void refused() {
  const auto said = [](int64_t table, int64_t side, bool waits, Words counts, int64_t peer = 1) {
    Engine engine(1, 2);
    const uint32_t b = engine.allocate(1024);
    Packed packed(2);
    for (int64_t rank = 0; rank < 2; ++rank) {
      packed.operation(0, static_cast<uint32_t>(rank), 0, {});
      Words words = Words().i(rank, 4, 6).v(b);
      for (uint64_t word : counts.list) words.word(word);
      if (counts.list.size() == 3) words.list[words.list.size() - 2] = static_cast<uint64_t>(rank);
      packed.kernel(81, words);
    }
    packed.operation(1, 0, 1, {true, -1, waits ? std::vector<uint32_t>{0} : std::vector<uint32_t>{}});
    packed.kernel(33, Words().i(peer, 4).v(b).i(table, side));
    packed.operation(1, 1, 1, {true, -1, {1}});
    packed.kernel(34, Words().i(0, 4).v(b).i(1, 1));
    schemoe_program* program = nullptr;
    return engine.prepare(packed.bytes(), &program).text;
  };
  const auto is_said = [](const std::string& text, const char* part) { CHECK_CONTAINS(text, part); };
  const Words counts = Words().i(2, 0, 9);
  CHECK_EQUAL(said(0, 0, true, counts), "");
  is_said(said(0, 0, false, counts), "nothing waits until the rows of table 0 are counted");
  is_said(said(1, 0, true, counts), "the rows of table 1 are counted on rank 1");
  is_said(said(2, 0, true, counts), "no kernel before counts the rows of table 2");
  is_said(said(0, 2, true, counts), "are not a table and a side of it");
  is_said(said(0, 0, true, counts, 2), "the table has no rows of rank 2");
  is_said(said(0, 0, true, Words().i(2, 0)), "2 integers are not ranks, rank and room");
  is_said(said(0, 0, true, Words().i(3, 0, 9)), "4 experts are not as many on each of 3 ranks");
}

}  // namespace

int main() {
  same_bits();
  wrong_loads();
  refused();
  return check::result();
}
