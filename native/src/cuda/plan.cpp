#include "cuda/plan.h"

#include "cuda/device_words.h"
#include "cuda/turns.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace schemoe::cuda {

namespace {

void list_tiles_of(std::byte* to, const std::byte* from, uint64_t bytes, std::vector<Tile>& tiles) {
  if (to == from) return;
  for (uint64_t begin = 0; begin < bytes; begin += kTileBytes) {
    tiles.push_back({from + begin, to + begin, std::min(kTileBytes, bytes - begin)});
  }
}

/// Whether a transfer is contiguous on both sides with an earlier one of the same operation.
bool goes_on(const Transfer& earlier, const Transfer& transfer) {
  const auto follows = [&](const View& a, const View& b) {
    return a.buffer == b.buffer && a.offset + earlier.bytes == b.offset;
  };
  return earlier.sender == transfer.sender && follows(earlier.from, transfer.from) && follows(earlier.to, transfer.to);
}

template <class T>
void upload(T* to, const std::vector<T>& from) {
  CUDA_CHECK(cudaMemcpy(to, from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice));
  // The copy may return before the bytes are there, and lanes do not wait for it.
  CUDA_CHECK(cudaStreamSynchronize(nullptr));
}

}  // namespace

Plan::Plan(const Program& program, const World& world, Pool& pool, const CudaOptions& options)
    : joins(program),
      paced(std::any_of(program.operations.begin(), program.operations.end(),
                        [](const Operation& o) { return o.pace_ns > 0; })),
      program_(program),
      world_(world),
      pool_(pool),
      nccl_(options.nccl),
      copy_by_(options.copy_by),
      bounds_(world.devices()),
      tiles_(world.devices()) {
  for (uint32_t lane = 0; lane < program.lanes.size(); ++lane) {
    if (!program.lanes[lane].empty() && world.holds(lane / kLanes)) lanes.push_back(lane);
  }
  find_peers();
  order();
  find_calls();
  upload_bounds();
  constexpr size_t kMostCalls = 4096;
  graphable = !nccl_ && !paced && world.devices() == 1 && host_calls.empty() && program.tables.size() == 0 && !lanes.empty() &&
              program.calls.size() <= kMostCalls;
}

Plan::~Plan() { cudaFreeHost(tables_); }

void Plan::find_peers() {
  const size_t count = program_.operations.size();
  peers.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t end : slice(program_.ends, program_.operations[i].ends)) {
      const Transfer& transfer = program_.transfers[end];
      const uint32_t peer = transfer.sender == i ? transfer.receiver : transfer.sender;
      if (peer != i) peers[i].push_back(peer);
    }
    std::sort(peers[i].begin(), peers[i].end());
    peers[i].erase(std::unique(peers[i].begin(), peers[i].end()), peers[i].end());
  }
}

/// Counts down what each step waits for; among those that are ready the Program's order decides.
void Plan::order() {
  const size_t count = program_.operations.size();
  std::vector<uint32_t> to_begin(count), to_move(count), to_end(count), next_on_lane(count, UINT32_MAX);
  for (const auto& lane : program_.lanes) {
    for (size_t i = 1; i < lane.size(); ++i) {
      next_on_lane[lane[i - 1]] = lane[i];
      ++to_begin[lane[i]];
    }
  }
  std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> ready;
  const auto push = [&](uint32_t operation, Step::Kind kind) {
    ready.push(uint64_t{operation} * 4 + static_cast<uint64_t>(kind));
  };
  for (uint32_t i = 0; i < count; ++i) {
    to_begin[i] += program_.operations[i].waits.count;
    to_move[i] = to_end[i] = 1 + static_cast<uint32_t>(peers[i].size());
    if (to_begin[i] == 0) push(i, Step::Kind::begin);
  }
  const auto done = [&](uint32_t operation) {
    for (uint32_t after : slice(program_.successors, program_.operations[operation].successors)) {
      if (--to_begin[after] == 0) push(after, Step::Kind::begin);
    }
    const uint32_t next = next_on_lane[operation];
    if (next != UINT32_MAX && --to_begin[next] == 0) push(next, Step::Kind::begin);
  };
  const auto count_down = [&](uint32_t operation, std::vector<uint32_t>& left, Step::Kind kind) {
    if (--left[operation] == 0) push(operation, kind);
    for (uint32_t peer : peers[operation]) {
      if (--left[peer] == 0) push(peer, kind);
    }
  };
  while (!ready.empty()) {
    const Step step{static_cast<Step::Kind>(ready.top() % 4), static_cast<uint32_t>(ready.top() / 4)};
    ready.pop();
    steps.push_back(step);
    if (!program_.operations[step.operation].communication || step.kind == Step::Kind::end) done(step.operation);
    else if (step.kind == Step::Kind::begin) count_down(step.operation, to_move, Step::Kind::move);
    else count_down(step.operation, to_end, Step::Kind::end);
  }
}

void Plan::find_calls() {
  host_slot.assign(program_.calls.size(), UINT32_MAX);
  for (uint32_t call = 0; call < program_.calls.size(); ++call) {
    if (!std::holds_alternative<Host>(program_.calls[call].arguments)) continue;
    host_slot[call] = static_cast<uint32_t>(host_calls.size());
    host_calls.push_back(call);
  }
}

void Plan::upload_bounds() {
  std::vector<int32_t> all;
  for (const Call& call : program_.calls) {
    const size_t begin = all.size();
    append_device_words(call.arguments, all);
    bounds_at_.push_back(all.size() > begin ? static_cast<int64_t>(begin) : -1);
  }
  const size_t first_of_tables = all.size();
  for (size_t i = 0; i < program_.tables.size(); ++i) {
    tables_at_.push_back(all.size());
    append_table_words(program_.tables.at(i), all);
  }
  for (size_t i = 0; i < program_.calls.size(); ++i) {
    const TableWords words = table_words_of(program_.calls[i].arguments);
    if (words.table) bounds_at_[i] = static_cast<int64_t>(tables_at_[words.table->number()]) + words.at;
  }
  if (all.empty()) return;
  for (uint32_t device = 0; device < world_.devices(); ++device) {
    world_.use(device);
    bounds_[device] = Pooled<int32_t>(pool_, device, all.size());
    upload(bounds_[device].data(), all);
  }
  if (all.size() == first_of_tables) return;
  CUDA_CHECK(cudaHostAlloc(reinterpret_cast<void**>(&tables_), (all.size() - first_of_tables) * sizeof(int32_t),
                           cudaHostAllocPortable));
}

void Plan::await_loads(const CountRows& call, const Buffers& buffers, uint32_t rank, cudaStream_t stream) {
  CUDA_CHECK(cudaMemcpyAsync(words_of(call), buffers.at(call.loads, rank), static_cast<size_t>(call.experts) * sizeof(int32_t),
                             cudaMemcpyDeviceToHost, stream));
  CUDA_CHECK(cudaStreamSynchronize(stream));
}

void Plan::count_rows(const CountRows& call, uint32_t rank, cudaStream_t stream) {
  int32_t* here = words_of(call);
  call.table->count({here, static_cast<size_t>(call.experts)});
  std::vector<int32_t> words;
  append_table_words(*call.table, words);
  // They stay there until the copy is done: a table is counted once a run.
  std::copy(words.begin(), words.end(), here);
  int32_t* there = bounds_[static_cast<size_t>(world_.device(rank))].data() + tables_at_[call.number];
  CUDA_CHECK(cudaMemcpyAsync(there, here, words.size() * sizeof(int32_t), cudaMemcpyHostToDevice, stream));
}

/// Whether sends between the two ranks go by a copy engine.
bool Plan::by_engine(uint32_t sender, uint32_t receiver) const {
  if (copy_by_ == CopyBy::kernels || sender == receiver) return false;
  return copy_by_ == CopyBy::engines_always || world_.device(sender) != world_.device(receiver);
}

void Plan::list_copies(const Buffers& buffers, uint32_t operation, std::vector<Tile>& tiles,
                       std::vector<Span>& spans) const {
  const Operation& o = program_.operations[operation];
  // By the distance of the sender: its own first, then the next rank's.
  std::vector<std::vector<Tile>> by_kernel(world_.ranks());
  std::vector<const Transfer*> by_engines;
  for (const Call& call : slice(program_.calls, o.calls)) {
    const auto* copy = std::get_if<Copy>(&call.arguments);
    if (!copy) continue;
    list_tiles_of(buffers.at(copy->to, o.rank), buffers.at(copy->from, o.rank), static_cast<uint64_t>(copy->bytes),
                  by_kernel.front());
  }
  const auto distance = [&](uint32_t sender) { return distance_of(sender, o.rank, world_.ranks()); };
  uint32_t before = UINT32_MAX;
  for (uint32_t end : slice(program_.ends, o.ends)) {
    const Transfer& transfer = program_.transfers[end];
    // A send to itself is in the list once for each side.
    if (transfer.receiver != operation || end == before) continue;
    before = end;
    if (nccl_ && transfer.sender != operation) continue;
    const uint32_t sender = program_.operations[transfer.sender].rank;
    if (by_engine(sender, o.rank)) by_engines.push_back(&transfer);
    else {
      list_tiles_of(buffers.at(transfer.to, o.rank), buffers.at(transfer.from, sender), transfer.bytes,
                    by_kernel[distance(sender)]);
    }
  }
  // One sender after another, all ranks would read from the same one at once, whose links are then what limits them,
  // while those of the others have nothing to do.
  take_turns(by_kernel, tiles);
  // One after another on a stream: no two ranks begin with the same sender.
  std::stable_sort(by_engines.begin(), by_engines.end(), [&](const Transfer* a, const Transfer* b) {
    const auto of = [&](const Transfer* t) { return distance(program_.operations[t->sender].rank); };
    return of(a) < of(b);
  });
  list_spans(buffers, by_engines, spans);
}

/// Copies of one operation, in order; contiguous ones are merged.
void Plan::list_spans(const Buffers& buffers, std::span<const Transfer* const> transfers,
                      std::vector<Span>& spans) const {
  const Transfer* last = nullptr;
  for (const Transfer* transfer : transfers) {
    if (transfer->bytes == 0) continue;
    if (last && goes_on(*last, *transfer)) {
      spans.back().bytes += transfer->bytes;
    } else {
      spans.push_back({buffers.at(transfer->to, program_.operations[transfer->receiver].rank),
                       buffers.at(transfer->from, program_.operations[transfer->sender].rank), transfer->bytes});
    }
    last = transfer;
  }
}

void Plan::refresh(const Buffers& buffers) {
  if (generation_ == buffers.generation()) return;
  // What fills new buffers is on this stream, for which lanes do not wait.
  for (uint32_t device = 0; device < world_.devices(); ++device) {
    world_.use(device);
    CUDA_CHECK(cudaStreamSynchronize(nullptr));
  }
  std::vector<const std::byte*> addresses;
  for (const Requirement& need : program_.requirements) addresses.push_back(buffers.at({need.buffer, 0}, need.rank));
  if (generation_ != 0 && addresses == addresses_) {
    generation_ = buffers.generation();
    return;
  }
  generation_ = 0;  // until all of it is made
  graph.reset();
  std::vector<Tile> all;
  spans_.clear();
  tiles_at_.resize(program_.operations.size());
  spans_at_.resize(program_.operations.size());
  const auto next = [](const auto& list) { return static_cast<uint32_t>(list.size()); };
  for (uint32_t i = 0; i < tiles_at_.size(); ++i) {
    tiles_at_[i].first = next(all);
    spans_at_[i].first = next(spans_);
    const Operation& o = program_.operations[i];
    if (o.communication && world_.holds(o.rank)) list_copies(buffers, i, all, spans_);
    tiles_at_[i].count = next(all) - tiles_at_[i].first;
    spans_at_[i].count = next(spans_) - spans_at_[i].first;
  }
  for (uint32_t device = 0; device < world_.devices() && !all.empty(); ++device) {
    world_.use(device);
    if (room_ < all.size()) tiles_[device] = Pooled<Tile>(pool_, device, all.size());
    upload(tiles_[device].data(), all);
  }
  room_ = std::max(room_, all.size());
  addresses_ = std::move(addresses);
  generation_ = buffers.generation();
}

}  // namespace schemoe::cuda
