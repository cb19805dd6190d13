#include "tcp/introduce.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <memory>
#include <optional>

#include "runtime/failure.h"
#include "tcp/greeting.h"

namespace schemoe {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// For the whole greeting of a stranger, from its first byte to the last.
constexpr auto kGreetingTime = std::chrono::seconds(5);
/// Strangers that are greeted at once; the one that is there longest makes room for a new one.
constexpr size_t kMostStrangers = 256;
constexpr auto kFirstRetry = milliseconds(20), kLastRetry = milliseconds(500);
/// How soon it is noticed that another thread gave up.
constexpr auto kLook = milliseconds(100);
/// Strangers and missing processes that a message names.
constexpr size_t kMostNamed = 5;

/// A greeting over a socket.
struct Talk {
  Talk(Socket connection, const Greeting& greeting) : socket(std::move(connection)), greeting(greeting) {}

  short events() const { return static_cast<short>((greeting.outgoing().empty() ? 0 : POLLOUT) | (greeting.done() ? 0 : POLLIN)); }
  /// True once both sides are known to each other. Throws when that will not come about.
  bool go_on() {
    std::array<uint8_t, sizeof(Challenge)> room;
    while (!greeting.done()) {
      const auto got = socket.read_some(std::span(room).first(greeting.wanted()));
      if (got.empty()) break;
      greeting.take(got);
    }
    auto& out = greeting.outgoing();
    if (!out.empty()) out.erase(out.begin(), out.begin() + static_cast<ptrdiff_t>(socket.write_some(out)));
    return greeting.done() && out.empty();
  }

  Socket socket;
  mutable Greeting greeting;
};

/// A connection that somebody else opened.
struct Stranger {
  Talk talk;
  std::string address;
  Deadline deadline;
};

/// A connection that this process opens, again and again until the deadline.
struct Opening {
  uint32_t process;
  std::vector<Address> addresses;
  size_t tries = 0;
  std::optional<Talk> talk = {};
  bool connecting = false;
  Deadline next = Deadline::min();
  Clock::duration pause = kFirstRetry;
  std::string problem = "it does not answer";

  const std::string& address() const { return addresses[(tries + addresses.size() - 1) % addresses.size()].name; }
};

class Introductions {
 public:
  explicit Introductions(const Introduction& at) : at_(at), sockets_(at.processes.size()) {
    missing_ = sockets_.size() - 1;
    for (uint32_t process = 0; process < at.self; ++process) {
      const schemoe_process& other = at.processes[process];
      try {
        openings_.push_back({process, addresses_of(other.host, other.port)});
      } catch (const Failure& failure) {
        fail(failure.status(), at.name_of(process), ": ", failure.text());
      }
    }
  }

  std::vector<Socket> all() {
    while (missing_ > 0) {
      if (at_.given_up) fail(SCHEMOE_CLOSED, "it was given up");
      const Deadline now = Clock::now();
      if (now >= at_.deadline) give_up();
      for (Opening& opening : openings_) {
        if (!opening.talk && wants(opening.process) && now >= opening.next) open(opening);
      }
      drop_late(now);
      wait(now);
    }
    for (uint32_t process = 0; process < sockets_.size(); ++process) {
      if (process != at_.self) sockets_[process].block();
    }
    return std::move(sockets_);
  }

 private:
  bool wants(uint32_t process) const { return !sockets_[process].valid(); }
  bool listens() const { return at_.self + 1 < sockets_.size(); }

  void open(Opening& opening) {
    const Address& address = opening.addresses[opening.tries++ % opening.addresses.size()];
    try {
      const Greeting greeting(at_.key, at_.self, new_challenge(), opening.process);
      opening.talk.emplace(Socket::connect(address), greeting);
      opening.connecting = true;
    } catch (const Failure& failure) {
      put_off(opening, std::string(failure.text()));
    }
  }

  void put_off(Opening& opening, const std::string& problem) {
    opening.problem = problem;
    opening.talk.reset();
    opening.next = Clock::now() + opening.pause;
    opening.pause = std::min<Clock::duration>(2 * opening.pause, kLastRetry);
  }

  /// Waits for what happens next on any connection, and deals with it.
  void wait(Deadline now) {
    Deadline until = std::min(at_.deadline, now + kLook);
    std::vector<pollfd> entries;
    const bool accepting = listens() && now >= accept_again_;
    if (accepting) entries.push_back({at_.listener.descriptor(), POLLIN, 0});
    else if (listens()) until = std::min(until, accept_again_);
    std::vector<Opening*> openings;
    for (Opening& opening : openings_) {
      if (opening.talk) {
        openings.push_back(&opening);
        entries.push_back({opening.talk->socket.descriptor(), opening.connecting ? short{POLLOUT} : opening.talk->events(), 0});
      } else if (wants(opening.process)) {
        until = std::min(until, opening.next);
      }
    }
    std::vector<std::list<Stranger>::iterator> strangers;
    for (auto stranger = strangers_.begin(); stranger != strangers_.end(); ++stranger) {
      strangers.push_back(stranger);
      until = std::min(until, stranger->deadline);
      entries.push_back({stranger->talk.socket.descriptor(), stranger->talk.events(), 0});
    }
    if (poll(entries.data(), entries.size(), milliseconds_to(until)) < 0) {
      if (errno == EINTR) return;
      fail(SCHEMOE_PEER, "waiting on sockets failed: ", std::strerror(errno));
    }
    size_t entry = accepting;
    for (Opening* opening : openings) if (entries[entry++].revents != 0) go_on(*opening);
    for (const auto& stranger : strangers) if (entries[entry++].revents != 0) go_on(stranger);
    if (accepting && entries[0].revents != 0) accept();
  }

  void go_on(Opening& opening) {
    const int error = opening.connecting ? opening.talk->socket.error() : 0;
    // Its listener was there before anybody was told the port: it is gone for good.
    if (error == ECONNREFUSED && opening.tries >= opening.addresses.size()) {
      fail(SCHEMOE_PEER, at_.name_of(opening.process), ": ", opening.address(), ": ", std::strerror(error));
    }
    if (error != 0) return put_off(opening, std::strerror(error));
    opening.connecting = false;
    try {
      if (opening.talk->go_on()) {
        take(opening.process, opening.talk->socket);
        opening.talk.reset();
      }
    } catch (const Failure& failure) {
      put_off(opening, std::string(failure.text()));
    }
  }

  void go_on(std::list<Stranger>::iterator stranger) {
    try {
      if (!stranger->talk.go_on()) return;
      const uint32_t process = stranger->talk.greeting.other();
      if (process <= at_.self || process >= sockets_.size()) {
        fail(SCHEMOE_PEER, "process ", process, " is not one that connects with this one");
      }
      take(process, stranger->talk.socket);
      strangers_.erase(stranger);
    } catch (const Failure& failure) {
      turn_away(stranger, std::string(failure.text()));
    }
  }

  /// The newer connection of a process counts: it may have given up the one before.
  void take(uint32_t process, Socket& socket) {
    if (wants(process)) --missing_;
    sockets_[process] = std::move(socket);
  }

  void accept() {
    for (;;) {
      int error = 0;
      Socket socket = at_.listener.accept(&error);
      if (error == EAGAIN || error == EWOULDBLOCK) return;
      if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
        // Room may come from a stranger, or from elsewhere in this process.
        if (!strangers_.empty()) turn_away(strangers_.begin(), "too many others came");
        accept_again_ = Clock::now() + kFirstRetry;
        return;
      }
      // Any other error is of a connection that has ended already.
      if (!socket.valid()) continue;
      if (strangers_.size() >= kMostStrangers) turn_away(strangers_.begin(), "too many others came");
      std::string address = socket.other_end();
      const Greeting greeting(at_.key, at_.self, new_challenge());
      strangers_.push_back({Talk(std::move(socket), greeting), std::move(address), Clock::now() + kGreetingTime});
    }
  }

  void drop_late(Deadline now) {
    // They came in the order of their deadlines.
    while (!strangers_.empty() && now >= strangers_.front().deadline) turn_away(strangers_.begin(), "it did not introduce itself in time");
  }

  void turn_away(std::list<Stranger>::iterator stranger, const std::string& why) {
    if (turned_away_.size() < kMostNamed) turned_away_.push_back(join(stranger->address, ": ", why));
    strangers_.erase(stranger);
  }

  [[noreturn]] void give_up() const {
    std::string text;
    size_t named = 0;
    for (uint32_t process = 0; process < sockets_.size() && named < kMostNamed; ++process) {
      if (process == at_.self || !wants(process)) continue;
      text += join(named++ > 0 ? "; " : "", at_.name_of(process));
      if (process > at_.self) text += " did not connect in time";
      else text += join(": ", openings_[process].address(), ": ", openings_[process].problem);
    }
    if (missing_ > named) text += join("; and ", missing_ - named, " more");
    for (size_t i = 0; i < turned_away_.size(); ++i) text += (i == 0 ? "; turned away: " : "; ") + turned_away_[i];
    fail(SCHEMOE_PEER, text);
  }

  const Introduction& at_;
  std::vector<Socket> sockets_;
  size_t missing_;
  std::vector<Opening> openings_;  // by number of the process
  std::list<Stranger> strangers_;  // oldest first
  std::vector<std::string> turned_away_;
  Deadline accept_again_ = Deadline::min();
};

}  // namespace

std::vector<Socket> introduce(const Introduction& introduction) { return Introductions(introduction).all(); }

}  // namespace schemoe
