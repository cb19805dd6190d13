// Every allocation of an engine's life fails in turn: each call returns a status, nothing hangs or leaks a
// thread, and the same engine then does what it did not.
#include <unistd.h>

#include "failing_allocations.h"
#include "library.h"

namespace {

/// Kernels with scratch memory, transfers both ways, and a wait.
std::vector<uint8_t> program(uint64_t b) {
  Packed packed(2);
  for (uint32_t rank = 0; rank < 2; ++rank) {
    packed.operation(0, rank, 0, {});
    packed.kernel(8, Words().i(4, 4, 2, 1).v(b).v(b, 64).v(b, 128).v(b, 160)).kernel(9, Words().i(4, 4, 2, 1).v(b, 64).v(b, 128).v(b, 192).v(b, 224));
    packed.kernel(10, Words().i(4, 4, 2).v(b, 64).v(b, 128).v(b, 240)).kernel(18, Words().i(2, 4, 4).v(b).v(b, 512));
    packed.operation(1, rank, 1, {.communication = true, .waits = {2 * rank}});
    packed.send(1 - rank, 64, b).receive(1 - rank, 64, b, 640);
  }
  return packed.bytes();
}

schemoe_failure failure;

void expect_out_of_memory(int32_t status, const char* call) {
  check::that(status == SCHEMOE_OUT_OF_MEMORY, std::string(call) + ": " + check::said(failure), __FILE__, __LINE__);
  CHECK(failure.status == SCHEMOE_OUT_OF_MEMORY && *failure.text);
}

/// Makes a call until no allocation of it fails any more; how often it failed.
template <class Call>
long each_failure(const char* name, Call&& call) {
  for (long skipped = 0;; ++skipped) {
    alarm(60);  // a hang ends the test
    int32_t status;
    bool failed;
    {
      const allocations::Failing failing(skipped);
      status = call();
      failed = failing.failed();
    }
    if (!failed) {
      check::that(status == SCHEMOE_OK, std::string(name) + ": " + check::said(failure), __FILE__, __LINE__);
      return skipped;
    }
    // A failure that changes nothing for the caller, such as that of a text, may be overcome.
    if (status == SCHEMOE_OK) return skipped + 1;
    expect_out_of_memory(status, name);
  }
}

}  // namespace

int main() {
  const schemoe_config config{SCHEMOE_ABI_VERSION, SCHEMOE_CPU, 1, 2, 0, {}};
  schemoe_engine* engine = nullptr;
  CHECK(each_failure("open", [&] { return schemoe_open(&config, &engine, &failure); }) > 5);
  const std::vector<uint64_t> sizes(2, 2048);
  uint32_t b = UINT32_MAX;
  CHECK(each_failure("allocate", [&] {
          b = UINT32_MAX;
          return schemoe_allocate(engine, sizes.data(), 2, &b, &failure);
        }) > 1);
  const std::vector<float> ones(512, 1.0f);
  for (uint32_t rank : {0u, 1u}) {
    each_failure("write", [&] { return schemoe_write(engine, b, rank, 0, reinterpret_cast<const uint8_t*>(ones.data()), 2048, &failure); });
  }
  const auto bytes = program(b);
  schemoe_program* prepared = nullptr;
  CHECK(each_failure("prepare", [&] { return schemoe_prepare(engine, bytes.data(), bytes.size(), &prepared, &failure); }) > 10);
  std::vector<schemoe_event> events(4);
  CHECK(each_failure("run", [&] { return schemoe_run(engine, prepared, 0, events.data(), 4, &failure); }) > 3);
  // Whatever is said of a run that is ended needs memory too.
  Packed endless(2);
  for (uint32_t rank : {0u, 1u}) endless.operation(0, rank, 0, {.seconds = 1000});
  const auto endless_bytes = endless.bytes();
  schemoe_program* paced = nullptr;
  CHECK_EQUAL(schemoe_prepare(engine, endless_bytes.data(), endless_bytes.size(), &paced, &failure), SCHEMOE_OK);
  for (long skipped = 0; skipped < 12; ++skipped) {
    alarm(60);
    int32_t status;
    {
      const allocations::Failing failing(skipped);
      status = schemoe_run(engine, paced, 1'000'000, events.data(), 2, &failure);
    }
    CHECK(status == SCHEMOE_TIME_LIMIT || status == SCHEMOE_OUT_OF_MEMORY);
  }
  // The engine runs on, and closes where memory is exhausted.
  CHECK_EQUAL(schemoe_run(engine, prepared, 0, events.data(), 4, &failure), SCHEMOE_OK);
  each_failure("release", [&] { return schemoe_release(paced, &failure); });
  int32_t closed;
  {
    const allocations::Failing failing(0);
    closed = schemoe_close(engine, &failure);
  }
  CHECK_EQUAL(closed, SCHEMOE_OK);
  CHECK_EQUAL(schemoe_release(prepared, &failure), SCHEMOE_OK);
  std::printf("%ld allocations\n", allocations::made.load());
  return check::result();
}
