// Checks that need all operations: sends meet receives, and nothing waits in a circle.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "runtime/failure.h"
#include "runtime/program.h"

namespace schemoe {

namespace {

/// One side of a transfer, in the order of the Program.
struct Side {
  uint32_t operation;
  uint64_t bytes;
  View view;
  MovedRows rows;
};

struct Pair {
  std::vector<Side> sends;
  std::vector<Side> receives;
};

using Key = std::tuple<uint32_t, uint32_t, uint32_t>;  // task, sender, receiver

std::map<Key, Pair> collect(const Program& program) {
  std::map<Key, Pair> pairs;
  for (uint32_t i = 0; i < program.operations.size(); ++i) {
    const Operation& operation = program.operations[i];
    for (const Call& call : slice(program.calls, operation.calls)) {
      if (const auto* send = std::get_if<Send>(&call.arguments)) {
        if (send->peer >= program.ranks) {
          fail_at(place_of(operation), SCHEMOE_INVALID, "it sends to rank ", send->peer, " of ", program.ranks);
        }
        pairs[{operation.task, operation.rank, send->peer}].sends.push_back(
            {i, static_cast<uint64_t>(send->bytes), send->from, send->rows});
      } else if (const auto* receive = std::get_if<Receive>(&call.arguments)) {
        if (receive->peer >= program.ranks) {
          fail_at(place_of(operation), SCHEMOE_INVALID, "it receives from rank ", receive->peer, " of ", program.ranks);
        }
        pairs[{operation.task, receive->peer, operation.rank}].receives.push_back(
            {i, static_cast<uint64_t>(receive->bytes), receive->to, receive->rows});
      }
    }
  }
  return pairs;
}

}  // namespace

void meet_transfers(Program& program) {
  for (const auto& [key, pair] : collect(program)) {
    const auto& [task, from, to] = key;
    if (pair.sends.size() != pair.receives.size()) {
      fail_at({task, from}, SCHEMOE_INVALID, pair.sends.size(), " sends to rank ", to, ", which has ", pair.receives.size(),
              " receives from it");
    }
    for (size_t i = 0; i < pair.sends.size(); ++i) {
      const Side& send = pair.sends[i];
      const Side& receive = pair.receives[i];
      if (send.bytes != receive.bytes) {
        fail_at({task, from}, SCHEMOE_INVALID, "it sends ", send.bytes, " bytes to rank ", to, ", which receives ",
                receive.bytes);
      }
      if (!send.rows.table != !receive.rows.table) {
        fail_at({task, from}, SCHEMOE_INVALID, "rows are counted on one side alone of what it sends to rank ", to);
      }
      program.transfers.push_back(
          {send.operation, receive.operation, send.bytes, send.view, receive.view, send.rows, receive.rows, from, to});
    }
  }
  for (const Transfer& transfer : program.transfers) {
    ++program.operations[transfer.sender].ends.count;
    ++program.operations[transfer.receiver].ends.count;
  }
  uint32_t total = 0;
  for (Operation& operation : program.operations) {
    operation.ends.first = total;
    total += std::exchange(operation.ends.count, 0);
  }
  program.ends.resize(total);
  for (uint32_t i = 0; i < program.transfers.size(); ++i) {
    for (uint32_t side : {program.transfers[i].sender, program.transfers[i].receiver}) {
      Range& ends = program.operations[side].ends;
      program.ends[ends.first + ends.count++] = i;
    }
  }
}

void check_counted(const Transfer& transfer) {
  const uint64_t sent = transfer.source().bytes, received = transfer.target().bytes;
  if (sent == received) return;
  fail(SCHEMOE_INVALID, "rank ", transfer.from_rank, " has counted ", sent, " bytes for rank ", transfer.to_rank,
       ", which has counted ", received);
}

void find_successors(Program& program) {
  for (uint32_t before : program.waits) ++program.operations[before].successors.count;
  uint32_t total = 0;
  for (Operation& operation : program.operations) {
    operation.successors.first = total;
    total += std::exchange(operation.successors.count, 0);
  }
  program.successors.resize(total);
  for (uint32_t i = 0; i < program.operations.size(); ++i) {
    for (uint32_t before : slice(program.waits, program.operations[i].waits)) {
      Range& successors = program.operations[before].successors;
      program.successors[successors.first + successors.count++] = i;
    }
  }
}

void check_no_circle(const Program& program) {
  // An operation posts when its waits and the one before it on its lane are done, and is done when
  // it and all its peers have posted. Posting and being done are counted down separately.
  const size_t count = program.operations.size();
  std::vector<uint32_t> to_post(count), to_finish(count), next_on_lane(count, UINT32_MAX);
  for (const auto& lane : program.lanes) {
    for (size_t i = 1; i < lane.size(); ++i) {
      next_on_lane[lane[i - 1]] = lane[i];
      ++to_post[lane[i]];
    }
  }
  std::vector<uint32_t> ready;
  for (uint32_t i = 0; i < count; ++i) {
    to_post[i] += program.operations[i].waits.count;
    to_finish[i] = 1 + program.operations[i].ends.count;
    if (to_post[i] == 0) ready.push_back(i);
  }
  size_t done = 0;
  std::vector<uint32_t> finished;
  while (!ready.empty()) {
    const uint32_t post = ready.back();
    ready.pop_back();
    const auto count_down = [&](uint32_t operation) {
      if (--to_finish[operation] == 0) finished.push_back(operation);
    };
    count_down(post);
    for (uint32_t end : slice(program.ends, program.operations[post].ends)) {
      const Transfer& transfer = program.transfers[end];
      count_down(transfer.sender == post ? transfer.receiver : transfer.sender);
    }
    for (; !finished.empty(); ++done) {
      const uint32_t operation = finished.back();
      finished.pop_back();
      const auto release = [&](uint32_t after) {
        if (--to_post[after] == 0) ready.push_back(after);
      };
      for (uint32_t after : slice(program.successors, program.operations[operation].successors)) release(after);
      if (next_on_lane[operation] != UINT32_MAX) release(next_on_lane[operation]);
    }
  }
  if (done == count) return;
  const auto stuck = std::find_if(to_finish.begin(), to_finish.end(), [](uint32_t n) { return n > 0; });
  fail_at(place_of(program.operations[static_cast<size_t>(stuck - to_finish.begin())]), SCHEMOE_INVALID,
          "it and others wait for each other in a circle");
}

}  // namespace schemoe
