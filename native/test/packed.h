// Writes packed Programs by hand.
#pragma once

#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "schemoe.h"

/// Argument words of one kernel.
struct Words {
  std::vector<uint64_t> list;

  Words& i(int64_t value) { return word(static_cast<uint64_t>(value)); }
  template <class... More>
  Words& i(int64_t value, int64_t next, More... more) {
    i(value);
    return i(next, more...);
  }
  Words& f(double value) { return word(std::bit_cast<uint64_t>(value)); }
  Words& v(uint64_t buffer, uint64_t offset = 0) { return word(buffer).word(offset); }
  Words& none() { return word(SCHEMOE_NULL_BUFFER).word(0); }
  /// A matrix: view, ld, stride.
  Words& m(uint64_t buffer, int64_t ld, int64_t stride, uint64_t offset = 0) { return v(buffer, offset).i(ld, stride); }
  Words& word(uint64_t value) {
    list.push_back(value);
    return *this;
  }
};

/// Operations one after another; kernels belong to the last one.
class Packed {
 public:
  explicit Packed(uint32_t ranks) : ranks_(ranks) {}

  struct Options {
    bool communication = false;
    double seconds = -1;
    std::vector<uint32_t> waits = {};
  };

  /// Returns its index.
  uint32_t operation(uint32_t task, uint32_t rank, uint32_t lane, const Options& options) {
    records.push_back({task, rank, lane, static_cast<uint32_t>(waits.size()),
                       static_cast<uint32_t>(options.waits.size()), static_cast<uint32_t>(words.size()), 0,
                       options.communication ? 1u : 0u, options.seconds});
    waits.insert(waits.end(), options.waits.begin(), options.waits.end());
    return static_cast<uint32_t>(records.size() - 1);
  }

  Packed& kernel(uint64_t code, const Words& arguments) {
    words.push_back(code | arguments.list.size() << 32);
    words.insert(words.end(), arguments.list.begin(), arguments.list.end());
    records.back().words += static_cast<uint32_t>(arguments.list.size() + 1);
    return *this;
  }
  Packed& copy(int64_t bytes, Words from_to) {
    from_to.list.insert(from_to.list.begin(), static_cast<uint64_t>(bytes));
    return kernel(32, from_to);
  }
  Packed& send(int64_t peer, int64_t bytes, uint64_t buffer, uint64_t offset = 0) {
    return kernel(33, Words().i(peer, bytes).v(buffer, offset));
  }
  Packed& receive(int64_t peer, int64_t bytes, uint64_t buffer, uint64_t offset = 0) {
    return kernel(34, Words().i(peer, bytes).v(buffer, offset));
  }

  std::vector<uint8_t> bytes() const {
    const schemoe_program_header header{SCHEMOE_PROGRAM_MAGIC, SCHEMOE_ABI_VERSION, ranks_,
                                        static_cast<uint32_t>(records.size()), static_cast<uint32_t>(waits.size()),
                                        static_cast<uint32_t>(words.size()),
                                        static_cast<uint32_t>((names.size() + 7) / 8 * 8), 0};
    std::vector<uint8_t> out;
    append(out, &header, sizeof header);
    append(out, records.data(), records.size() * sizeof(schemoe_operation));
    append(out, waits.data(), waits.size() * 4);
    out.resize((out.size() + 7) / 8 * 8);
    append(out, words.data(), words.size() * 8);
    append(out, names.data(), names.size());
    out.resize((out.size() + 7) / 8 * 8);
    return out;
  }

  std::vector<schemoe_operation> records;
  std::vector<uint32_t> waits;
  std::vector<uint64_t> words;
  /// Zero-terminated, of the Program and its tasks.
  std::string names;

 private:
  static void append(std::vector<uint8_t>& out, const void* data, size_t bytes) {
    if (bytes == 0) return;
    const size_t at = out.size();
    out.resize(at + bytes);
    std::memcpy(out.data() + at, data, bytes);
  }

  uint32_t ranks_;
};
