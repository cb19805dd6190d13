// The C interface with owners, and a bench for single kernels.
#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "packed.h"
#include "schemoe.h"

/// What a call returned.
struct Outcome {
  int32_t status;
  std::string text;
};

class Engine {
 public:
  explicit Engine(uint32_t nodes, uint32_t ranks_per_node = 1) : ranks(nodes * ranks_per_node) {
    const schemoe_config config{SCHEMOE_ABI_VERSION, SCHEMOE_CPU, nodes, ranks_per_node, 0, {}};
    CHECK_EQUAL(schemoe_open(&config, &handle, &error), SCHEMOE_OK);
  }
  ~Engine() { close(); }
  Engine(const Engine&) = delete;

  void close() {
    if (!handle) return;
    for (schemoe_program* program : programs) CHECK_EQUAL(schemoe_release(program, &error), SCHEMOE_OK);
    CHECK_EQUAL(schemoe_close(std::exchange(handle, nullptr), &error), SCHEMOE_OK);
  }

  uint32_t allocate(uint64_t bytes, uint32_t id = UINT32_MAX) {
    const std::vector<uint64_t> sizes(ranks, bytes);
    CHECK_EQUAL(schemoe_allocate(handle, sizes.data(), ranks, &id, &error), SCHEMOE_OK);
    return id;
  }
  template <class T>
  void write(uint32_t id, uint32_t rank, const std::vector<T>& values) {
    CHECK_EQUAL(schemoe_write(handle, id, rank, 0, reinterpret_cast<const uint8_t*>(values.data()),
                              values.size() * sizeof(T), &error), SCHEMOE_OK);
  }
  template <class T>
  std::vector<T> read(uint32_t id, uint32_t rank, size_t count) {
    std::vector<T> values(count);
    CHECK_EQUAL(schemoe_read(handle, id, rank, 0, reinterpret_cast<uint8_t*>(values.data()), count * sizeof(T),
                             &error), SCHEMOE_OK);
    return values;
  }

  Outcome prepare(const std::vector<uint8_t>& packed, schemoe_program** program) {
    schemoe_failure text;
    const int32_t status = schemoe_prepare(handle, packed.data(), packed.size(), program, &text);
    if (status == SCHEMOE_OK) programs.push_back(*program);
    return {status, check::said(text)};
  }
  schemoe_program* prepare(const Packed& packed) {
    schemoe_program* program = nullptr;
    const Outcome outcome = prepare(packed.bytes(), &program);
    CHECK_EQUAL(outcome.text, "");
    return program;
  }
  Outcome run(schemoe_program* program, std::vector<schemoe_event>& events, double limit = 60) {
    schemoe_failure text;
    const int32_t status = schemoe_run(handle, program, static_cast<uint64_t>(limit * 1e9), events.data(),
                                       events.size(), &text);
    return {status, check::said(text)};
  }
  /// Prepares and runs.
  Outcome run(const Packed& packed, double limit = 60) {
    schemoe_program* program = nullptr;
    const Outcome outcome = prepare(packed.bytes(), &program);
    if (outcome.status != SCHEMOE_OK) return outcome;
    events.assign(packed.records.size(), {});
    return run(program, events, limit);
  }

  const uint32_t ranks;
  schemoe_engine* handle = nullptr;
  std::vector<schemoe_program*> programs;
  std::vector<schemoe_event> events;
  schemoe_failure error;
};

/// Runs single kernels on one rank.
class Bench {
 public:
  template <class T>
  uint32_t buffer(const std::vector<T>& values) {
    const uint32_t id = engine.allocate(values.size() * sizeof(T));
    engine.write(id, 0, values);
    return id;
  }
  template <class T = float>
  uint32_t empty(size_t count) { return engine.allocate(count * sizeof(T)); }
  template <class T = float>
  std::vector<T> read(uint32_t id, size_t count) { return engine.read<T>(id, 0, count); }

  Outcome run(uint64_t code, const Words& words) {
    Packed packed(1);
    packed.operation(0, 0, 0, {});
    packed.kernel(code, words);
    return engine.run(packed);
  }
  /// Must succeed.
  void ok(uint64_t code, const Words& words) { CHECK_EQUAL(run(code, words).text, ""); }

  std::vector<float> random(size_t count, float low = -2, float high = 2) {
    std::uniform_real_distribution<float> value(low, high);
    std::vector<float> values(count);
    for (float& x : values) x = value(generator);
    return values;
  }

  Engine engine{1};
  std::mt19937 generator{7};
};
