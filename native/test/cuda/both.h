// One Program on the CPU engine and on the CUDA engine, with the same data in both.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "packed.h"
#include "schemoe.h"

/// The engine that is compared with the CPU engine: the CPU engine itself in tests of its bfloat16.
#ifndef SCHEMOE_COMPARED
#define SCHEMOE_COMPARED SCHEMOE_CUDA
#endif

/// Whether a case of that many elements takes too long where lanes are emulated (emulated/).
inline bool too_large([[maybe_unused]] size_t elements, [[maybe_unused]] size_t most) {
#ifdef SCHEMOE_EMULATED
  return elements > most;
#else
  return false;
#endif
}

/// Whether a sanitizer, which makes each access slower by an order of magnitude, watches.
#ifdef SCHEMOE_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// Whether a test program's arguments name a family to run; none: all of them. A name that no family has fails.
class Chosen {
 public:
  Chosen(int count, char** names) : names_(names + 1, names + count), known_(names_.size()) {}
  ~Chosen() {
    for (size_t i = 0; i < names_.size(); ++i) check::that(known_[i], "no family is named " + names_[i], __FILE__, __LINE__);
  }
  bool operator()(const std::string& family) {
    const auto at = std::find(names_.begin(), names_.end(), family);
    if (at != names_.end()) known_[static_cast<size_t>(at - names_.begin())] = true;
    return names_.empty() || at != names_.end();
  }

 private:
  std::vector<std::string> names_;
  std::vector<bool> known_;
};

/// What a test program returns where there is no GPU.
inline constexpr int kSkipped = 77;

inline float round_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);
}

/// How a CUDA engine copies from rank to rank, and the GPU of each rank (in blocks over all without a list).
struct Gpus {
  uint32_t copy_by = 0;
  std::vector<uint32_t> devices = {};
};

/// An engine of one kind with owners.
class Engine {
 public:
  Engine(uint32_t ranks, const Gpus& gpus) : ranks(ranks) {
    const schemoe_config config{SCHEMOE_ABI_VERSION, SCHEMOE_CUDA, 1, ranks, 0, {}};
    const schemoe_cuda cuda{0, 0, 0, static_cast<uint32_t>(gpus.devices.size()), 0, 1, gpus.copy_by, 0};
    status = schemoe_open_cuda(&config, &cuda, "", gpus.devices.data(), &handle, &error);
  }
  Engine(schemoe_engine_kind kind, uint32_t ranks, uint32_t flags = 0) : ranks(ranks) {
    const schemoe_config config{SCHEMOE_ABI_VERSION, static_cast<uint32_t>(kind), 1, ranks, flags, {}};
    status = schemoe_open(&config, &handle, &error);
  }
  ~Engine() {
    if (handle) CHECK_EQUAL(schemoe_close(handle, &error), SCHEMOE_OK);
  }
  Engine(const Engine&) = delete;

  uint32_t allocate(uint64_t bytes) {
    const std::vector<uint64_t> sizes(ranks, bytes);
    uint32_t id = UINT32_MAX;
    CHECK_EQUAL(schemoe_allocate(handle, sizes.data(), ranks, &id, &error), SCHEMOE_OK);
    return id;
  }
  void free(uint32_t id) { CHECK_EQUAL(schemoe_free(handle, id, &error), SCHEMOE_OK); }
  void write(uint32_t id, uint32_t rank, const std::vector<uint8_t>& data) {
    CHECK_EQUAL(schemoe_write(handle, id, rank, 0, data.data(), data.size(), &error), SCHEMOE_OK);
  }
  std::vector<uint8_t> read(uint32_t id, uint32_t rank, size_t bytes) {
    std::vector<uint8_t> data(bytes);
    CHECK_EQUAL(schemoe_read(handle, id, rank, 0, data.data(), bytes, &error), SCHEMOE_OK);
    return data;
  }
  /// The text of what went wrong, or nothing.
  std::string run(const Packed& packed, double limit = 60) {
    schemoe_program* program = nullptr;
    const auto bytes = packed.bytes();
    schemoe_failure text;
    if (schemoe_prepare(handle, bytes.data(), bytes.size(), &program, &text) != SCHEMOE_OK) return check::said(text);
    events.assign(packed.records.size(), {});
    status = schemoe_run(handle, program, static_cast<uint64_t>(limit * 1e9), events.data(), events.size(), &text);
    CHECK_EQUAL(schemoe_release(program, &error), SCHEMOE_OK);
    return check::said(text);
  }

  const uint32_t ranks;
  schemoe_engine* handle = nullptr;
  int32_t status = 0;
  std::vector<schemoe_event> events;
  schemoe_failure error;
};

/// What a test program returns at once where there is no GPU, having said why.
inline std::optional<int> without_gpu() {
  const Engine probe(SCHEMOE_COMPARED, 1);
  if (probe.handle) return std::nullopt;
  std::printf("%s\n", probe.error.text);
  return probe.status == SCHEMOE_UNSUPPORTED ? kSkipped : 1;
}

/// A Program that is kept from run to run.
class Prepared {
 public:
  Prepared(Engine& engine, const Packed& packed) : engine_(engine) {
    const auto bytes = packed.bytes();
    CHECK_EQUAL(schemoe_prepare(engine.handle, bytes.data(), bytes.size(), &program_, &text_), SCHEMOE_OK);
    events.resize(packed.records.size());
  }
  ~Prepared() { CHECK_EQUAL(schemoe_release(program_, &text_), SCHEMOE_OK); }
  Prepared(const Prepared&) = delete;

  /// The text of what went wrong, or nothing.
  std::string run(double limit = 60) {
    schemoe_run(engine_.handle, program_, static_cast<uint64_t>(limit * 1e9), events.data(), events.size(), &text_);
    return check::said(text_);
  }
  std::vector<schemoe_event> events;

 private:
  Engine& engine_;
  schemoe_program* program_ = nullptr;
  schemoe_failure text_;
};

/// A buffer of a case: values are float32, or bfloat16 on the GPU when the case is.
struct Data {
  enum class Kind { values, floats, integers, bytes } kind;
  std::vector<float> floats;
  std::vector<int32_t> integers;
  size_t bytes = 0;  // of raw bytes
  std::vector<uint8_t> content = {};  // raw bytes that are not all the same
};

/// Runs one kernel on both engines and compares all buffers.
class Both {
 public:
  Engine cpu{SCHEMOE_CPU, 1};
  Engine gpu{SCHEMOE_COMPARED, 1};
  std::mt19937 generator{11};

  std::vector<float> random(size_t count, float low = -2, float high = 2) {
    std::uniform_real_distribution<float> value(low, high);
    std::vector<float> values(count);
    for (float& x : values) x = value(generator);
    return values;
  }

  /// A case begins.
  void begin(const std::string& name, int dtype = SCHEMOE_F32) {
    name_ = name + (dtype == SCHEMOE_BF16 ? " bf16" : "");
    dtype_ = dtype;
    data_.clear();
  }
  /// Ids count from 0 on both engines.
  uint32_t values(std::vector<float> list) { return add({Data::Kind::values, std::move(list), {}, 0}); }
  uint32_t floats(std::vector<float> list) { return add({Data::Kind::floats, std::move(list), {}, 0}); }
  uint32_t integers(std::vector<int32_t> list) { return add({Data::Kind::integers, {}, std::move(list), 0}); }
  /// What the last run left in a buffer on the CPU engine, as raw bytes.
  uint32_t bytes_of(uint32_t id) { return add({Data::Kind::bytes, {}, {}, 0, kept_[id]}); }
  /// What the last run left in a buffer on the GPU.
  const std::vector<uint8_t>& on_gpu(uint32_t id) const { return kept_on_gpu_[id]; }
  /// The text of what went wrong in the last run, or nothing.
  const std::string& text() const { return text_; }
  uint32_t bytes(size_t count) { return add({Data::Kind::bytes, {}, {}, count}); }

  /// `tolerance` is of the largest value of a buffer; 0 compares bits. `make` is given the dtype, which the
  /// CPU engine has too where it can (`stored`).
  void run(uint64_t code, const std::function<Words(int dtype)>& make, double tolerance, bool stored = false) {
    run({{code, make}}, tolerance, stored);
  }
  /// Kernels one after another in a task.
  using Kernels = std::vector<std::pair<uint64_t, std::function<Words(int dtype)>>>;
  void run(const Kernels& kernels, double tolerance, bool stored = false) {
    const int cpu_dtype = stored ? dtype_ : SCHEMOE_F32;
    std::vector<std::vector<uint8_t>> results[2];
    const std::string texts[2] = {run_on(cpu, cpu_dtype, kernels, results[0]),
                                  run_on(gpu, dtype_, kernels, results[1])};
    check::that(texts[0] == texts[1], name_ + ": CPU says \"" + texts[0] + "\", GPU \"" + texts[1] + "\"", __FILE__, __LINE__);
    text_ = texts[0];
    kept_ = results[0];
    kept_on_gpu_ = results[1];
    if (!texts[0].empty()) return;
    for (size_t i = 0; i < data_.size(); ++i) compare(i, cpu_dtype, results[0][i], results[1][i], tolerance);
  }
  /// The same, and on the GPU each in a task of its own, whose results have the same bits.
  void run_together(const Kernels& kernels, double tolerance, bool stored = false) {
    run(kernels, tolerance, stored);
    std::vector<std::vector<uint8_t>> results[2];
    const std::string texts[2] = {run_on(gpu, dtype_, kernels, results[0]), run_on(gpu, dtype_, kernels, results[1], true)};
    check::that(texts[0] == texts[1], name_ + ": together \"" + texts[0] + "\", apart \"" + texts[1] + "\"", __FILE__, __LINE__);
    for (size_t i = 0; i < data_.size(); ++i) {
      const std::string what = name_ + ": bits of buffer " + std::to_string(i) + " are others together and apart";
      check::that(results[0][i] == results[1][i], what, __FILE__, __LINE__);
    }
  }

 private:
  uint32_t add(Data data) {
    if (dtype_ == SCHEMOE_BF16 && data.kind == Data::Kind::values) {
      for (float& x : data.floats) x = round_to_bf16(x);
    }
    data_.push_back(std::move(data));
    return static_cast<uint32_t>(data_.size() - 1);
  }

  std::vector<uint8_t> raw(const Data& data, int dtype) const {
    std::vector<uint8_t> bytes;
    const auto append = [&](const void* from, size_t count) {
      const auto* begin = static_cast<const uint8_t*>(from);
      bytes.insert(bytes.end(), begin, begin + count);
    };
    if (data.kind == Data::Kind::integers) append(data.integers.data(), data.integers.size() * 4);
    else if (!data.content.empty()) bytes = data.content;
    else if (data.kind == Data::Kind::bytes) bytes.assign(data.bytes, 0xab);
    else if (data.kind == Data::Kind::values && dtype == SCHEMOE_BF16) {
      for (float x : data.floats) {
        const auto half = static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16);
        append(&half, 2);
      }
    } else append(data.floats.data(), data.floats.size() * 4);
    return bytes;
  }

  std::string run_on(Engine& engine, int dtype, const Kernels& kernels, std::vector<std::vector<uint8_t>>& results,
                     bool apart = false) {
    std::vector<uint32_t> ids;
    for (const Data& data : data_) {
      const auto bytes = raw(data, dtype);
      ids.push_back(engine.allocate(bytes.size()));
      engine.write(ids.back(), 0, bytes);
      check::that(ids.back() == ids.size() - 1, name_ + ": ids do not count from 0", __FILE__, __LINE__);
    }
    Packed packed(1);
    for (size_t i = 0; i < kernels.size(); ++i) {
      if (i == 0 || apart) packed.operation(0, 0, 0, {});
      packed.kernel(kernels[i].first, kernels[i].second(dtype));
    }
    const std::string text = engine.run(packed);
    for (size_t i = 0; i < data_.size(); ++i) results.push_back(engine.read(ids[i], 0, raw(data_[i], dtype).size()));
    for (uint32_t id : ids) engine.free(id);
    return text;
  }

  std::vector<double> numbers(const Data& data, const std::vector<uint8_t>& bytes, int dtype) const {
    std::vector<double> list;
    const bool half = data.kind == Data::Kind::values && dtype == SCHEMOE_BF16;
    for (size_t at = 0; at < bytes.size(); at += half ? 2 : 4) {
      uint32_t bits = 0;
      std::memcpy(&bits, bytes.data() + at, half ? 2 : 4);
      if (half) bits <<= 16;
      list.push_back(data.kind == Data::Kind::integers ? static_cast<double>(static_cast<int32_t>(bits))
                                                       : static_cast<double>(std::bit_cast<float>(bits)));
    }
    return list;
  }

  void compare(size_t index, int cpu_dtype, const std::vector<uint8_t>& a, const std::vector<uint8_t>& b, double tolerance) {
    const Data& data = data_[index];
    const std::string what = name_ + ": buffer " + std::to_string(index);
    if (data.kind == Data::Kind::bytes) {
      size_t at = 0;
      while (at < a.size() && a[at] == b[at]) ++at;
      check::that(at == a.size(), what + " differs at byte " + std::to_string(at), __FILE__, __LINE__);
      return;
    }
    const auto expected = numbers(data, a, cpu_dtype), got = numbers(data, b, dtype_);
    if (expected.empty()) return;
    double largest = 0;
    for (double x : expected) largest = std::isfinite(x) ? std::fmax(largest, std::abs(x)) : largest;
    size_t worst = 0;
    double error = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      const bool same = expected[i] == got[i] || (std::isnan(expected[i]) && std::isnan(got[i]));
      const double here = same ? 0 : std::abs(expected[i] - got[i]);
      if (!(here <= error)) error = here, worst = i;
    }
    const double allowed = data.kind == Data::Kind::integers ? 0 : tolerance * largest;
    check::that(error <= allowed,
                what + " differs by " + std::to_string(error) + " (allowed " + std::to_string(allowed) + ") at " +
                    std::to_string(worst) + ": CPU " + std::to_string(expected[worst]) + ", GPU " +
                    std::to_string(got[worst]),
                __FILE__, __LINE__);
  }

  std::string name_, text_;
  std::vector<std::vector<uint8_t>> kept_, kept_on_gpu_;
  int dtype_ = SCHEMOE_F32;
  std::vector<Data> data_;
};
