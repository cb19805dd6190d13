#include "tcp/greeting.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "runtime/failure.h"

namespace schemoe {

namespace {

template <class T>
T read(const std::vector<uint8_t>& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

}  // namespace

Digest new_challenge() {
  Digest challenge;
  if (getentropy(challenge.data(), challenge.size()) != 0) {
    fail(SCHEMOE_UNSUPPORTED, "the system gives no random numbers: ", std::strerror(errno));
  }
  return challenge;
}

Greeting::Greeting(const Key& key, uint32_t self, const Digest& challenge)
    : key_(key), opener_(false), own_{kGreetingMagic, kProtocol, self, 0, challenge} {
  await(Step::hello, sizeof(Hello));
}

Greeting::Greeting(const Key& key, uint32_t self, const Digest& challenge, uint32_t other)
    : key_(key), opener_(true), own_{kGreetingMagic, kProtocol, self, 0, challenge} {
  theirs_.process = other;
  send(&own_, sizeof own_);
  await(Step::challenge, sizeof(Challenge));
}

void Greeting::await(Step step, size_t bytes) {
  step_ = step;
  wanted_ = bytes;
  incoming_.clear();
}

void Greeting::send(const void* data, size_t bytes) {
  const auto* at = static_cast<const uint8_t*>(data);
  outgoing_.insert(outgoing_.end(), at, at + bytes);
}

void Greeting::take(std::span<const uint8_t> bytes) {
  incoming_.insert(incoming_.end(), bytes.begin(), bytes.end());
  if (incoming_.size() == wanted_) message();
}

void Greeting::message() {
  switch (step_) {
    case Step::hello: {
      check_hello(read<Hello>(incoming_));
      const Challenge challenge{own_, proof(Step::challenge)};
      send(&challenge, sizeof challenge);
      return await(Step::proof, sizeof(Digest));
    }
    case Step::challenge: {
      const auto challenge = read<Challenge>(incoming_);
      if (challenge.hello.process != theirs_.process) fail(SCHEMOE_PEER, "it is process ", challenge.hello.process);
      check_hello(challenge.hello);
      if (!equal(challenge.proof, proof(Step::challenge))) fail(SCHEMOE_PEER, "it has not the key of this engine");
      const Digest own = proof(Step::proof);
      send(&own, sizeof own);
      return await(Step::welcome, sizeof(Digest));
    }
    case Step::proof: {
      if (!equal(read<Digest>(incoming_), proof(Step::proof))) fail(SCHEMOE_PEER, "it has not the key of this engine");
      const Digest welcome = proof(Step::welcome);
      send(&welcome, sizeof welcome);
      return await(Step::proof, 0);
    }
    case Step::welcome:
      if (!equal(read<Digest>(incoming_), proof(Step::welcome))) fail(SCHEMOE_PEER, "it has not the key of this engine");
      return await(Step::welcome, 0);
  }
}

void Greeting::check_hello(const Hello& hello) {
  if (hello.magic != kGreetingMagic) fail(SCHEMOE_PEER, "it sent what is no greeting");
  if (hello.protocol != kProtocol) fail(SCHEMOE_PEER, "it has version ", hello.protocol, " of the messages, this process has ", kProtocol);
  theirs_ = hello;
}

Digest Greeting::proof(Step of) const {
  const Hello& opener = opener_ ? own_ : theirs_;
  const Hello& listener = opener_ ? theirs_ : own_;
  std::vector<uint8_t> statement{static_cast<uint8_t>(of)};
  for (const Hello* hello : {&opener, &listener}) {
    const auto* at = reinterpret_cast<const uint8_t*>(hello);
    statement.insert(statement.end(), at, at + sizeof *hello);
  }
  return hmac_sha256(key_, statement);
}

}  // namespace schemoe
