#include "cuda/plan.h"

#include "cuda/device_words.h"
#include "cuda/turns.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

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
  for (uint32_t i = 0; i < program.operations.size(); ++i) counted_.push_back(moves_counted(i));
  counted_spans_.resize(program.operations.size());
  constexpr size_t kMostCalls = 4096;
  graphable = !nccl_ && !paced && world.devices() == 1 && host_calls.empty() && program.tables.size() == 0 && !lanes.empty() &&
              program.calls.size() <= kMostCalls;
}

Plan::~Plan() {
  cudaFreeHost(tables_);
  cudaFreeHost(counted_tiles_);
}

/// Whether it copies rows here that are counted.
bool Plan::moves_counted(uint32_t operation) const {
  const Operation& o = program_.operations[operation];
  if (!o.communication || !world_.holds(o.rank)) return false;
  for (const Call& call : slice(program_.calls, o.calls)) {
    const auto* copy = std::get_if<Copy>(&call.arguments);
    if (copy && copy->rows.table) return true;
  }
  for (uint32_t end : slice(program_.ends, o.ends)) {
    if (program_.transfers[end].counted()) return true;
  }
  return false;
}

/// Tiles of whatever rows there may be.
size_t Plan::most_tiles(uint32_t operation) const {
  const Operation& o = program_.operations[operation];
  size_t tiles = 0;
  const auto add = [&](const RowTable* table, uint64_t bytes) {
    const uint64_t most = table ? static_cast<uint64_t>(std::max(table->shape().room, table->shape().rows)) * bytes : bytes;
    tiles += static_cast<size_t>(most / kTileBytes + 1);
  };
  for (const Call& call : slice(program_.calls, o.calls)) {
    const auto* copy = std::get_if<Copy>(&call.arguments);
    if (copy) add(copy->rows.table, static_cast<uint64_t>(copy->bytes));
  }
  for (uint32_t end : slice(program_.ends, o.ends)) {
    const Transfer& transfer = program_.transfers[end];
    if (transfer.receiver == operation) add(transfer.received.table, transfer.bytes);
  }
  return tiles;
}

void Plan::list_counted(const Buffers& buffers, uint32_t operation, cudaStream_t stream) {
  if (!counted_[operation]) return;
  // Across processes each has counted its own ranks.
  for (uint32_t end : slice(program_.ends, program_.operations[operation].ends)) {
    const Transfer& transfer = program_.transfers[end];
    if (transfer.counted() && world_.holds(transfer.from_rank) && world_.holds(transfer.to_rank)) check_counted(transfer);
  }
  std::vector<Tile> tiles;
  counted_spans_[operation].clear();
  list_copies(buffers, operation, tiles, counted_spans_[operation]);
  Range& range = tiles_at_[operation];
  range.count = static_cast<uint32_t>(tiles.size());
  if (tiles.empty()) return;
  // They stay there until the copy is done: an operation runs once a run.
  std::copy(tiles.begin(), tiles.end(), counted_tiles_ + range.first);
  const auto device = static_cast<size_t>(world_.device(program_.operations[operation].rank));
  CUDA_CHECK(cudaMemcpyAsync(tiles_[device].data() + range.first, counted_tiles_ + range.first, tiles.size() * sizeof(Tile),
                             cudaMemcpyHostToDevice, stream));
}

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
  size_t host_words = 0;
  for (size_t i = 0; i < program_.tables.size(); ++i) {
    const RowTable& table = program_.tables.at(i);
    tables_at_.push_back(all.size());
    words_at_.push_back(host_words);
    append_table_words(table, all);
    // Loads of all ranks come first, then the words are there.
    host_words += std::max(all.size() - tables_at_.back(), static_cast<size_t>(table.shape().ranks * table.shape().experts));
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
  if (host_words == 0) return;
  CUDA_CHECK(cudaHostAlloc(reinterpret_cast<void**>(&tables_), host_words * sizeof(int32_t), cudaHostAllocPortable));
}

void Plan::await_loads(const CountRows& call, const Buffers& buffers, uint32_t rank, cudaStream_t stream) {
  CUDA_CHECK(cudaMemcpyAsync(words_of(call), buffers.at(call.loads, rank), static_cast<size_t>(call.count()) * sizeof(int32_t),
                             cudaMemcpyDeviceToHost, stream));
  CUDA_CHECK(cudaStreamSynchronize(stream));
}

void Plan::count_rows(const CountRows& call, uint32_t rank, cudaStream_t stream) {
  int32_t* here = words_of(call);
  call.table->count({here, static_cast<size_t>(call.count())});
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
    const CopyBytes now = copy->now();
    list_tiles_of(buffers.at(now.to, o.rank), buffers.at(now.from, o.rank), static_cast<uint64_t>(now.bytes),
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
      const auto [from, bytes] = transfer.source();
      list_tiles_of(buffers.at(transfer.target().view, o.rank), buffers.at(from, sender), bytes,
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
    const auto [from, bytes] = transfer->source();
    if (bytes == 0) continue;
    if (last && goes_on(*last, *transfer)) {
      spans.back().bytes += bytes;
    } else {
      spans.push_back({buffers.at(transfer->target().view, transfer->to_rank), buffers.at(from, transfer->from_rank), bytes});
    }
    last = transfer->counted() ? nullptr : transfer;
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
    if (counted_[i]) all.resize(all.size() + most_tiles(i));
    else if (o.communication && world_.holds(o.rank)) list_copies(buffers, i, all, spans_);
    tiles_at_[i].count = next(all) - tiles_at_[i].first;
    spans_at_[i].count = next(spans_) - spans_at_[i].first;
  }
  for (uint32_t device = 0; device < world_.devices() && !all.empty(); ++device) {
    world_.use(device);
    if (room_ < all.size()) tiles_[device] = Pooled<Tile>(pool_, device, all.size());
    upload(tiles_[device].data(), all);
  }
  room_ = std::max(room_, all.size());
  if (std::find(counted_.begin(), counted_.end(), true) != counted_.end()) {
    cudaFreeHost(std::exchange(counted_tiles_, nullptr));
    const size_t bytes = std::max<size_t>(1, all.size()) * sizeof(Tile);
    CUDA_CHECK(cudaHostAlloc(reinterpret_cast<void**>(&counted_tiles_), bytes, cudaHostAllocPortable));
  }
  addresses_ = std::move(addresses);
  generation_ = buffers.generation();
}

}  // namespace schemoe::cuda
