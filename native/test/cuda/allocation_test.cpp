// Every allocation of preparing and running a Program on a GPU fails in turn: each call returns a status, streams are
// idle when it does, and the same engine then computes what it did not.
#include <unistd.h>

#include "both.h"
#include "failing_allocations.h"

namespace {

schemoe_failure failure;

/// Makes a call until no allocation of it fails any more; how often it failed.
template <class Call>
long each_failure(const char* name, Call&& call) {
  for (long skipped = 0;; ++skipped) {
    alarm(60);  // a hang ends the test
    allocations::left = skipped;
    const int32_t status = call();
    const bool failed = allocations::left < 0;
    allocations::left = -1;
    if (!failed) {
      check::that(status == SCHEMOE_OK, std::string(name) + ": " + check::said(failure), __FILE__, __LINE__);
      return skipped;
    }
    // One that changes nothing for the caller, such as that of a graph, may be overcome.
    const bool known = status == SCHEMOE_OK || (status == SCHEMOE_OUT_OF_MEMORY && *failure.text);
    check::that(known, std::string(name) + " after " + std::to_string(skipped) + ": " + check::said(failure), __FILE__, __LINE__);
  }
}

/// A product, kernels with scratch memory, transfers both ways, and a wait.
std::vector<uint8_t> program(uint64_t b) {
  Packed packed(2);
  for (uint32_t rank = 0; rank < 2; ++rank) {
    packed.operation(0, rank, 0, {});
    packed.kernel(1, Words().i(0, 0, 0, 0, 1, 4, 4, 4).m(b, 4, 0).m(b, 4, 0).m(b + 1, 4, 0).f(1).f(0).none().i(0, 0));
    packed.kernel(8, Words().i(4, 4, 2, 1).v(b).v(b, 64).v(b, 128).v(b, 160)).kernel(9, Words().i(4, 4, 2, 1).v(b, 64).v(b, 128).v(b, 192).v(b, 224));
    packed.kernel(10, Words().i(4, 4, 2).v(b, 64).v(b, 128).v(b, 240)).kernel(18, Words().i(2, 4, 4).v(b).v(b, 512));
    packed.operation(1, rank, 1, {.communication = true, .waits = {2 * rank}});
    packed.send(1 - rank, 64, b).receive(1 - rank, 64, b, 640);
  }
  return packed.bytes();
}

/// An engine with a Program and its buffers.
struct Bench {
  explicit Bench(uint32_t flags) : engine(SCHEMOE_CUDA, 2, flags), b(engine.allocate(2048)), bytes(program(b)) {
    CHECK_EQUAL(engine.allocate(64), b + 1);
    begin();
  }
  int32_t prepare() { return schemoe_prepare(engine.handle, bytes.data(), bytes.size(), &prepared, &failure); }
  int32_t run() { return schemoe_run(engine.handle, prepared, 20'000'000'000, events.data(), 4, &failure); }
  int32_t release() { return schemoe_release(prepared, &failure); }
  void begin() {
    std::vector<uint8_t> ones;
    const float one = 1;
    for (int i = 0; i < 512; ++i) ones.insert(ones.end(), reinterpret_cast<const uint8_t*>(&one), reinterpret_cast<const uint8_t*>(&one + 1));
    for (uint32_t rank : {0u, 1u}) engine.write(b, rank, ones);
  }
  std::vector<uint8_t> results() {
    auto all = engine.read(b, 0, 2048);
    for (uint8_t byte : engine.read(b + 1, 1, 64)) all.push_back(byte);
    return all;
  }

  Engine engine;
  const uint32_t b;
  const std::vector<uint8_t> bytes;
  std::vector<schemoe_event> events = std::vector<schemoe_event>(4);
  schemoe_program* prepared = nullptr;
};

void life(uint32_t flags) {
  Bench clean(flags), bench(flags);
  CHECK_EQUAL(clean.prepare(), SCHEMOE_OK);
  CHECK_EQUAL(clean.run(), SCHEMOE_OK);
  const auto expected = clean.results();
  CHECK_EQUAL(clean.release(), SCHEMOE_OK);
  const long preparing = each_failure("prepare", [&] {
    const int32_t status = bench.prepare();
    // It may be there in spite of a failure; the last one stays.
    if (status == SCHEMOE_OK && allocations::left < 0) CHECK_EQUAL(bench.release(), SCHEMOE_OK);
    return status;
  });
  CHECK(preparing > 10);
  // First as operations, then captured, then as a graph.
  long running = 0;
  for (int time = 0; time < 4; ++time) {
    running += each_failure("run", [&] { return bench.run(); });
    bench.begin();
    CHECK_EQUAL(bench.run(), SCHEMOE_OK);
    check::that(bench.results() == expected, "results after failures", __FILE__, __LINE__);
  }
  CHECK(running > 3);
  std::printf("%ld allocations of preparing, %ld of running\n", preparing, running);
  CHECK_EQUAL(bench.release(), SCHEMOE_OK);
  alarm(0);
}

}  // namespace

int main() {
  if (const auto skipped = without_gpu()) return *skipped;
  for (uint32_t flags : {uint32_t{0}, uint32_t{SCHEMOE_NO_GRAPHS}, uint32_t{SCHEMOE_NO_TIMES}}) life(flags);
  return check::result();
}
