// zfp at fixed rates: bits of known blocks, libzfp's bits where it is installed, errors, and any bits decoded.
#include <algorithm>
#include <bit>
#include <cstring>

#include "codecs/table.h"
#include "library.h"
#ifdef SCHEMOE_WITH_ZFP
#include <zfp.h>
#endif

namespace {

constexpr uint32_t kZfp1 = schemoe::codec_number("zfp1"), kZfp2 = schemoe::codec_number("zfp");

struct Case {
  uint32_t codec;
  int64_t rows, columns, rate;
};

size_t bytes_of(const Case& c) {
  return static_cast<size_t>(schemoe::find_codec(c.codec)->bytes(c.rows, c.columns, SCHEMOE_F32, c.rate));
}

std::vector<uint8_t> encode(Bench& bench, const Case& c, const std::vector<float>& x) {
  const uint32_t from = bench.buffer(x), wire = bench.empty<uint8_t>(bytes_of(c));
  bench.ok(16, Words().i(0, c.codec, c.rate, 0, 1, 1, c.rows, c.columns).v(from).i(0, 0, c.columns).v(wire).i(0).i(0, 0, 0));
  return bench.read<uint8_t>(wire, bytes_of(c));
}

std::vector<float> decode(Bench& bench, const Case& c, const std::vector<uint8_t>& bytes) {
  const auto count = static_cast<size_t>(c.rows * c.columns);
  const uint32_t wire = bench.buffer(bytes), to = bench.empty(count);
  bench.ok(17, Words().i(0, c.codec, c.rate, 0, 1, 1, c.rows, c.columns).v(to).i(0, 0, c.columns).v(wire).i(0).i(0, 0, 0));
  return bench.read(to, count);
}

std::string hex(const std::vector<uint8_t>& bytes) {
  std::string text;
  char two[3];
  for (const uint8_t byte : bytes) std::snprintf(two, sizeof two, "%02x", byte), text += two;
  return text;
}

void known(Bench& bench) {
  const auto steps = [](int64_t count, float first, float step) {
    std::vector<float> x;
    for (int64_t i = 0; i < count; ++i) x.push_back(first + static_cast<float>(i) * step);
    return x;
  };
  const auto sixteen = steps(16, -1.75f, 0.25f);
  CHECK_EQUAL(hex(encode(bench, {kZfp1, 1, 16, 4}, sixteen)), "0117ff780131032d");
  CHECK_EQUAL(hex(encode(bench, {kZfp1, 1, 16, 8}, sixteen)), "01175900ff780b0001310b00032d6e01");
  CHECK_EQUAL(hex(encode(bench, {kZfp2, 4, 4, 4}, sixteen)), "0349241300000000");
  CHECK_EQUAL(hex(encode(bench, {kZfp2, 4, 4, 8}, sixteen)), "03492413000000000000000000000000");
  CHECK_EQUAL(hex(encode(bench, {kZfp1, 1, 6, 8}, steps(6, 1, 1))), "05310b0005ad5a00");
  CHECK_EQUAL(hex(encode(bench, {kZfp2, 3, 5, 8}, steps(15, 0, 1))),
              "07714888064082121188000000000000072d21200240094a4420020000000000");
  CHECK(decode(bench, {kZfp1, 1, 16, 16}, encode(bench, {kZfp1, 1, 16, 16}, sixteen)) == sixteen);
}

constexpr int kKinds = 8;

/// Values of one of several kinds: white, smooth, of many magnitudes, mostly zeros, the edges of the format, any bits,
/// a few outliers.
std::vector<float> values(Bench& bench, size_t count, int kind) {
  auto x = bench.random(count);
  for (size_t i = 0; i < count; ++i) {
    const auto at = static_cast<float>(i);
    switch (kind) {
      case 1: x[i] = std::sin(at * 0.05f) + 0.01f * x[i]; break;
      case 2: x[i] = std::ldexp(x[i], static_cast<int>(bench.generator() % 120) - 60); break;
      case 3: x[i] = bench.generator() % 5 ? 0.0f : x[i]; break;
      case 4: x[i] = bench.generator() % 2 ? 0x1.fffffep127f : -0x1.fffffep127f; break;
      case 5: x[i] = i % 3 ? -0.0f : std::ldexp(1 + std::abs(x[i]), -96); break;
      case 6: {
        const auto value = std::bit_cast<float>(static_cast<uint32_t>(bench.generator()));
        x[i] = std::isfinite(value) ? value : 0x1p-140f;
        break;
      }
      case 7: x[i] = i % 37 == 5 ? x[i] * 1e4f : x[i]; break;
      default: break;
    }
  }
  return x;
}

#ifdef SCHEMOE_WITH_ZFP
/// What libzfp makes of an array of `ny` rows of `nx` (0: one of nx values).
void zfp_stream_of(std::vector<uint8_t>& bytes, float* x, unsigned nx, unsigned ny, double rate, bool compress) {
  zfp_stream* zfp = zfp_stream_open(nullptr);
  zfp_stream_set_rate(zfp, rate, zfp_type_float, ny ? 2 : 1, zfp_false);
  // It may write more than what it then says it wrote; whether it ends on 64 bits or 8 depends on its build.
  std::vector<uint8_t> room(bytes);
  room.resize(bytes.size() + 256);
  bitstream* bits = stream_open(room.data(), room.size());
  zfp_stream_set_bit_stream(zfp, bits);
  zfp_field* field = ny ? zfp_field_2d(x, zfp_type_float, nx, ny) : zfp_field_1d(x, zfp_type_float, nx);
  if (compress) {
    const size_t written = zfp_compress(zfp, field);
    CHECK(written > 0 && written <= bytes.size() && written + 8 > bytes.size());
    std::copy_n(room.begin(), bytes.size(), bytes.begin());
  } else {
    CHECK(zfp_decompress(zfp, field) != 0);
  }
  zfp_field_free(field);
  stream_close(bits);
  zfp_stream_close(zfp);
}

void against_libzfp(Bench& bench) {
  for (int round = 0; round < 1200; ++round) {
    const bool large = round % 40 < 2;
    const Case c{round % 2 ? kZfp2 : kZfp1, 1 + static_cast<int64_t>(bench.generator() % (large ? 67 : 11)),
                 1 + static_cast<int64_t>(bench.generator() % (large ? 517 : 41)), 3 + static_cast<int64_t>(bench.generator() % 14)};
    auto x = values(bench, static_cast<size_t>(c.rows * c.columns), round / 2 % kKinds);
    // A large one in each block, since libzfp overflows in blocks below 2^-98; the others may be subnormal.
    if (round / 2 % kKinds == 6) {
      for (int64_t i = 0; i < c.rows; ++i) {
        for (int64_t j = 0; j < c.columns; j += 4) x[static_cast<size_t>(i * c.columns + j)] = std::ldexp(1.5f, static_cast<int>(bench.generator() % 200) - 90);
      }
    }
    const auto nx = static_cast<unsigned>(c.columns), ny = static_cast<unsigned>(c.rows);
    const auto wire = encode(bench, c, x);
    const auto back = decode(bench, c, wire);
    std::vector<uint8_t> expected;
    std::vector<float> decoded(x.size());
    if (c.codec == kZfp2) {
      expected.resize(wire.size());
      zfp_stream_of(expected, x.data(), nx, ny, static_cast<double>(c.rate), true);
      zfp_stream_of(expected, decoded.data(), nx, ny, static_cast<double>(c.rate), false);
    } else {
      for (unsigned r = 0; r < ny; ++r) {
        std::vector<uint8_t> row(wire.size() / ny);
        zfp_stream_of(row, x.data() + r * nx, nx, 0, static_cast<double>(c.rate), true);
        zfp_stream_of(row, decoded.data() + r * nx, nx, 0, static_cast<double>(c.rate), false);
        expected.insert(expected.end(), row.begin(), row.end());
      }
    }
    const std::string what = "round " + std::to_string(round);
    check::that(wire == expected, what + ": other bits than libzfp's", __FILE__, __LINE__);
    check::that(std::memcmp(back.data(), decoded.data(), back.size() * 4) == 0, what + ": decoded otherwise", __FILE__, __LINE__);
  }
}
#endif

/// Blocks below 2^-98, where libzfp's fixed point overflows, keep their relative precision.
void tiny(Bench& bench) {
  for (const int exponent : {-97, -98, -110, -126, -140}) {
    auto x = bench.random(16);
    for (float& value : x) value = std::ldexp(value, exponent);
    const Case c{kZfp2, 4, 4, 16};
    const auto back = decode(bench, c, encode(bench, c, x));
    for (size_t i = 0; i < 16; ++i) CHECK(std::abs(back[i] - x[i]) <= std::ldexp(1.0, exponent - 8) + std::ldexp(1.0, -149));
  }
}

/// Groups are streams of their own, whatever their numbers of rows; rows that are not finite are named.
void groups(Bench& bench) {
  constexpr int64_t kColumns = 9, kRate = 5;
  const std::vector<int64_t> rows = {3, 0, 6, 1};
  const auto x = bench.random(10 * kColumns);
  std::vector<uint8_t> expected;
  int64_t first = 0;
  for (const int64_t n : rows) {
    if (n == 0) continue;
    const auto part = encode(bench, {kZfp2, n, kColumns, kRate}, {x.begin() + first * kColumns, x.begin() + (first + n) * kColumns});
    expected.insert(expected.end(), part.begin(), part.end());
    first += n;
  }
  const uint32_t from = bench.buffer(x), wire = bench.empty<uint8_t>(expected.size()), to = bench.empty(x.size());
  const auto words = [&](uint32_t id) {
    return Words().i(0, kZfp2, kRate, 0, 1, 4, 10, kColumns).v(id).i(0, 0, kColumns).v(wire).i(0).i(0, 0, 0).i(3, 0, 6, 1);
  };
  bench.ok(16, words(from));
  CHECK(bench.read<uint8_t>(wire, expected.size()) == expected);
  bench.ok(17, words(to));
  const auto back = bench.read(to, x.size());
  for (size_t i = 0; i < x.size(); ++i) CHECK(std::abs(back[i] - x[i]) < 0.6);
  auto odd = x;
  odd[7 * kColumns + 8] = INFINITY;
  const Outcome outcome = bench.run(16, words(bench.buffer(odd)));
  CHECK_EQUAL(outcome.status, SCHEMOE_INVALID);
  CHECK_CONTAINS(outcome.text, "kernel encode: row 7 of 10 holds a value that is not finite, which zfp cannot represent");
  CHECK_CONTAINS(bench.run(16, Words().i(0, kZfp2, kRate, 0, 1, 2, 10, kColumns).v(from).i(0, 0, kColumns).v(wire).i(0).i(0, 0, 0).i(3, 6)).text,
                 "groups have 9 rows in all, not 10");
}

/// The decoder takes any bits.
void any_bits(Bench& bench) {
  for (int round = 0; round < 200; ++round) {
    const Case c{round % 2 ? kZfp2 : kZfp1, 5, 7, 3 + round % 14};
    std::vector<uint8_t> bytes(bytes_of(c));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(bench.generator());
    CHECK_EQUAL(decode(bench, c, bytes).size(), 35u);
  }
}

}  // namespace

int main() {
  Bench bench;
  known(bench);
#ifdef SCHEMOE_WITH_ZFP
  against_libzfp(bench);
#else
  std::printf("libzfp is not installed: its bits are not compared\n");
#endif
  tiny(bench);
  groups(bench);
  any_bits(bench);
  return check::result();
}
