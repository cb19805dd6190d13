// Messages of a process that has the key and says anything: the engine reports it or goes on, but never
// breaks, and always closes.
#include "part_world.h"
#include "tcp/greeting.h"

namespace {

using schemoe::Greeting;
using schemoe::Kind;
using schemoe::Message;

constexpr int kRounds = 150;
/// What is said of a later run is kept until that begins, which here it never does.
constexpr uint64_t kRun = kSecond / 20;
const Key kKey{1, 2, 3};

/// The other process, played by the test.
class Fake {
 public:
  Fake(uint32_t seed) : generator_(seed) {}
  ~Fake() { if (fd_ >= 0) close(fd_); }

  void greet(int fd, Greeting greeting) {
    fd_ = fd;
    put(greeting.outgoing().data(), greeting.outgoing().size());
    greeting.outgoing().clear();
    while (!greeting.done()) {
      uint8_t byte;
      if (recv(fd_, &byte, 1, 0) != 1) return;
      greeting.take({&byte, 1});
      put(greeting.outgoing().data(), greeting.outgoing().size());
      greeting.outgoing().clear();
    }
  }
  bool get(void* data, size_t bytes) { return recv(fd_, data, bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes); }
  void put(const void* data, size_t bytes) { (void)!send(fd_, data, bytes, MSG_NOSIGNAL); }
  void hang_up() { shutdown(fd_, SHUT_WR); }
  uint32_t pick(uint32_t below) { return generator_() % below; }

  /// One of these, or rarely any number.
  template <class T>
  T edge(std::initializer_list<T> values) {
    if (pick(12) == 0) return static_cast<T>(uint64_t{generator_()} << 32 | generator_());
    return values.begin()[pick(static_cast<uint32_t>(values.size()))];
  }

  /// A message of edge values, with a body that may be too short; half of its fields may be right.
  void babble(const Message& right, bool in_run = true) {
    Message m = right;
    m.magic = pick(40) == 0 ? edge<uint32_t>({0, 1}) : schemoe::kMessageMagic;
    if (pick(5) == 0) m.kind = static_cast<Kind>(pick(13));
    if (pick(16) == 0) m.run = pick(8) == 0 ? edge<uint64_t>({2, 3, UINT64_MAX}) : pick(2);
    if (!in_run && (m.kind == Kind::posted || m.kind == Kind::contents || m.kind == Kind::ended)) m.run = 0;
    if (pick(16) == 0) m.index = edge<uint32_t>({0, 1, 2, UINT32_MAX});
    if (pick(16) == 0) m.task = edge<uint32_t>({0, 1, 2, 10, UINT32_MAX});
    if (pick(16) == 0) m.from = edge<uint32_t>({0, 1, 2, UINT32_MAX});
    if (pick(16) == 0) m.to = edge<uint32_t>({0, 1, 2, UINT32_MAX});
    if (pick(16) == 0) m.bytes = edge<uint64_t>({0, 1, 4, 8, 16, schemoe::kMostBody, schemoe::kMostBody + 1, UINT64_MAX});
    if (pick(16) == 0) m.time_ns = edge<int64_t>({0, -1, 1, INT64_MAX, INT64_MIN});
    if (pick(16) == 0) m.ideal_ns = edge<int64_t>({0, -1, 1, INT64_MAX, INT64_MIN});
    if (pick(16) == 0) m.offset = edge<uint64_t>({0, 1, 4, UINT64_MAX - 3});
    if (pick(40) == 0) return put(&m, pick(sizeof m));
    put(&m, sizeof m);
    const bool body = m.kind == Kind::contents || m.kind == Kind::allocate || m.kind == Kind::write || m.kind == Kind::join ||
                      m.kind == Kind::reply;
    if (!body) return;
    std::vector<uint64_t> words(std::min<uint64_t>(m.bytes, schemoe::kMostBody) / 8 + 1);
    for (uint64_t& word : words) word = edge_size();
    const size_t bytes = std::min<uint64_t>(m.bytes, words.size() * 8);
    put(words.data(), pick(8) == 0 ? pick(static_cast<uint32_t>(bytes) + 1) : bytes);
  }

 private:
  /// Sizes that are small, or that nobody has: the test itself must not need much memory.
  uint64_t edge_size() {
    const uint64_t sizes[] = {0, 4, 8, 4096, uint64_t{1} << 60, UINT64_MAX};
    return sizes[pick(6)];
  }

  std::mt19937 generator_;
  int fd_ = -1;
};

Message make(Kind kind, uint64_t run, uint32_t index) {
  Message message{};
  message.magic = schemoe::kMessageMagic;
  message.kind = kind;
  message.run = run;
  message.index = index;
  return message;
}

/// What rank 1 says when it posts its side of exchange(0, 4).
Message posted(Kind kind) {
  Message message = make(kind, 1, 0);
  message.to = 1;
  message.bytes = 4;
  return message;
}

/// Process 1 of a driver: it answers what it is asked, not always well, and takes part in a run.
void as_worker(Part& part, uint32_t seed, int& ended) {
  Fake fake(seed);
  const std::vector<schemoe_process> table{{0, 1, part.port, 1, "127.0.0.1"}, {1, 1, 1, 2, "127.0.0.1"}};
  auto other = std::async(std::launch::async, [&] {
    fake.greet(dial(part.port), Greeting(kKey, 1, {3}, 0));
    Message asked{};
    if (fake.get(&asked, sizeof asked)) {
      std::vector<uint8_t> body(std::min<uint64_t>(asked.bytes, 64));
      fake.get(body.data(), body.size());
      Message reply = make(Kind::reply, asked.run, 0);
      if (fake.pick(4) == 0) fake.babble(reply, false);
      fake.put(&reply, sizeof reply);
    }
    for (uint32_t i = fake.pick(4); i > 0; --i) fake.babble(posted(fake.pick(4) ? Kind::posted : Kind::ended));
    fake.hang_up();
  });
  CHECK_EQUAL(part.connect(table, 0, 60 * kSecond).text, "");
  const uint64_t sizes[] = {4, 4};
  uint32_t id = UINT32_MAX;
  schemoe_failure failure;
  if (schemoe_allocate(part.handle, sizes, 2, &id, &failure) == SCHEMOE_OK && id == 0) {
    part.prepare(exchange(0, 4));
    ended += part.run(1, now(), kRun).status == SCHEMOE_OK;
  }
  // Its last message may be stuck where nobody reads any more.
  part.close();
  other.get();
}

/// Process 0 of a worker: it may ask for anything.
void as_driver(Part& part, uint32_t seed, int& ended) {
  Fake fake(seed);
  const int listening = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  CHECK_EQUAL(bind(listening, reinterpret_cast<sockaddr*>(&address), size), 0);
  CHECK_EQUAL(listen(listening, 4), 0);
  CHECK_EQUAL(getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::vector<schemoe_process> table{{0, 1, ntohs(address.sin_port), 1, "127.0.0.1"}, {1, 1, part.port, 2, "127.0.0.1"}};
  std::promise<void> allocated;
  auto other = std::async(std::launch::async, [&] {
    fake.greet(accept(listening, nullptr, nullptr), Greeting(kKey, 0, {3}));
    Message allocate = make(Kind::allocate, 1, UINT32_MAX);
    const uint64_t bytes = 8;
    allocate.bytes = sizeof bytes;
    fake.put(&allocate, sizeof allocate);
    fake.put(&bytes, sizeof bytes);
    Message reply;
    CHECK(fake.get(&reply, sizeof reply) && reply.kind == Kind::reply);
    allocated.set_value();
    // With luck, what the run waits for.
    if (fake.pick(2)) for (Kind kind : {Kind::posted, Kind::contents}) fake.babble(posted(kind));
    const Kind kinds[] = {Kind::write, Kind::read, Kind::free, Kind::ping, Kind::allocate, Kind::posted, Kind::contents};
    for (uint32_t i = fake.pick(8); i > 0; --i) fake.babble(posted(kinds[fake.pick(7)]));
    fake.hang_up();
    // What it answers is not read, and must not keep it.
  });
  CHECK_EQUAL(part.connect(table, 1, 60 * kSecond).text, "");
  allocated.get_future().get();
  schemoe_failure failure;
  schemoe_program* program = nullptr;
  const std::vector<uint8_t> bytes = exchange(0, 4).bytes();
  // The buffer may be gone already.
  if (schemoe_prepare(part.handle, bytes.data(), bytes.size(), &program, &failure) == SCHEMOE_OK) {
    part.program = program;
    part.events.assign(2, {});
    ended += part.run(1, now(), kRun).status == SCHEMOE_OK;
  }
  // Its last message may be stuck where nobody reads any more.
  part.close();
  other.get();
  close(listening);
}

}  // namespace

int main() {
  int ended = 0;
  for (uint32_t seed = 0; seed < kRounds; ++seed) {
    Part driver(2, 0, 1, kKey);
    as_worker(driver, seed, ended);
    Part worker(2, 1, 1, kKey);
    as_driver(worker, seed, ended);
  }
  std::printf("%d rounds, of which %d runs came to their end\n", 2 * kRounds, ended);
  return check::result();
}
