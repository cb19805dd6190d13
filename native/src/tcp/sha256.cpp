#include "tcp/sha256.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace schemoe {

namespace {

using Wide = unsigned __int128;
constexpr size_t kBlock = 64;

constexpr std::array<uint32_t, 64> primes() {
  std::array<uint32_t, 64> found{};
  size_t count = 0;
  for (uint32_t n = 2; count < found.size(); ++n) {
    bool prime = true;
    for (uint32_t d = 2; d * d <= n; ++d) prime &= n % d != 0;
    if (prime) found[count++] = n;
  }
  return found;
}

/// The first 32 bits behind the point of the square or cube root of `n`: the standard's constants.
constexpr uint32_t root_bits(uint32_t n, int power) {
  const Wide scaled = Wide{n} << (32 * power);
  Wide root = 0;
  for (int bit = 37; bit >= 0; --bit) {
    const Wide next = root | (Wide{1} << bit);
    const Wide raised = power == 2 ? next * next : next * next * next;
    if (raised <= scaled) root = next;
  }
  return static_cast<uint32_t>(root);
}

template <size_t N>
constexpr std::array<uint32_t, N> roots(int power) {
  std::array<uint32_t, N> bits{};
  for (size_t i = 0; i < N; ++i) bits[i] = root_bits(primes()[i], power);
  return bits;
}

constexpr auto kRounds = roots<64>(3);
constexpr auto kStart = roots<8>(2);
static_assert(kRounds[0] == 0x428a2f98 && kRounds[63] == 0xc67178f2 && kStart[0] == 0x6a09e667);

void compress(std::array<uint32_t, 8>& state, const uint8_t* block) {
  std::array<uint32_t, 64> w;
  for (size_t i = 0; i < 16; ++i) {
    const uint8_t* at = block + 4 * i;
    w[i] = uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3];
  }
  for (size_t i = 16; i < 64; ++i) {
    const uint32_t early = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
    const uint32_t late = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + early + w[i - 7] + late;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (size_t i = 0; i < 64; ++i) {
    const uint32_t choice = (e & f) ^ (~e & g), majority = (a & b) ^ (a & c) ^ (b & c);
    const uint32_t mixed_e = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
    const uint32_t mixed_a = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
    const uint32_t in = h + mixed_e + choice + kRounds[i] + w[i];
    h = g, g = f, f = e, e = d + in, d = c, c = b, b = a, a = in + mixed_a + majority;
  }
  const std::array<uint32_t, 8> added{a, b, c, d, e, f, g, h};
  for (size_t i = 0; i < state.size(); ++i) state[i] += added[i];
}

}  // namespace

Digest sha256(std::span<const uint8_t> data) {
  std::vector<uint8_t> padded(data.begin(), data.end());
  padded.push_back(0x80);
  while (padded.size() % kBlock != kBlock - sizeof(uint64_t)) padded.push_back(0);
  for (int shift = 56; shift >= 0; shift -= 8) padded.push_back(static_cast<uint8_t>(uint64_t{data.size()} * 8 >> shift));
  std::array<uint32_t, 8> state = kStart;
  for (size_t at = 0; at < padded.size(); at += kBlock) compress(state, padded.data() + at);
  Digest digest;
  for (size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<uint8_t>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

Digest hmac_sha256(std::span<const uint8_t> key, std::span<const uint8_t> data) {
  std::array<uint8_t, kBlock> block{};
  if (key.size() > kBlock) {
    const Digest shorter = sha256(key);
    std::copy(shorter.begin(), shorter.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  const auto keyed = [&](uint8_t pad, std::span<const uint8_t> text) {
    std::vector<uint8_t> bytes;
    for (uint8_t byte : block) bytes.push_back(byte ^ pad);
    bytes.insert(bytes.end(), text.begin(), text.end());
    return sha256(bytes);
  };
  return keyed(0x5c, keyed(0x36, data));
}

bool equal(const Digest& a, const Digest& b) {
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= a[i] ^ b[i];
  return difference == 0;
}

}  // namespace schemoe
