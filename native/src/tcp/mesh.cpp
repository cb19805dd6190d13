#include "tcp/mesh.h"

#include <algorithm>
#include <cstring>

#include "tcp/introduce.h"

namespace schemoe {

namespace {

using Clock = std::chrono::steady_clock;

Message make(Kind kind, uint64_t run) {
  Message message{};
  message.magic = kMessageMagic;
  message.kind = kind;
  message.run = run;
  return message;
}

Message of(Kind kind, const Notice& notice) {
  Message message = make(kind, notice.run);
  message.index = notice.transfer;
  message.task = notice.task;
  message.from = notice.from;
  message.to = notice.to;
  message.bytes = notice.bytes;
  message.time_ns = notice.posted_ns;
  message.ideal_ns = notice.ideal_ns;
  return message;
}

Notice notice_of(const Message& message) {
  return {message.run, message.index, message.task, message.from, message.to, message.bytes, message.time_ns,
          message.ideal_ns};
}

}  // namespace

Mesh::Mesh(const std::string& host, const Key& key, Memory& memory)
    : listener_(Socket::listen(host)), key_(key), memory_(memory) {}

Mesh::~Mesh() { abort(); }

void Mesh::check_processes() const {
  uint32_t next = 0;
  for (size_t i = 0; i < processes_.size(); ++i) {
    const schemoe_process& process = processes_[i];
    if (process.first_rank != next || process.ranks == 0 || process.ranks > UINT32_MAX - next) {
      fail(SCHEMOE_INVALID, "ranks of process ", i, " do not follow those of the process before");
    }
    if (!std::memchr(process.host, 0, sizeof process.host)) fail(SCHEMOE_INVALID, "the host of process ", i, " has no end");
    next += process.ranks;
  }
}

void Mesh::connect(std::span<const schemoe_process> processes, uint32_t self, uint64_t time_limit_ns,
                   Receiver& receiver) {
  if (connected()) fail(SCHEMOE_INVALID, "Cannot connect the processes: they are connected");
  if (self >= processes.size()) fail(SCHEMOE_INVALID, "Cannot connect the processes: there is no process ", self);
  processes_.assign(processes.begin(), processes.end());
  self_ = self;
  receiver_ = &receiver;
  // More than a day is a mistake, and would overflow.
  patience_ = std::chrono::nanoseconds(std::min<uint64_t>(time_limit_ns, uint64_t{86400} * 1'000'000'000));
  std::vector<Socket> sockets;
  try {
    check_processes();
    sockets = introduce({listener_, key_, processes_, self, Clock::now() + patience_, given_up_,
                         [this](uint32_t process) { return name_of(process); }});
  } catch (const Failure& failure) {
    throw failure.saying(join("Cannot connect the processes: ", failure.text()));
  }
  listener_ = Socket();
  for (uint32_t process = 0; process < sockets.size(); ++process) {
    peers_.push_back(process == self ? nullptr : std::make_unique<Peer>());
    if (process == self) continue;
    peers_.back()->process = process;
    peers_.back()->socket = std::move(sockets[process]);
  }
  try {
    for (const auto& peer : peers_) {
      if (!peer) continue;
      peer->reader = std::thread([this, p = peer.get()] { read_loop(*p); });
      peer->writer = std::thread([this, p = peer.get()] { write_loop(*p); });
    }
  } catch (...) {
    const Failure failure = caught();
    abort();
    throw failure.saying(join("Cannot connect the processes: a thread could not be started: ", failure.text()));
  }
}

std::string Mesh::name_of(uint32_t process) const {
  const schemoe_process& p = processes_[process];
  return join("process ", process, " (pid ", p.pid, " on ", p.host, ", ",
              p.ranks == 1 ? join("rank ", p.first_rank)
                           : join("ranks ", p.first_rank, " to ", p.first_rank + p.ranks - 1),
              ")");
}

uint32_t Mesh::process_of(uint32_t rank) const {
  const auto after = std::upper_bound(processes_.begin(), processes_.end(), rank,
                                      [](uint32_t r, const schemoe_process& p) { return r < p.first_rank; });
  return static_cast<uint32_t>(after - processes_.begin()) - 1;
}

void Mesh::check() const {
  if (!connected()) fail(SCHEMOE_INVALID, "Cannot use the engine: its processes are not connected");
  const std::lock_guard lock(mutex_);
  if (broken_) throw *broken_;
}

void Mesh::enqueue(uint32_t process, Outgoing outgoing) {
  Peer& peer = *peers_[process];
  const std::lock_guard lock(peer.mutex);
  if (peer.stopped) return;
  peer.queue.push_back(std::move(outgoing));
  peer.queued.notify_one();
}

void Mesh::post(uint32_t process, const Notice& notice) { enqueue(process, {of(Kind::posted, notice), {}}); }

void Mesh::contents(uint32_t process, const Notice& notice, const std::byte* data) {
  enqueue(process, {of(Kind::contents, notice), {}, data});
}

void Mesh::ended(uint32_t process, const Ended& ended) {
  Message message = make(Kind::ended, ended.run);
  message.index = ended.operation;
  message.time_ns = ended.end_ns;
  message.ideal_ns = ended.ideal_ns;
  enqueue(process, {message, {}});
}

void Mesh::abort() {
  aborting_ = true;
  const std::lock_guard lock(joining_);
  if (aborted_) return;
  aborted_ = true;
  for (const auto& peer : peers_) {
    if (!peer) continue;
    peer->socket.shut_down();
    const std::lock_guard stopping(peer->mutex);
    peer->stopped = true;
    peer->queued.notify_all();
  }
  if (receiver_) receiver_->lost(Failure(SCHEMOE_CLOSED, "Cannot use the engine: a run before failed; open a new one"));
  for (const auto& peer : peers_) {
    if (peer && peer->reader.joinable()) peer->reader.join();
    if (peer && peer->writer.joinable()) peer->writer.join();
  }
  broke(Failure(SCHEMOE_CLOSED, "Cannot use the engine: its connections were closed; open a new one"));
}

void Mesh::broke(const Failure& failure) {
  {
    const std::lock_guard lock(mutex_);
    if (!broken_) broken_ = failure;
    answered_.notify_all();
  }
  // What our own abort breaks is no news.
  if (!aborting_) receiver_->lost(failure);
}

/// In a handler: the exception in flight ends the connections, whatever it is and however little memory is left.
void Mesh::lost(const Peer& peer) noexcept {
  Failure failure = caught();
  try {
    failure = failure.saying(join("Cannot reach ", name_of(peer.process), ": ", failure.text()));
  } catch (...) {
    // Its own text has to do.
  }
  try {
    broke(failure);
  } catch (...) {
    // Only a lock can fail then, and nobody would hear of it.
  }
}

void Mesh::write_loop(Peer& peer) {
  try {
    for (;;) {
      Outgoing next;
      {
        std::unique_lock lock(peer.mutex);
        peer.queued.wait(lock, [&] { return peer.stopped || !peer.queue.empty(); });
        if (peer.stopped) return;
        next = std::move(peer.queue.front());
        peer.queue.pop_front();
      }
      const void* data = next.data ? static_cast<const void*>(next.data) : next.body.data();
      const uint64_t bytes = next.data ? next.message.bytes : next.body.size();
      peer.socket.write(&next.message, sizeof next.message, bytes > 0);
      if (bytes > 0) peer.socket.write(data, bytes, false);
      if (next.message.kind == Kind::contents) receiver_->sent(notice_of(next.message));
    }
  } catch (...) {
    lost(peer);
  }
}

void Mesh::read_loop(Peer& peer) {
  try {
    for (;;) {
      Message message{};
      if (!peer.socket.read(&message, sizeof message)) fail(SCHEMOE_PEER, "it closed its connection; it has ended or was killed");
      if (message.magic != kMessageMagic) fail(SCHEMOE_PEER, "it sent what is no message");
      handle(peer, message);
    }
  } catch (...) {
    lost(peer);
  }
}

void Mesh::handle(Peer& peer, const Message& message) {
  switch (message.kind) {
    case Kind::posted:
      if (receiver_->await_run(message.run)) receiver_->posted(notice_of(message));
      return;
    case Kind::contents:
      return receive(peer, message);
    case Kind::ended:
      if (receiver_->await_run(message.run)) {
        receiver_->ended({message.run, message.index, message.time_ns, message.ideal_ns});
      }
      return;
    case Kind::reply:
      return take_answer(peer, message);
    case Kind::allocate:
    case Kind::free:
    case Kind::write:
    case Kind::read:
    case Kind::ping:
    case Kind::join:
      return answer(peer, message);
  }
  fail(SCHEMOE_PEER, "it sent a message of unknown kind ", static_cast<uint32_t>(message.kind));
}

void Mesh::receive(Peer& peer, const Message& message) {
  std::byte* target = receiver_->await_run(message.run) ? receiver_->target(notice_of(message)) : nullptr;
  // Without a run there is nowhere to put it, and the connection is about to be broken anyway.
  if (!target) fail(SCHEMOE_PEER, "it sent contents that no run waits for");
  if (message.bytes > 0 && !peer.socket.read(target, message.bytes)) fail(SCHEMOE_PEER, "it closed its connection");
  receiver_->arrived(notice_of(message));
}

}  // namespace schemoe
