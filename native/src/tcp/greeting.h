// How the two sides of a new connection show each other that they know the key, which is never sent.
// The side that listens proves first; each proof covers both challenges and who is speaking.
//
//   opener -> listener   Hello      with its number and a random challenge
//   listener -> opener   Challenge  its own Hello, and its proof
//   opener -> listener   Digest     the opener's proof
//   listener -> opener   Digest     that it is let in
//
// It knows bytes only, no sockets and no time, so that tests can give it any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tcp/message.h"
#include "tcp/sha256.h"

namespace schemoe {

/// Random bytes that nobody can guess. Throws when the system has none.
Digest new_challenge();

class Greeting {
 public:
  /// In the process that listens: any other process may come.
  Greeting(const Key& key, uint32_t self, const Digest& challenge);
  /// In the process that opened the connection to process `other`.
  Greeting(const Key& key, uint32_t self, const Digest& challenge, uint32_t other);

  /// Bytes to send before more can come.
  std::vector<uint8_t>& outgoing() { return outgoing_; }
  /// How many bytes are still missing from the message that comes next; 0 when nothing more comes.
  size_t wanted() const { return wanted_ - incoming_.size(); }
  /// At most `wanted` bytes. Throws PEER for what no process of this world would send.
  void take(std::span<const uint8_t> bytes);
  /// Both sides have proven themselves, and only `outgoing` is left to send.
  bool done() const { return wanted_ == 0; }
  /// Who it is; to be believed once it is done.
  uint32_t other() const { return theirs_.process; }

 private:
  enum class Step : uint8_t { hello, challenge, proof, welcome };

  void await(Step step, size_t bytes);
  void message();
  void check_hello(const Hello& hello);
  Digest proof(Step of) const;
  void send(const void* data, size_t bytes);

  const Key key_;
  const bool opener_;
  Hello own_;
  Hello theirs_{};  // of an opener: only its number, until the challenge has come
  Step step_;
  size_t wanted_ = 0;
  std::vector<uint8_t> incoming_, outgoing_;
};

}  // namespace schemoe
