// Programs with changed bytes: refused or run, but never more than that.
#include "library.h"
#include "seed_program.h"

int main() {
  Engine engine(1, 2);
  const uint32_t b = engine.allocate(2048);
  const std::vector<uint8_t> original = seed_program(b).bytes();
  // What one Program leaves would be no choices, places and sizes for the next.
  const auto renew = [&] {
    std::vector<float> all(512);
    std::fill_n(all.begin(), 16, 0.25f);
    for (uint32_t rank : {0, 1}) engine.write(b, rank, all);
  };
  renew();
  CHECK_EQUAL(engine.run(seed_program(b)).text, "");

  std::mt19937 generator(3);
  const auto pick = [&](size_t below) { return static_cast<size_t>(generator() % below); };
  int refused = 0, ended = 0, ran = 0;
  for (int time = 0; time < 6000; ++time) {
    std::vector<uint8_t> bytes = original;
    for (size_t changes = 1 + pick(3); changes > 0; --changes) {
      // Whole words take values that matter; single bytes anything.
      constexpr uint64_t kValues[] = {0, 1, 2, 3, 0x7fffffff, 0xffffffff, UINT64_MAX, uint64_t{1} << 63, uint64_t{1} << 62, uint64_t{1} << 40};
      if (pick(2)) bytes[pick(bytes.size())] = static_cast<uint8_t>(generator());
      else std::memcpy(bytes.data() + pick(bytes.size() / 8) * 8, &kValues[pick(10)], 8);
    }
    if (pick(50) == 0) bytes.resize(pick(bytes.size()));
    schemoe_program* program = nullptr;
    const Outcome outcome = engine.prepare(bytes, &program);
    CHECK(outcome.status == SCHEMOE_OK || !outcome.text.empty());
    if (outcome.status != SCHEMOE_OK) {
      ++refused;
      continue;
    }
    uint32_t operations;
    std::memcpy(&operations, bytes.data() + 12, 4);
    std::vector<schemoe_event> events(operations);
    renew();
    const Outcome run = engine.run(program, events, 0.02);
    CHECK(run.status == SCHEMOE_OK || !run.text.empty());
    ++(run.status == SCHEMOE_OK ? ran : ended);
    CHECK_EQUAL(schemoe_release(program, &engine.error), SCHEMOE_OK);
    engine.programs.pop_back();
  }
  // All three happen, or the test tests nothing. Few end by their time limit, as many as the machine makes late.
  check::that(refused > 1000 && ended > 100 && ran > 100,
              std::to_string(refused) + " refused, " + std::to_string(ended) + " ended, " + std::to_string(ran) + " ran",
              __FILE__, __LINE__);
  // And the engine is as good as before.
  renew();
  CHECK_EQUAL(engine.run(seed_program(b)).text, "");
  return check::result();
}
