// Runs that look at numbers: the first that is not finite by its operation, buffer and place.
#include <limits>
#include <string>

#include "codecs/table.h"
#include "library.h"

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
constexpr const char* kBegin = "Cannot go on with these numbers: ";

/// What one kernel gives when it is looked at.
Outcome look(Bench& bench, uint64_t code, const Words& words) {
  Packed packed(1);
  packed.operation(0, 0, 0, {});
  packed.kernel(code, words);
  packed.records[0].flags = SCHEMOE_CHECK_NUMBERS;
  return bench.engine.run(packed);
}

void expect(const Outcome& outcome, const std::string& text) {
  CHECK_EQUAL(outcome.status, text.empty() ? SCHEMOE_OK : SCHEMOE_NOT_FINITE);
  CHECK_EQUAL(outcome.text, text.empty() ? text : kBegin + text);
}

std::string at(uint32_t buffer) { return ", in task #0 on rank 0, buffer #" + std::to_string(buffer); }

void strides(Bench& bench) {
  // 2 groups of 2 x 2 in rows of 3, a group every 8: what lies between is not looked at
  std::vector<float> x(16, kNan);
  for (int g : {0, 1}) {
    for (int i : {0, 1}) {
      for (int j : {0, 1}) x[static_cast<size_t>(8 * g + 3 * i + j)] = 1;
    }
  }
  const uint32_t ix = bench.buffer(x);
  const auto check = [&] { return look(bench, 29, Words().i(0, 2, 2, 2).m(ix, 3, 8)); };
  expect(check(), "");
  x[8 + 3 + 1] = -kInf;
  bench.engine.write(ix, 0, x);
  expect(check(), "there is -infinity at row 1, column 1 of group 1" + at(ix));
  x[8] = kInf;
  bench.engine.write(ix, 0, x);
  expect(check(), "there is infinity at row 0, column 0 of group 1" + at(ix));
  // without the flag a check counts too, being a kernel; other kernels do not
  CHECK_EQUAL(bench.run(29, Words().i(0, 2, 2, 2).m(ix, 3, 8)).status, SCHEMOE_NOT_FINITE);
  CHECK_EQUAL(bench.run(7, Words().i(1, 16).v(ix).v(ix)).status, SCHEMOE_OK);
}

void ragged(Bench& bench) {
  // groups of 2, 0 and 1 rows from rows 1, 3 and 5 of 6
  std::vector<float> x(12, kNan);
  for (size_t row : {1, 2, 5}) x[2 * row] = x[2 * row + 1] = 1;
  const uint32_t ix = bench.buffer(x);
  const auto check = [&] { return look(bench, 29, Words().i(0, 3, 3, 2).m(ix, 2, 0).i(1, 2, 3, 0, 5, 1)); };
  expect(check(), "");
  x[11] = kNan;
  bench.engine.write(ix, 0, x);
  expect(check(), "there is NaN at row 0, column 1 of group 2" + at(ix));
}

void bfloat16(Bench& bench) {
  std::vector<uint16_t> x{0x3f80, 0x7f7f, 0xff7f, 0x0001, 0x3f80, 0x3f80};
  const uint32_t ix = bench.buffer(x);
  expect(look(bench, 29, Words().i(1, 1, 2, 3).m(ix, 3, 0)), "");
  for (const auto& [bits, name] : {std::pair{uint16_t{0x7f80}, "infinity"}, {uint16_t{0xff80}, "-infinity"}, {uint16_t{0xffc1}, "NaN"}}) {
    x[4] = bits;
    bench.engine.write(ix, 0, x);
    expect(look(bench, 29, Words().i(1, 1, 2, 3).m(ix, 3, 0)), std::string("there is ") + name + " at row 1, column 1" + at(ix));
  }
}

/// A codec that cannot represent a value fails like a number that is computed; the run goes on to its end.
void codecs(Bench& bench) {
  const uint32_t x = bench.buffer(std::vector<float>{1, kNan, 3, 4}), wire = bench.empty(64), y = bench.buffer(std::vector<float>{0});
  Packed packed(1);
  packed.operation(0, 0, 0, {}), packed.records.back().flags = SCHEMOE_CHECK_NUMBERS;
  packed.kernel(16, Words().i(0, schemoe::codec_number("zfp1"), 8, 0, 1, 1, 1, 4).v(x).i(4, 4, 4).v(wire).i(64, 0, 0, 0));
  packed.operation(1, 0, 0, {}), packed.records.back().flags = SCHEMOE_CHECK_NUMBERS;
  packed.kernel(20, Words().i(1).v(y).f(kInf));
  const Outcome outcome = bench.engine.run(packed);
  CHECK_EQUAL(outcome.status, SCHEMOE_NOT_FINITE);
  CHECK(outcome.text.find("Cannot run kernel encode: ") == 0 && outcome.text.find("in task #0") != std::string::npos);
  CHECK_EQUAL(bench.read(y, 1)[0], kInf);
}

/// Of several ranks the first operation in order, however late it is.
void order(int ranks) {
  Engine engine(static_cast<uint32_t>(ranks));
  const uint32_t y = engine.allocate(16);
  Packed packed(static_cast<uint32_t>(ranks));
  for (int rank = 0; rank < ranks; ++rank) {
    Packed::Options options;
    options.seconds = 0.02 * (ranks - rank);
    packed.operation(static_cast<uint32_t>(rank), static_cast<uint32_t>(rank), 0, options);
    packed.records.back().flags = SCHEMOE_CHECK_NUMBERS;
    packed.kernel(20, Words().i(4).v(y).f(rank >= 1 ? kNan : 0));
  }
  const Outcome outcome = engine.run(packed);
  expect(outcome, "kernel fill wrote NaN at element 0, in task #1 on rank 1, buffer #" + std::to_string(y));
  // the engine can run again
  CHECK_EQUAL(engine.run(packed).status, SCHEMOE_NOT_FINITE);
}

void refused(Bench& bench) {
  const uint32_t ix = bench.buffer(std::vector<float>(4, 1));
  Packed packed(1);
  packed.operation(0, 0, 0, {});
  packed.kernel(20, Words().i(1).v(ix).f(0));
  packed.records[0].flags = 4;
  CHECK_EQUAL(bench.engine.run(packed).status, SCHEMOE_INVALID);
  CHECK_EQUAL(bench.run(29, Words().i(0, int64_t{1} << 62, 1, 1).m(ix, 1, 0)).status, SCHEMOE_INVALID);
  CHECK_EQUAL(bench.run(29, Words().i(0, 1, 5, 1).m(ix, 1, 0)).status, SCHEMOE_INVALID);
}

}  // namespace

int main() {
  Bench bench;
  strides(bench);
  ragged(bench);
  bfloat16(bench);
  codecs(bench);
  order(3);
  refused(bench);
  return check::result();
}
