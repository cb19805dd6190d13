// Every codec on both engines, bit for bit: wires, decoded rows, and refusals.
#include "both.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "codecs/table.h"

namespace {

constexpr int64_t kBlocks = 3, kGroups = 2, kRows = 5;

struct Case {
  const schemoe::CodecSpec& spec;
  int dtype;
  int64_t parameter, columns, gap, seed;
  bool ragged = false;

  std::string name(const char* what) const {
    return std::string(what) + " " + spec.name + " " + std::to_string(parameter) + " of " + std::to_string(columns) +
           (gap ? " with gaps" : "") + (seed ? " at random" : "") + (ragged ? " ragged" : "");
  }
  int64_t row() const { return columns + 2 * gap; }
  int64_t group() const { return kRows * row() + gap; }
  int64_t block() const { return kGroups * group() + 3 * gap; }
  int64_t block_bytes() const {
    const auto bytes = [&](int64_t rows) { return spec.bytes(rows, columns, static_cast<schemoe_dtype>(dtype), parameter); };
    return (ragged ? bytes(3) + bytes(7) : kGroups * bytes(kRows)) + 3 * gap;
  }
  Words words(int d, uint32_t x, uint32_t wire) const {
    Words words = Words().i(d, schemoe::codec_number(spec.name), parameter, seed, kBlocks);
    if (ragged) words.i(3, 10, columns).v(x).i(block(), 0, row());
    else words.i(kGroups, kRows, columns).v(x).i(block(), group(), row());
    words.v(wire, gap).i(block_bytes()).i(1000, 77, 7);
    if (ragged) words.i(3, 0, 7);
    return words;
  }
};

void compare(Both& t, const Case& c) {
  auto list = t.random(static_cast<size_t>(kBlocks * c.block() + 8), -100, 100);
  if (c.columns > 0) std::fill_n(list.begin() + c.row(), c.columns, 5.0f);  // a row of one value
  if (c.columns > 0) std::fill_n(list.begin() + 4 * c.row(), c.columns, 0.0f);
  if (c.columns > 4) list[2 * c.row() + 2] = 1e-7f, list[3 * c.row()] = 1e9f;
  const bool reports = std::string(c.spec.name).starts_with("zfp");
  if (c.columns > 64 && !reports) list[2 * c.row() + 1] = NAN, list[3 * c.row() + 40] = INFINITY, list[3 * c.row() + 1] = -INFINITY;
  const auto bytes = static_cast<size_t>(kBlocks * c.block_bytes() + 1);
  t.begin(c.name("encode"), c.dtype);
  const auto x = t.values(list);
  const auto wire = t.bytes(bytes);
  const auto words = [&](int d) { return c.words(d, x, wire); };
  t.run(16, words, 0, true);
  t.begin(c.name("decode"), c.dtype);
  t.values(list);
  // A wire as it is encoded, and one of the same byte everywhere.
  t.bytes_of(wire);
  t.run(17, words, 0, true);
  t.begin(c.name("decode any bits"), c.dtype);
  t.values(list);
  t.bytes(bytes);
  t.run(17, words, 0, true);
}

/// Rows whose range is no float, and steps at the borders between the ways to divide by them.
void ranges(Both& t) {
  constexpr float kMost = 0x1.fffffep127f;
  for (const int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) {
    for (const int64_t columns : {9, 64, 2048}) {
      std::vector<float> list = t.random(static_cast<size_t>(8 * columns), -1, 1);
      const float scales[8] = {kMost, 0x1p120f, 0x1p107f, 0x1p60f, 0x1p-50f, 0x1p-100f, 0x1p-126f, 0x1p-140f};
      for (size_t i = 0; i < list.size(); ++i) list[i] *= scales[i / static_cast<size_t>(columns)];
      list[0] = kMost, list[1] = -kMost;
      for (const auto& spec : schemoe::codec_table()) {
        // Beyond a float's range zfp decodes to infinity or to the same as the CPU engine; both are compared.
        t.begin(std::string("ranges ") + spec.name, dtype);
        const auto x = t.values(list);
        const auto wire = t.bytes(static_cast<size_t>(spec.bytes(8, columns, static_cast<schemoe_dtype>(dtype), spec.most)));
        const auto words = [&](int d) {
          return Words().i(d, schemoe::codec_number(spec.name), spec.most, 0, 1, 1, 8, columns).v(x).i(0, 0, columns).v(wire).i(0).i(0, 0, 0);
        };
        t.run(16, words, 0, true);
        t.begin(std::string("ranges back ") + spec.name, dtype);
        t.values(list);
        t.bytes_of(wire);
        t.run(17, words, 0, true);
      }
    }
  }
}

/// A value of one of several kinds. Finite ones: white, ties between codes, subnormal, any bits, the largest, zeros of
/// both signs, a block of these in three. Others: some that are not finite, blocks of them, nothing else.
float special(std::mt19937& random, int64_t kind, int64_t column) {
  const auto white = static_cast<float>(static_cast<int32_t>(random())) * 0x1p-31f;
  const float odd = random() % 2 ? NAN : random() % 2 ? INFINITY : -INFINITY;
  switch (kind) {
    case 1: return static_cast<float>(static_cast<int32_t>(random() % 513) - 256) * 0x1p-5f;
    case 2: return std::ldexp(white, -130);
    case 3: {
      const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
      return std::isfinite(value) ? value : -0.0f;
    }
    case 4: return random() % 2 ? 0x1.fffffep127f : -0x1.fffffep127f;
    case 5: return random() % 2 ? 0.0f : -0.0f;
    case 6: return column / 32 % 3 == 1 ? -0.0f : white;
    case 7: return random() % 200 == 0 ? odd : white;
    case 8: return column / 128 % 2 ? odd : std::ldexp(white, 100);
    case 9: return odd;
    default: return white;
  }
}

constexpr int64_t kFiniteKinds = 7, kKinds = 10;

/// Rows of kinds from `first` to `last` in turn, of whole and of broken blocks, aligned and not.
void specials(Both& t, const schemoe::CodecSpec& spec, int dtype, int64_t first, int64_t last, int64_t columns, int64_t seed) {
  constexpr int64_t kRows = 3 * kFiniteKinds;
  const int64_t stride = columns + (columns == 512 ? 16 : 0);
  std::mt19937 random(11);
  std::vector<float> list(static_cast<size_t>(kRows * stride));
  for (int64_t i = 0; i < kRows * stride; ++i) {
    const float value = special(random, first + i / stride % (last - first), i % stride);
    // What rounds to an infinity is not finite in bfloat16.
    const bool rounded = dtype == SCHEMOE_BF16 && last <= kFiniteKinds && std::isinf(round_to_bf16(value));
    list[static_cast<size_t>(i)] = rounded ? std::copysign(0x1.fep127f, value) : value;
  }
  const auto type = static_cast<schemoe_dtype>(dtype);
  const std::string name = std::string(spec.name) + " of " + std::to_string(columns) + " from " + std::to_string(first) + (seed ? " at random" : "");
  t.begin("special values " + name, dtype);
  const auto x = t.values(list);
  const auto wire = t.bytes(static_cast<size_t>(spec.bytes(kRows, columns, type, spec.most)));
  const auto words = [&](int d) {
    return Words().i(d, schemoe::codec_number(spec.name), spec.most, seed, 1, 3, kFiniteKinds, columns).v(x).i(0, kFiniteKinds * stride, stride).v(wire).i(0, 5, 0, 100);
  };
  t.run(16, words, 0, true);
  t.begin("special values back " + name, dtype);
  // NaN is one number with many bits; all others, zeros too, have to be the same ones.
  if (last <= kFiniteKinds) t.bytes(list.size() * (dtype == SCHEMOE_BF16 ? 2 : 4));
  else t.values(list);
  t.bytes_of(wire);
  t.run(17, words, 0, true);
}

void specials(Both& t) {
  for (const auto& spec : schemoe::codec_table()) {
    for (const int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) {
      for (const int64_t columns : {8, 40, 72, 136, 333, 512, 1048, 2880, 4104, 4099}) {
        for (const int64_t seed : {0, 99}) {
          if (seed && !spec.random) continue;
          specials(t, spec, dtype, 0, kFiniteKinds, columns, seed);
          if (!std::string(spec.name).starts_with("zfp")) specials(t, spec, dtype, kFiniteKinds, kKinds, columns, seed);
        }
      }
    }
  }
}

/// What zfp cannot represent is named alike.
void refused(Both& t) {
  for (const char* name : {"zfp1", "zfp"}) {
    for (const float odd : {NAN, INFINITY, -INFINITY}) {
      t.begin("refused");
      auto list = t.random(6 * 24);
      list[4 * 24 + 13] = odd;
      const auto x = t.values(list);
      const auto wire = t.bytes(1024);
      t.run(16, [&](int d) { return Words().i(d, schemoe::codec_number(name), 8, 0, 1, 1, 6, 24).v(x).i(0, 0, 24).v(wire).i(0).i(0, 0, 0); }, 0);
      check::that(t.text().find("row 4 of 6 holds a value that is not finite") != std::string::npos, t.text(), __FILE__, __LINE__);
    }
  }
}

}  // namespace

int main() {
  if (const auto skipped = without_gpu()) return *skipped;
  Both t;
  for (const auto& spec : schemoe::codec_table()) {
    const int64_t middle = (spec.least + spec.most) / 2;
    for (const int dtype : {SCHEMOE_F32, SCHEMOE_BF16}) {
      for (const int64_t columns : {0, 1, 7, 8, 37, 128, 200, 1280, 2048, 4096, 9000, 16384, 70000}) {
        if (too_large(static_cast<size_t>(columns), 2048)) continue;
        for (const int64_t gap : {0, 1}) {
          compare(t, {spec, dtype, middle, columns, gap, 0});
          if (columns > 300) continue;
          compare(t, {spec, dtype, spec.least, columns, gap, 0});
          compare(t, {spec, dtype, spec.most, columns, gap, 0});
          compare(t, {spec, dtype, middle, columns, gap, 0, true});
          if (!spec.random) continue;
          compare(t, {spec, dtype, middle, columns, gap, 12345});
          compare(t, {spec, dtype, middle, columns, gap, 12345, true});
        }
      }
    }
  }
  ranges(t);
  specials(t);
  refused(t);
  return check::result();
}
