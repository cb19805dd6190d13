// Processes find each other however many strangers come, and whatever these say or leave unsaid.
#include <algorithm>
#include <atomic>

#include "part_world.h"
#include "tcp/greeting.h"

namespace {

/// A socket at a free port of this machine.
struct Listener {
  Listener() : fd(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    CHECK_EQUAL(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    CHECK_EQUAL(listen(fd, 64), 0);
    CHECK_EQUAL(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(fd); }
  int accept() const { return ::accept(fd, nullptr, nullptr); }

  int fd;
  uint32_t port;
};

void reset(int fd) {
  const linger at_once{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close(fd);
}

void put(int fd, const std::vector<uint8_t>& bytes) { (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

/// Strangers of all kinds: silent ones, more than are heard at once, noise, resets, and slow ones.
void check_strangers() {
  World world(4, 4);
  std::vector<int> open;
  const std::vector<uint8_t> noise(4096, 'x');
  for (int i = 0; i < 300; ++i) {
    const uint32_t port = world.parts[static_cast<size_t>(i) % 3]->port;
    open.push_back(dial(port));
    if (i % 10 == 0) put(open.back(), noise);
    if (i % 5 == 0) reset(dial(port));
  }
  std::atomic<bool> over = false;
  std::thread slow([&] {
    const int fd = dial(world.parts[0]->port);
    // One byte after another, until all have found each other.
    while (!over) {
      put(fd, {0});
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    close(fd);
  });
  world.connect();
  over = true;
  slow.join();
  for (int fd : open) close(fd);
}

void check_many() {
  World world(12, 12);
  world.connect();
}

/// A caller's time limit holds beside strangers that never stop talking.
void check_limit() {
  World world(2, 2);
  std::atomic<bool> over = false;
  std::thread slow([&] {
    const int fd = dial(world.parts[0]->port), noise = dial(world.parts[0]->port);
    put(noise, std::vector<uint8_t>(64, 'x'));
    while (!over) {
      put(fd, {0});
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    close(fd);
    close(noise);
  });
  const Outcome outcome = world.parts[0]->connect(world.table, 0, kSecond / 2);
  over = true;
  slow.join();
  CHECK_EQUAL(outcome.status, SCHEMOE_PEER);
  CHECK_CONTAINS(outcome.text, "Cannot connect the processes: process 1 (pid 1001 on 127.0.0.1, rank 1) did not connect in time");
  CHECK_CONTAINS(outcome.text, "turned away: 127.0.0.1 port ");
  CHECK_CONTAINS(outcome.text, ": it sent what is no greeting");
}

void check_wrong_key() {
  World world(2, 2);
  Part stranger(2, 1, 1, Key{9});
  auto waiting = std::async(std::launch::async, [&] { return world.parts[0]->connect(world.table, 0, kSecond / 2); });
  const Outcome refused = stranger.connect(world.table, 1, kSecond / 4);
  CHECK_EQUAL(refused.status, SCHEMOE_PEER);
  CHECK_CONTAINS(refused.text, check::text_of("process 0 (pid 1000 on 127.0.0.1, rank 0): 127.0.0.1 port ") + std::to_string(world.table[0].port));
  CHECK_CONTAINS(refused.text, "it has not the key of this engine");
  const Outcome outcome = waiting.get();
  CHECK_EQUAL(outcome.status, SCHEMOE_PEER);
  CHECK_CONTAINS(outcome.text, "process 1 (pid 1001 on 127.0.0.1, rank 1) did not connect in time");
}

/// Who opens a connection tries again when it breaks, and never says the key or proves it to a stranger.
void check_retries() {
  const Key key{1, 2, 3};
  Part part(2, 1, 1, key);
  const Listener listener;
  const std::vector<schemoe_process> table{{0, 1, listener.port, 1000, "127.0.0.1"}, {1, 1, part.port, 1001, "127.0.0.1"}};
  auto connecting = std::async(std::launch::async, [&] { return part.connect(table, 1, 60 * kSecond); });
  close(listener.accept());
  reset(listener.accept());
  const int noisy = listener.accept();
  std::vector<uint8_t> heard(4096);
  size_t size = sizeof(schemoe::Hello);
  CHECK_EQUAL(recv(noisy, heard.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
  put(noisy, std::vector<uint8_t>(sizeof(schemoe::Challenge), 'x'));
  for (ssize_t got; (got = recv(noisy, heard.data() + size, heard.size() - size, 0)) > 0;) size += static_cast<size_t>(got);
  close(noisy);
  CHECK_EQUAL(size, sizeof(schemoe::Hello));
  CHECK(std::search(heard.begin(), heard.end(), key.begin(), key.end()) == heard.end());
  // The right one at last.
  const int fd = listener.accept();
  schemoe::Greeting greeting(key, 0, {4});
  while (!greeting.done()) {
    uint8_t byte;
    if (recv(fd, &byte, 1, 0) != 1) break;
    greeting.take({&byte, 1});
    put(fd, greeting.outgoing());
    greeting.outgoing().clear();
  }
  CHECK(greeting.done());
  CHECK_EQUAL(connecting.get().text, "");
  close(fd);
}

/// Nobody listens there any more: known at once.
void check_gone() {
  World world(2, 2);
  world.parts[0]->close();
  const Outcome outcome = world.parts[1]->connect(world.table, 1, 60 * kSecond);
  CHECK_EQUAL(outcome.status, SCHEMOE_PEER);
  CHECK_CONTAINS(outcome.text, "process 0 (pid 1000 on 127.0.0.1, rank 0): 127.0.0.1 port " + std::to_string(world.table[0].port) + ": Connection refused");
}

/// Cancelling or closing ends the wait for the others.
void check_giving_up() {
  for (const bool closing : {false, true}) {
    World world(2, 2);
    std::atomic<bool> over = false;
    auto waiting = std::async(std::launch::async, [&] {
      const Outcome outcome = world.parts[0]->connect(world.table, 0, 600 * kSecond);
      over = true;
      return outcome;
    });
    schemoe_failure failure;
    // It may not have begun yet; closing waits for it, or comes before it.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (closing) {
      // by its value: the Part is in use by the thread that waits
      schemoe_close(world.parts[0]->handle, &failure);
    } else {
      while (!over) {
        schemoe_cancel(world.parts[0]->handle, &failure);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    }
    CHECK(waiting.get().status != SCHEMOE_OK);
    if (closing) world.parts[0]->handle = nullptr;
  }
}

}  // namespace

int main() {
  check_strangers();
  check_many();
  check_limit();
  check_wrong_key();
  check_retries();
  check_gone();
  check_giving_up();
  return check::result();
}
