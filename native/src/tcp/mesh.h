// One TCP connection between every two processes of a world, each with a thread that reads and one
// that writes. Process 0 may also reach the memory of all others.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "runtime/failure.h"
#include "runtime/remote.h"
#include "tcp/message.h"
#include "tcp/socket.h"

namespace schemoe {

/// Memory of this process's own ranks, which process 0 asks for.
class Memory {
 public:
  virtual ~Memory() = default;
  virtual uint32_t allocate_own(uint32_t id, std::span<const uint64_t> bytes) = 0;
  virtual void free_own(uint32_t id) = 0;
  virtual void write_own(uint32_t id, uint32_t rank, uint64_t offset, std::span<const uint8_t> data) = 0;
  virtual void read_own(uint32_t id, uint32_t rank, uint64_t offset, std::span<uint8_t> data) = 0;
  /// Process 0 tells how to find the others besides TCP.
  virtual void join_own(std::span<const uint8_t> invitation) = 0;
};

class Mesh final : public Carrier {
 public:
  Mesh(const std::string& host, const Key& key, Memory& memory);
  ~Mesh() override;

  uint32_t port() const { return listener_.port(); }
  /// Blocks until all are connected; strangers are turned away. Called once.
  void connect(std::span<const schemoe_process> processes, uint32_t self, uint64_t time_limit_ns, Receiver& receiver);
  /// Ends `connect` on another thread.
  void give_up() { given_up_ = true; }
  bool connected() const { return !peers_.empty(); }
  /// Throws why it is broken, or not connected yet.
  void check() const;

  uint32_t self() const { return self_; }
  const std::vector<schemoe_process>& processes() const { return processes_; }

  bool local(uint32_t rank) const override { return process_of(rank) == self_; }
  uint32_t process_of(uint32_t rank) const override;
  void post(uint32_t process, const Notice& notice) override;
  void contents(uint32_t process, const Notice& notice, const std::byte* data) override;
  void ended(uint32_t process, const Ended& ended) override;
  void abort() override;

  /// Asks another process and returns the body of its answer. Throws what it threw.
  std::vector<uint8_t> ask(uint32_t process, Message message, std::vector<uint8_t> body = {}, Message* answer = nullptr);

  /// `process 1 (pid 7 on 127.0.0.1, ranks 2 to 3)`.
  std::string name_of(uint32_t process) const;

 private:
  struct Outgoing {
    Message message;
    std::vector<uint8_t> body;
    const std::byte* data = nullptr;  // instead of a body: contents of a transfer
  };
  struct Peer {
    uint32_t process;
    Socket socket;
    std::mutex mutex;
    std::condition_variable queued;
    std::deque<Outgoing> queue;
    bool stopped = false;
    std::thread reader, writer;
  };

  void check_processes() const;
  void enqueue(uint32_t process, Outgoing outgoing);
  void read_loop(Peer& peer);
  void write_loop(Peer& peer);
  void handle(Peer& peer, const Message& message);
  void receive(Peer& peer, const Message& message);
  void answer(Peer& peer, const Message& message);
  void take_answer(Peer& peer, const Message& message);
  std::vector<uint8_t> read_body(Peer& peer, const Message& message) const;
  void broke(const Failure& failure);
  void lost(const Peer& peer) noexcept;

  Socket listener_;
  const Key key_;
  Memory& memory_;
  Receiver* receiver_ = nullptr;
  uint32_t self_ = 0;
  std::vector<schemoe_process> processes_;
  std::vector<std::unique_ptr<Peer>> peers_;  // by process; null for this one
  std::chrono::nanoseconds patience_{};

  std::atomic<bool> given_up_ = false;
  std::atomic<bool> aborting_ = false;
  std::mutex joining_;
  bool aborted_ = false;
  std::mutex asking_;  // one question at a time
  mutable std::mutex mutex_;
  std::condition_variable answered_;
  uint64_t serial_ = 0;
  uint32_t asked_ = 0;
  std::optional<std::pair<Message, std::vector<uint8_t>>> answer_;
  std::optional<Failure> broken_;
};

}  // namespace schemoe
