// Codecs bit for bit: half floats over their whole range, int8 by its definition.
#include <bit>
#include <cstring>

#include "codecs/table.h"
#include "cpu/kernels/half.h"
#include "library.h"

namespace {

constexpr uint32_t kNone = schemoe::codec_number("none"), kFp16 = schemoe::codec_number("fp16");
constexpr uint32_t kInt8 = schemoe::codec_number("int8"), kBf16 = schemoe::codec_number("bf16");
constexpr uint32_t kZfp1 = schemoe::codec_number("zfp1");
constexpr uint32_t kAll[] = {kNone, kFp16, kInt8, kBf16};

/// The half nearest to a float, found by trying; ties go to the even one.
uint16_t nearest_half(float value) {
  const auto sign = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16 & 0x8000);
  const double magnitude = std::abs(static_cast<double>(value));
  int low = 0, high = 0x7c00;  // all finite magnitudes and infinity, in order
  const auto of = [](int bits) {
    return bits == 0x7c00 ? 65536.0 : static_cast<double>(schemoe::float_from_half(static_cast<uint16_t>(bits)));
  };
  if (magnitude >= 65536) return sign | 0x7c00;
  while (high - low > 1) (of((low + high) / 2) <= magnitude ? low : high) = (low + high) / 2;
  const double below = magnitude - of(low), above = of(high) - magnitude;
  const int best = below < above || (below == above && low % 2 == 0) ? low : high;
  return static_cast<uint16_t>(sign | best);
}

void halves() {
  // Exact values by their definition: every half.
  for (int bits = 0; bits < 0x7c00; ++bits) {
    const int exponent = bits >> 10, fraction = bits & 0x3ff;
    const double value = exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
    CHECK(schemoe::float_from_half(static_cast<uint16_t>(bits)) == value);
    CHECK(schemoe::half_from_float(static_cast<float>(-value)) == (bits | 0x8000));
  }
  CHECK(std::isinf(schemoe::float_from_half(0x7c00)) && std::isnan(schemoe::float_from_half(0x7c01)));
  CHECK(std::isnan(schemoe::float_from_half(schemoe::half_from_float(NAN))));
  // Rounding: floats beside every half and every middle, and many others; single and in rows.
  std::mt19937 generator(1);
  std::vector<float> values;
  for (int bits = 0; bits < 0x7c00; bits += 3) {
    const float value = schemoe::float_from_half(static_cast<uint16_t>(bits));
    const float next = bits + 1 == 0x7c00 ? 65536.0f : schemoe::float_from_half(static_cast<uint16_t>(bits + 1));
    const float middle = (value + next) / 2;
    for (float x : {middle, std::nextafter(middle, INFINITY), std::nextafter(middle, -INFINITY)}) values.push_back(x);
  }
  while (values.size() < 200001) {
    const auto x = std::bit_cast<float>(static_cast<uint32_t>(generator()));
    if (!std::isnan(x)) values.push_back(x);
  }
  std::vector<std::byte> row(2 * values.size());
  schemoe::halves_from_floats(row.data(), values.data(), static_cast<int64_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, row.data() + 2 * i, 2);
    CHECK(bits == nearest_half(values[i]));
    CHECK(bits == schemoe::half_from_float(values[i]));
  }
  // Rows and single values agree on every pattern, NaN and its payload included.
  std::vector<uint16_t> all(65536);
  for (int i = 0; i < 65536; ++i) all[i] = static_cast<uint16_t>(i);
  std::vector<float> floats(all.size());
  schemoe::floats_from_halves(floats.data(), reinterpret_cast<std::byte*>(all.data()), 65536);
  for (int i = 0; i < 65536; ++i) {
    const float one = schemoe::float_from_half(static_cast<uint16_t>(i));
    CHECK(std::bit_cast<uint32_t>(floats[i]) == std::bit_cast<uint32_t>(one));
  }
  std::vector<float> nans;
  for (uint32_t bits : {0x7f800001u, 0xff812345u, 0x7fc00000u, 0x7fffffffu, 0x7fa55555u, 0xffa00000u, 0x7f900000u, 0x7f802000u}) {
    nans.push_back(std::bit_cast<float>(bits));
  }
  schemoe::halves_from_floats(row.data(), nans.data(), 8);
  for (int i = 0; i < 8; ++i) {
    uint16_t bits;
    std::memcpy(&bits, row.data() + 2 * i, 2);
    CHECK(bits == schemoe::half_from_float(nans[i]));
  }
}

void bfloat16() {
  const auto bits = [](uint32_t word) { return schemoe::bfloat16_from_float(std::bit_cast<float>(word)); };
  CHECK(bits(0x3f808000) == 0x3f80 && bits(0x3f818000) == 0x3f82 && bits(0x3f808001) == 0x3f81);
  CHECK(bits(0x7f7fffff) == 0x7f80 && bits(0xff800000) == 0xff80);
  CHECK(std::isnan(schemoe::float_from_bfloat16(bits(0x7f800001))));
  CHECK(schemoe::float_from_bfloat16(0xc000) == -2.0f);
}

/// Encode and decode of blocks with gaps, all codecs.
void blocks(Bench& bench, uint32_t codec, int64_t columns) {
  constexpr int64_t kBlocks = 3, kGroups = 2, kRows = 4;
  const int64_t row = columns + 2, group = kRows * row + 1, block = kGroups * group + 3;
  const int64_t lines = kGroups * kRows;
  const int64_t wire_bytes = (codec == kNone ? 4 * columns : codec == kInt8 ? columns + 8 : 2 * columns) * lines + 3;
  auto x = bench.random(kBlocks * block, -100, 100);
  for (int64_t j = 0; j < columns; ++j) x[row + j] = 5;  // a row of one value
  const uint32_t ix = bench.buffer(x), iw = bench.empty<uint8_t>(kBlocks * wire_bytes + 1), iy = bench.buffer(std::vector<float>(x.size(), 1e9f));
  const auto arguments = [&](uint32_t id) {
    return Words().i(0, codec, 0, 0, kBlocks, kGroups, kRows, columns).v(id).i(block, group, row).v(iw, 1).i(wire_bytes).i(0, 0, 0);
  };
  bench.ok(16, arguments(ix));
  bench.ok(17, arguments(iy));
  const auto wire = bench.read<uint8_t>(iw, kBlocks * wire_bytes + 1);
  const auto y = bench.read(iy, x.size());
  for (int64_t b = 0; b < kBlocks; ++b) {
    for (int64_t line = 0; line < lines; ++line) {
      const float* from = x.data() + b * block + line / kRows * group + line % kRows * row;
      const float* to = y.data() + (from - x.data());
      const uint8_t* start = wire.data() + 1 + b * wire_bytes;
      CHECK(to[columns] == 1e9f);
      if (codec == kInt8 && columns > 0) {
        volatile float low = from[0], high = from[0];  // each operation rounds to float
        for (int64_t j = 0; j < columns; ++j) {
          low = std::fmin(low, from[j]);
          high = std::fmax(high, from[j]);
        }
        volatile float scale = high - low;
        scale = scale / 255.0f;
        float found[2];
        std::memcpy(found, start + 8 * line, 8);
        CHECK(found[0] == low && found[1] == scale);
        for (int64_t j = 0; j < columns; ++j) {
          volatile float level = from[j] - low;
          level = level / scale;
          level = level + 0.5f;
          const int q = scale == 0 ? 0 : static_cast<int>(std::fmin(std::floor(level), 255.0f));
          CHECK(start[8 * lines + line * columns + j] == q);
          volatile float decoded = static_cast<float>(q) * scale;
          decoded = low + decoded;
          CHECK(to[j] == decoded);
        }
        continue;
      }
      for (int64_t j = 0; j < columns; ++j) {
        const float expected = codec == kFp16   ? schemoe::float_from_half(schemoe::half_from_float(from[j]))
                               : codec == kBf16 ? schemoe::float_from_bfloat16(schemoe::bfloat16_from_float(from[j]))
                                                             : from[j];
        CHECK(to[j] == expected);
      }
    }
  }
}

/// A row with NaN or an infinity arrives as NaN, under the codecs that have one step for the row.
void not_finite(Bench& bench) {
  for (const float odd : {NAN, INFINITY, -INFINITY}) {
    for (const int64_t columns : {3, 24}) {
      std::vector<float> row(static_cast<size_t>(columns), 1.0f);
      row[static_cast<size_t>(columns) - 2] = odd;
      for (const uint32_t codec : kAll) {
        const uint32_t x = bench.buffer(row), y = bench.empty(row.size()), w = bench.empty<uint8_t>(200);
        const auto words = [&](uint32_t id) {
          return Words().i(0, codec, 0, 0, 1, 1, 1, columns).v(id).i(0, 0, 0).v(w).i(0).i(0, 0, 0);
        };
        bench.ok(16, words(x));
        bench.ok(17, words(y));
        const float back = bench.read(y, row.size())[static_cast<size_t>(columns) - 2];
        CHECK(codec == kInt8 || std::isnan(odd) ? std::isnan(back) : back == odd);
      }
    }
  }
}

/// Rows whose range is no float arrive within half a step, and finite.
void wide_rows(Bench& bench) {
  constexpr float kMost = 0x1.fffffep127f;
  const std::vector<std::vector<float>> rows = {{3e38f, -3e38f, 0, 1, 2, 3}, {kMost, -kMost, kMost / 2}, {kMost, 0, 1},
                                                {-kMost, 0, 1e-30f}, {0x1p120f, -0x1p119f, 5}};
  for (const auto& row : rows) {
    const auto n = static_cast<int64_t>(row.size());
    const uint32_t x = bench.buffer(row), y = bench.empty(row.size()), w = bench.empty<uint8_t>(row.size() + 8);
    const auto words = [&](uint32_t id) { return Words().i(0, kInt8, 0, 0, 1, 1, 1, n).v(id).i(0, 0, 0).v(w).i(0).i(0, 0, 0); };
    bench.ok(16, words(x));
    bench.ok(17, words(y));
    double low = row[0], high = row[0];
    for (const float value : row) low = std::fmin(low, value), high = std::fmax(high, value);
    const auto back = bench.read(y, row.size());
    for (size_t i = 0; i < row.size(); ++i) {
      CHECK(std::isfinite(back[i]));
      CHECK(std::abs(static_cast<double>(back[i]) - row[i]) <= (high - low) / 510 * (1 + 1e-5));
    }
  }
}

/// Rows in bfloat16 give the wire of the same rows in float32, and come back rounded once.
void bfloat16_rows(Bench& bench, const schemoe::CodecSpec& spec) {
  if (!spec.encode) return;
  constexpr int64_t kRows = 6, kColumns = 37;
  auto floats = bench.random(kRows * kColumns);
  std::vector<uint16_t> halves;
  for (float& value : floats) {
    halves.push_back(schemoe::bfloat16_from_float(value));
    value = schemoe::float_from_bfloat16(halves.back());
  }
  const auto bytes = static_cast<size_t>(spec.bytes(kRows, kColumns, SCHEMOE_BF16, spec.most));
  std::vector<uint8_t> wires[2];
  std::vector<float> back;
  std::vector<uint16_t> back16;
  for (const int64_t dtype : {SCHEMOE_F32, SCHEMOE_BF16}) {
    const uint32_t x = dtype ? bench.buffer(halves) : bench.buffer(floats), w = bench.empty<uint8_t>(bytes);
    const uint32_t y = dtype ? bench.empty<uint16_t>(halves.size()) : bench.empty(floats.size());
    const auto words = [&](uint32_t id) {
      return Words().i(dtype, schemoe::codec_number(spec.name), spec.most, 0, 1, 1, kRows, kColumns).v(id).i(0, 0, kColumns).v(w).i(0).i(0, 0, 0);
    };
    bench.ok(16, words(x));
    bench.ok(17, words(y));
    wires[dtype] = bench.read<uint8_t>(w, bytes);
    if (dtype) back16 = bench.read<uint16_t>(y, halves.size());
    else back = bench.read(y, floats.size());
  }
  CHECK(wires[0] == wires[1]);
  for (size_t i = 0; i < back.size(); ++i) CHECK(schemoe::bfloat16_from_float(back[i]) == back16[i]);
}

}  // namespace

int main() {
  halves();
  bfloat16();
  Bench bench;
  for (const uint32_t codec : kAll) {
    for (int64_t columns : {0, 1, 7, 8, 37, 128}) blocks(bench, codec, columns);
  }
  not_finite(bench);
  wide_rows(bench);
  for (const schemoe::CodecSpec& spec : schemoe::codec_table()) bfloat16_rows(bench, spec);
  const uint32_t x = bench.buffer(std::vector<float>{NAN, 1, 2}), w = bench.empty<uint8_t>(11);
  const auto words = [&](uint32_t codec, int parameter, int blocks, int bytes) {
    return Words().i(0, codec, parameter, 0, blocks, 1, 1, 3).v(x).i(0, 0, 0).v(w).i(bytes).i(0, 0, 0);
  };
  CHECK_CONTAINS(bench.run(16, words(kInt8, 0, 2, 10)).text, "a block takes 11 bytes");
  CHECK_CONTAINS(bench.run(16, words(99, 0, 1, 11)).text, "codec is 99, of which there is none");
  CHECK_CONTAINS(bench.run(16, words(kZfp1, 17, 1, 11)).text, "the parameter of zfp1 (bits a value) is 17, not 3 to 16");
  CHECK_CONTAINS(bench.run(16, words(kZfp1, 3, 1, 11)).text, "row 0 of 1 holds a value that is not finite, which zfp1 cannot represent");
  return check::result();
}
