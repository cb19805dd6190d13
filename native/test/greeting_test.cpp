// SHA-256 and HMAC against the published test vectors, and greetings that are damaged.
#include "tcp/greeting.h"

#include <algorithm>
#include <random>
#include <string>

#include "check.h"
#include "runtime/failure.h"

namespace {

using schemoe::Digest;
using schemoe::Greeting;
using schemoe::Key;

std::vector<uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

std::string hex(const Digest& digest) {
  std::string text;
  for (uint8_t byte : digest) for (int shift : {4, 0}) text += "0123456789abcdef"[byte >> shift & 15];
  return text;
}

/// The examples of FIPS 180-4, and 1,000,000 times "a".
void check_sha256() {
  const auto of = [](const std::string& text) { return hex(schemoe::sha256(bytes_of(text))); };
  CHECK_EQUAL(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK_EQUAL(of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK_EQUAL(of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK_EQUAL(of(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/// Test cases 1, 2, 3, 4, 6 and 7 of RFC 4231.
void check_hmac() {
  const auto of = [](const std::string& key, const std::string& data) {
    return hex(schemoe::hmac_sha256(bytes_of(key), bytes_of(data)));
  };
  CHECK_EQUAL(of(std::string(20, '\x0b'), "Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK_EQUAL(of("Jefe", "what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK_EQUAL(of(std::string(20, '\xaa'), std::string(50, '\xdd')), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  std::string rising;
  for (char c = 1; c <= 25; ++c) rising += c;
  CHECK_EQUAL(of(rising, std::string(50, '\xcd')), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  CHECK_EQUAL(of(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK_EQUAL(of(std::string(131, '\xaa'),
                 "This is a test using a larger than block-size key and a larger than block-size data. The key needs to "
                 "be hashed before being used by the HMAC algorithm."),
              "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/// Carries bytes to and fro, changed by `change`, until nobody has any; what was refused, or nothing.
template <class Change>
std::string talk(Greeting& opener, Greeting& listener, Change&& change) {
  try {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto [from, to] : {std::pair(&opener, &listener), std::pair(&listener, &opener)}) {
        std::vector<uint8_t> bytes = std::move(from->outgoing());
        from->outgoing().clear();
        change(bytes, from == &opener);
        for (size_t at = 0; at < bytes.size() && !to->done();) {
          const size_t piece = std::min({to->wanted(), bytes.size() - at, size_t{7}});
          to->take(std::span(bytes).subspan(at, piece));
          at += piece;
          moved = true;
        }
      }
    }
    return "";
  } catch (const schemoe::Failure& failure) {
    return std::string(failure.text());
  }
}

void check_keys() {
  const Key key{1, 2, 3}, other{1, 2, 4};
  const auto nothing = [](std::vector<uint8_t>&, bool) {};
  Greeting opener(key, 3, {7}, 1), listener(key, 1, {8});
  CHECK_EQUAL(talk(opener, listener, nothing), "");
  CHECK(opener.done() && listener.done());
  CHECK_EQUAL(listener.other(), 3u);
  CHECK_EQUAL(opener.other(), 1u);
  {
    Greeting wrong(other, 3, {7}, 1), right(key, 1, {8});
    CHECK_CONTAINS(talk(wrong, right, nothing), "it has not the key");
    CHECK(!wrong.done() && !right.done());
  }
  {
    Greeting right(key, 3, {7}, 2), elsewhere(key, 1, {8});
    CHECK_CONTAINS(talk(right, elsewhere, nothing), "it is process 1");
  }
}

/// Without the key nothing that a side says can be used again, and nobody is let in.
void check_impostors() {
  const Key key{1, 2, 3};
  std::vector<uint8_t> said;  // by the opener, to be said again
  const auto record = [&](std::vector<uint8_t>& bytes, bool opener) {
    if (opener) said.insert(said.end(), bytes.begin(), bytes.end());
  };
  Greeting opener(key, 3, {7}, 1), listener(key, 1, {8});
  CHECK_EQUAL(talk(opener, listener, record), "");
  CHECK(std::search(said.begin(), said.end(), key.begin(), key.end()) == said.end());
  Greeting again(key, 1, {9});
  bool refused = false;
  try {
    for (uint8_t byte : said) again.take(std::span(&byte, 1));
  } catch (const schemoe::Failure&) {
    refused = true;
  }
  CHECK(refused && !again.done());
  // The listener's own proof, sent back to it, and the opener's to the opener.
  Greeting mirrored(key, 1, {8});
  const schemoe::Hello hello{schemoe::kGreetingMagic, schemoe::kProtocol, 1, 0, {8}};
  const auto* at = reinterpret_cast<const uint8_t*>(&hello);
  mirrored.take({at, sizeof hello});
  refused = false;
  try {
    mirrored.take(std::span(mirrored.outgoing()).last(sizeof(Digest)));
  } catch (const schemoe::Failure&) {
    refused = true;
  }
  CHECK(refused && !mirrored.done());
}

/// No change of any byte lets both sides be done.
void check_damage() {
  const Key key{5};
  std::mt19937 generator(31);
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    const bool of_opener = round % 2 == 0;
    size_t skip = generator() % 128;
    bool changed = false;
    const auto damage = [&](std::vector<uint8_t>& bytes, bool opener) {
      if (opener != of_opener || changed) return;
      if (skip >= bytes.size()) {
        skip -= bytes.size();
        return;
      }
      changed = true;
      switch (generator() % 3) {
        case 0: bytes[skip] ^= static_cast<uint8_t>(1 + generator() % 255); break;
        case 1: bytes.resize(skip); break;
        default: for (size_t i = skip; i < bytes.size(); ++i) bytes[i] ^= static_cast<uint8_t>(1 + generator() % 255);
      }
    };
    Greeting opener(key, 1, {static_cast<uint8_t>(round)}, 0), listener(key, 0, {9});
    const std::string text = talk(opener, listener, damage);
    if (!changed) continue;
    CHECK(!(opener.done() && listener.done()));
    refused += !text.empty();
  }
  CHECK(refused > 1000);
  for (int round = 0; round < 2000; ++round) {
    Greeting listener(key, 0, {9});
    try {
      while (listener.wanted() > 0) {
        std::vector<uint8_t> bytes(1 + generator() % listener.wanted());
        for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(generator());
        listener.take(bytes);
      }
    } catch (const schemoe::Failure&) {
    }
    CHECK(!listener.done());
  }
}

}  // namespace

int main() {
  check_sha256();
  check_hmac();
  check_keys();
  check_impostors();
  check_damage();
  CHECK(schemoe::new_challenge() != schemoe::new_challenge());
  return check::result();
}
