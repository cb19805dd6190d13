// Refused Programs, and how the refusal names the culprit.
#include "library.h"
#include "runtime/nvtx_ranges.h"

namespace {

constexpr double kNan = NAN;

struct Refusals {
  Engine engine{1, 2};
  uint32_t buffer = engine.allocate(64);

  void refuse(const std::vector<uint8_t>& bytes, const std::string& text) {
    schemoe_program* program = nullptr;
    const Outcome outcome = engine.prepare(bytes, &program);
    CHECK_EQUAL(outcome.status, SCHEMOE_INVALID);
    CHECK(program == nullptr);
    CHECK_CONTAINS(outcome.text, "Cannot prepare the Program: ");
    CHECK_CONTAINS(outcome.text, text);
  }
  void refuse(const Packed& packed, const std::string& text) { refuse(packed.bytes(), text); }

  /// Two operations; the second waits for the first.
  Packed good() {
    Packed packed(2);
    packed.operation(0, 0, 0, {});
    packed.kernel(20, Words().i(1).v(buffer).f(1));
    packed.operation(1, 1, 0, {.waits = {0}});
    packed.kernel(20, Words().i(1).v(buffer).f(1));
    return packed;
  }
};

void headers(Refusals& r) {
  const auto changed = [&](size_t word, uint32_t value) {
    auto bytes = r.good().bytes();
    std::memcpy(bytes.data() + 4 * word, &value, 4);
    return bytes;
  };
  r.refuse(std::vector<uint8_t>(8), "8 bytes are fewer than its header");
  r.refuse(changed(0, 1), "does not begin with SMOE");
  r.refuse(changed(1, 7), "it has version 7, this library takes " + std::to_string(SCHEMOE_ABI_VERSION));
  r.refuse(changed(2, 3), "it is for 3 ranks, the engine has 2");
  r.refuse(changed(3, UINT32_MAX), "its header asks for");
  r.refuse(changed(4, 4), "its header asks for");
  r.refuse(changed(5, UINT32_MAX), "its header asks for");
  r.refuse(changed(6, 8), "its header asks for");
  r.refuse(changed(7, 1), "its header asks for");
  auto longer = r.good().bytes();
  longer.resize(longer.size() + 8);
  r.refuse(longer, "its header asks for");
  // A wait that no operation has; the padding of the section hides it.
  r.refuse(changed(4, 2), "some waits or words belong to no operation");
}

void names(Refusals& r) {
  const auto named = [&](std::string text) {
    Packed packed = r.good();
    packed.names = std::move(text);
    return packed;
  };
  r.refuse(named(std::string("run\0first\0", 10)), "it has 2 names for itself and 2 tasks");
  r.refuse(named(std::string("run\0first\0second", 16)), "it has 2 names for itself and 2 tasks");
  r.refuse(named(std::string("run\0first\0second\0third\0", 23)), "something follows its names");
  r.refuse(named(std::string("run\0first\0second\0\0\0\0\0\0\0\0", 25)), "something follows its names");
  Packed far = named(std::string("run\0first\0second\0", 17));
  far.records[1].task = UINT32_MAX;
  r.refuse(far, "names for itself and 4294967296 tasks");

  // What is refused then is that the library has no NVTX, or nothing.
  schemoe_program* program = nullptr;
  const Outcome outcome = r.engine.prepare(named(std::string("run\0first\0second\0", 17)).bytes(), &program);
  CHECK_EQUAL(outcome.status, schemoe::has_nvtx() ? SCHEMOE_OK : SCHEMOE_UNSUPPORTED);
  if (!schemoe::has_nvtx()) CHECK_CONTAINS(outcome.text, "the library was built without NVTX");
}

void operations(Refusals& r) {
  const auto changed = [&](auto&& change) {
    Packed packed = r.good();
    change(packed.records[1]);
    return packed;
  };
  r.refuse(changed([](auto& o) { o.rank = 2; }), "there are only 2 ranks, in task #1 on rank 2");
  r.refuse(changed([](auto& o) { o.lane = 3; }), "there is no lane 3");
  r.refuse(changed([](auto& o) { o.flags = 4; }), "flags 4 are unknown");
  r.refuse(changed([](auto& o) { o.seconds = kNan; }), "cannot be paced to nan");
  r.refuse(changed([](auto& o) { o.seconds = INFINITY; }), "cannot be paced to inf");
  r.refuse(changed([](auto& o) { o.seconds = -INFINITY; }), "cannot be paced to -inf");
  r.refuse(changed([](auto& o) { o.first_wait = 1; }), "its waits do not follow");
  r.refuse(changed([](auto& o) { o.waits = UINT32_MAX; }), "its waits do not follow");
  r.refuse(changed([](auto& o) { o.first_word = 0; }), "its words do not follow");
  r.refuse(changed([](auto& o) { o.words = UINT32_MAX; }), "its words do not follow");
  r.refuse(changed([](auto& o) { o.words = 0; }), "some waits or words belong to no operation");
  r.refuse(changed([](auto& o) { o.flags = 1; }), "kernel fill cannot be part of communication");
  Packed packed = r.good();
  packed.waits[0] = 1;
  r.refuse(packed, "operation 1 waits for operation 1, which is not before it");
}

void kernels(Refusals& r) {
  const auto with = [&](uint64_t code, const Words& words) {
    Packed packed(2);
    packed.operation(4, 1, 0, {});
    packed.kernel(code, words);
    return packed;
  };
  const uint64_t b = r.buffer;
  r.refuse(with(0, Words()), "there is no kernel 0, in task #4 on rank 1");
  r.refuse(with(20, Words().i(1).v(b)), "kernel fill: 3 argument words do not fit");
  r.refuse(with(20, Words().i(-1).v(b).f(0)), "kernel fill: argument 1 is negative: -1");
  r.refuse(with(20, Words().i(1).none().f(0)), "kernel fill: the view at argument 2 is null");
  r.refuse(with(20, Words().i(1).v(b, 2).f(0)), "offset 2 is not a multiple of 4");
  r.refuse(with(20, Words().i(1).v(b, uint64_t{1} << 63).f(0)), "is too large");
  r.refuse(with(20, Words().i(INT64_MAX).v(b).f(0)), "overflow");
  r.refuse(with(20, Words().i(1).v(uint64_t{1} << 32).f(0)), "4294967296 is no number of a buffer");
  r.refuse(with(33, Words().i(0, 1).v(b)), "kernel send cannot be part of computation");
  r.refuse(with(6, Words().i(2, 1, 1, 1).m(b, 1, 1).v(b).i(1, 0)), "dtype is 2");
  r.refuse(with(1, Words().i(0, 0, 0, 0, 1, int64_t{1} << 31, 1, 1).m(b, 1, 1).m(b, 1, 1).m(b, 1, 1).f(1).f(0).none().i(0, 0)), "m is 2147483648");
  Packed cut = with(20, Words().i(1).v(b).f(0));
  cut.words[0] += uint64_t{1} << 32;
  r.refuse(cut, "argument words do not fit");
}

void transfers(Refusals& r) {
  const auto pair = [&](auto&& first, auto&& second) {
    Packed packed(2);
    packed.operation(7, 0, 1, {.communication = true});
    first(packed);
    packed.operation(7, 1, 1, {.communication = true});
    second(packed);
    return packed;
  };
  const uint64_t b = r.buffer;
  const auto nothing = [](Packed&) {};
  r.refuse(pair([&](Packed& p) { p.send(1, 8, b); }, nothing),
           "1 sends to rank 1, which has 0 receives from it, in task #7 on rank 0");
  r.refuse(pair([&](Packed& p) { p.send(1, 8, b); }, [&](Packed& p) { p.receive(0, 4, b); }),
           "it sends 8 bytes to rank 1, which receives 4, in task #7 on rank 0");
  r.refuse(pair([&](Packed& p) { p.send(1, 8, b).send(1, 4, b); }, [&](Packed& p) { p.receive(0, 4, b).receive(0, 8, b); }),
           "sends 8 bytes to rank 1, which receives 4");
  r.refuse(pair([&](Packed& p) { p.send(2, 8, b); }, nothing), "it sends to rank 2 of 2, in task #7 on rank 0");
  r.refuse(pair(nothing, [&](Packed& p) { p.receive(9, 8, b); }), "it receives from rank 9 of 2, in task #7 on rank 1");

  // Two ranks that meet in opposite orders, and one that waits for what needs it.
  Packed crossed(2);
  for (uint32_t i : {0, 1, 2, 3}) {
    const uint32_t rank = i % 2, task = (i / 2 + rank) % 2;
    crossed.operation(task, rank, 1, {.communication = true});
    if (rank == 0) crossed.send(1, 4, b);
    else crossed.receive(0, 4, b);
  }
  r.refuse(crossed, "wait for each other in a circle");
  Packed waiting = pair([&](Packed& p) { p.send(1, 4, b); }, [&](Packed& p) { p.receive(0, 4, b); });
  waiting.waits = {0};
  waiting.records[1].waits = 1;
  r.refuse(waiting, "wait for each other in a circle");

  Packed good = pair([&](Packed& p) { p.send(1, 4, b).copy(4, Words().v(b).v(b, 8)); }, [&](Packed& p) { p.receive(0, 4, b, 4); });
  CHECK_EQUAL(r.engine.run(good).text, "");
  Packed self(2);
  self.operation(0, 0, 1, {.communication = true});
  self.send(0, 4, b).receive(0, 4, b, 16);
  CHECK_EQUAL(r.engine.run(self).text, "");
}

}  // namespace

int main() {
  Refusals r;
  CHECK_EQUAL(r.engine.run(r.good()).text, "");
  CHECK_EQUAL(r.engine.run(Packed(2)).text, "");
  headers(r);
  names(r);
  operations(r);
  kernels(r);
  transfers(r);
  return check::result();
}
