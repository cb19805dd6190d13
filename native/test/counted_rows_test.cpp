// Rows that a kernel counts while its Program runs: the same as rows that the Program was made for.
#include "counted_rows.h"
#include "route.h"

#include "library.h"

namespace {

using Case = CountedRows;

struct Rows {
  Bench bench;
  Case at;
  std::vector<uint32_t> results;

  Rows() {
    const size_t tokens = Case::kTokens * Case::kColumns, rows = Case::kRows * Case::kColumns;
    const size_t weights = Case::kExperts * Case::kColumns * Case::kColumns;
    at.x = bench.buffer(bench.random(tokens));
    at.choices = bench.empty<int32_t>(Case::kRows);
    at.positions = bench.empty<int32_t>(Case::kRows);
    at.loads = bench.empty<int32_t>(Case::kExperts);
    at.weights = bench.buffer(bench.random(Case::kRows));
    at.a = bench.buffer(bench.random(rows));
    at.w = bench.buffer(bench.random(weights));
    for (const auto& [id, count] : {std::pair{&at.rows, rows}, {&at.y, rows}, {&at.sums, size_t{Case::kExperts * Case::kColumns}},
                                    {&at.dots, size_t{Case::kRows}}, {&at.out, tokens}, {&at.dw, weights}}) {
      results.push_back(*id = bench.buffer(std::vector<float>(count)));
    }
  }

  void route(const std::vector<int32_t>& loads) {
    std::vector<int32_t> choices, positions;
    ::route(loads, choices, positions);
    bench.engine.write(at.choices, 0, choices);
    bench.engine.write(at.positions, 0, positions);
    bench.engine.write(at.loads, 0, loads);
  }

  Packed packed(const std::vector<int32_t>* known) const {
    Packed packed(1);
    packed.operation(0, 0, 0, {});
    at.add(packed, SCHEMOE_F32, known, true);
    return packed;
  }

  std::vector<std::vector<float>> read() {
    std::vector<std::vector<float>> all;
    for (uint32_t id : results) all.push_back(bench.read(id, id == at.dots ? Case::kRows : Case::kExperts * Case::kColumns));
    all.push_back(bench.read(at.dw, Case::kExperts * Case::kColumns * Case::kColumns));
    all.push_back(bench.read(at.a, Case::kRows * Case::kColumns));
    return all;
  }
};

/// One Program for all routings, run after run.
void same_bits() {
  Rows rows;
  const std::vector<float> a = rows.bench.read(rows.at.a, Case::kRows * Case::kColumns);
  schemoe_program* program = rows.bench.engine.prepare(rows.packed(nullptr));
  for (int round = 0; round < 2; ++round) {
    for (const auto& loads : Case::cases()) {
      rows.route(loads);
      rows.bench.engine.write(rows.at.a, 0, a);
      CHECK_EQUAL(rows.bench.engine.run(rows.packed(&loads)).text, "");
      const auto expected = rows.read();
      for (uint32_t id : rows.results) rows.bench.engine.write(id, 0, std::vector<float>(8, -1));
      rows.bench.engine.write(rows.at.a, 0, a);
      std::vector<schemoe_event> events(1);
      CHECK_EQUAL(rows.bench.engine.run(program, events).text, "");
      CHECK(rows.read() == expected);
    }
  }
}

/// Loads that are none of the rows end the run, and the next one is right again.
void wrong_loads() {
  Rows rows;
  schemoe_program* program = rows.bench.engine.prepare(rows.packed(nullptr));
  std::vector<schemoe_event> events(1);
  const auto said = [&](const std::vector<int32_t>& loads) {
    rows.bench.engine.write(rows.at.loads, 0, loads);
    return rows.bench.engine.run(program, events).text;
  };
  rows.route({5, 4, 4, 5});
  CHECK(said({5, 4, 4, 4}).find("the experts have 17 rows and not 18") != std::string::npos);
  CHECK(said({19, 0, 0, -1}).find("expert 3 has -1 rows") != std::string::npos);
  CHECK_EQUAL(said({5, 4, 4, 5}), "");
}

/// Refused before anything runs: what would read rows that nothing before has counted.
void refused() {
  Bench bench;
  const uint32_t b = bench.empty(256);
  const Words counts = Words().i(0, 2, 6).v(b);
  const auto glu = [&](int64_t groups, int64_t rows, int64_t table) {
    return Words().i(0, groups, rows, 4).m(b, 4, 0).m(b, 4, 0).m(b, 4, 0).i(SCHEMOE_SILU, table);
  };
  const auto said = [&](const std::vector<std::pair<uint64_t, Words>>& kernels, uint32_t last_lane = 0) {
    Packed packed(1);
    for (uint32_t task = 0; task < kernels.size(); ++task) {
      packed.operation(task, 0, task + 1 == kernels.size() ? last_lane : 0, {});
      packed.kernel(kernels[task].first, kernels[task].second);
    }
    schemoe_program* program = nullptr;
    return bench.engine.prepare(packed.bytes(), &program).text;
  };
  const auto is_said = [](const std::string& text, const char* part) { CHECK(text.find(part) != std::string::npos); };
  CHECK_EQUAL(said({{81, counts}, {4, glu(2, 6, 0)}}), "");
  is_said(said({{4, glu(2, 6, 0)}}), "no kernel before counts the rows of table 0");
  is_said(said({{81, counts}, {4, glu(2, 6, 1)}}), "no kernel before counts the rows of table 1");
  is_said(said({{81, counts}, {4, glu(3, 6, 0)}}), "table 0 has rows of 2 experts and not of 3");
  is_said(said({{81, counts}, {4, glu(2, 5, 0)}}), "the groups have 6 rows and not 5");
  is_said(said({{81, counts}, {4, glu(2, 6, 0)}}, 1), "nothing waits until the rows of table 0 are counted");
  is_said(said({{81, counts}, {81, counts}}), "table 0 is counted after 1 others");
  is_said(said({{81, Words().i(0, 0, 6).v(b)}}), "are none to count");
  is_said(said({{81, Words().i(0, 2, 0).v(b)}}), "are none to count");
  is_said(said({{81, Words().i(0, int64_t{1} << 17, 6).v(b)}}), "experts is 131072");
}

}  // namespace

int main() {
  same_bits();
  wrong_loads();
  refused();
  return check::result();
}
