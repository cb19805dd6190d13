// Questions of process 0 about the memory and the clock of the others.
#include <cstring>

#include "tcp/mesh.h"

namespace schemoe {

std::vector<uint8_t> Mesh::ask(uint32_t process, Message message, std::vector<uint8_t> body, Message* answer) {
  check();
  const std::lock_guard asking(asking_);
  message.magic = kMessageMagic;
  std::unique_lock lock(mutex_);
  message.run = ++serial_;
  asked_ = process;
  answer_.reset();
  enqueue(process, {message, std::move(body)});
  if (!answered_.wait_for(lock, patience_, [&] { return answer_ || broken_; })) {
    lock.unlock();
    const Failure failure(SCHEMOE_PEER, join("Cannot reach ", name_of(process), ": it does not answer"));
    broke(failure);
    throw failure;
  }
  if (!answer_) throw *broken_;
  if (answer) *answer = answer_->first;
  std::vector<uint8_t> content = std::move(answer_->second);
  const uint32_t status = answer_->first.task;
  if (status == SCHEMOE_OK) return content;
  throw Failure(static_cast<schemoe_status>(status), join(std::string_view(reinterpret_cast<const char*>(content.data()), content.size()), " (", name_of(process), ")"),
                {.rank = answer_->first.to, .buffer = answer_->first.index});
}

std::vector<uint8_t> Mesh::read_body(Peer& peer, const Message& message) const {
  if (message.bytes > kMostBody) {
    fail(SCHEMOE_PEER, "it sent a message of ", message.bytes, " bytes, at most ", kMostBody, " are allowed");
  }
  std::vector<uint8_t> body(message.bytes);
  if (!body.empty() && !peer.socket.read(body.data(), body.size())) fail(SCHEMOE_PEER, "it closed its connection");
  return body;
}

void Mesh::answer(Peer& peer, const Message& message) {
  if (peer.process != 0) fail(SCHEMOE_PEER, "it asked for memory or time, which only process 0 may");
  Message reply{};
  reply.magic = kMessageMagic;
  reply.kind = Kind::reply;
  reply.run = message.run;
  reply.index = message.index;
  reply.time_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                      std::chrono::steady_clock::now().time_since_epoch()).count();
  std::vector<uint8_t> content;
  const bool body = message.kind == Kind::allocate || message.kind == Kind::write || message.kind == Kind::join;
  std::vector<uint8_t> given = body ? read_body(peer, message) : std::vector<uint8_t>();
  try {
    if (message.kind == Kind::allocate) {
      std::vector<uint64_t> bytes(given.size() / sizeof(uint64_t));
      if (!bytes.empty()) std::memcpy(bytes.data(), given.data(), bytes.size() * sizeof(uint64_t));
      reply.index = memory_.allocate_own(message.index, bytes);
    } else if (message.kind == Kind::free) {
      memory_.free_own(message.index);
    } else if (message.kind == Kind::write) {
      memory_.write_own(message.index, message.from, message.offset, given);
    } else if (message.kind == Kind::join) {
      memory_.join_own(given);
    } else if (message.kind == Kind::read) {
      if (message.bytes > kMostBody) fail(SCHEMOE_INVALID, "Cannot read ", message.bytes, " bytes at once");
      content.resize(message.bytes);
      memory_.read_own(message.index, message.from, message.offset, content);
    }
  } catch (...) {
    const Failure failure = caught();
    const std::string_view text = failure.text();
    reply.task = failure.status();
    reply.to = failure.record().rank;
    reply.index = failure.record().buffer;
    content.assign(text.begin(), text.end());
  }
  reply.bytes = content.size();
  enqueue(peer.process, {reply, std::move(content)});
}

void Mesh::take_answer(Peer& peer, const Message& message) {
  std::vector<uint8_t> content = read_body(peer, message);
  const std::lock_guard lock(mutex_);
  // A late answer to a question that was given up is dropped, and one of a process that was not asked.
  if (message.run != serial_ || peer.process != asked_) return;
  answer_.emplace(message, std::move(content));
  answered_.notify_all();
}

}  // namespace schemoe
