// Chooses algorithms by measuring them. Only those count whose results have the bits of the first: which of
// them is fastest may differ from run to run, results do not.
#include <algorithm>
#include <limits>

#include "cuda/check.h"
#include "cuda/kernels/tuning.h"
#include "cuda/product_plan.h"
#include "runtime/failure.h"

namespace schemoe::cuda {

namespace {

constexpr int kCandidates = 16;
/// Of two that are this close the one that the library prefers is taken.
constexpr double kTie = 1.01;
/// Milliseconds that measuring a shape should take.
constexpr double kPatience = 40;

/// Times of calls that a stream does one after another, without a pause between them.
class Stopwatch {
 public:
  explicit Stopwatch(size_t calls) : events_(calls + 1, nullptr) {
    for (cudaEvent_t& event : events_) CUDA_CHECK(cudaEventCreate(&event));
  }
  ~Stopwatch() {
    for (cudaEvent_t event : events_) {
      if (event) cudaEventDestroy(event);
    }
  }
  Stopwatch(const Stopwatch&) = delete;

  /// Before the first call, and after each.
  void mark(size_t call, cudaStream_t stream) const { CUDA_CHECK(cudaEventRecord(events_[call], stream)); }
  void wait() const { CUDA_CHECK(cudaEventSynchronize(events_.back())); }
  double milliseconds(size_t call) const {
    float value = 0;
    CUDA_CHECK(cudaEventElapsedTime(&value, events_[call], events_[call + 1]));
    return value;
  }

 private:
  std::vector<cudaEvent_t> events_;
};

double median(std::vector<double> list) {
  std::sort(list.begin(), list.end());
  return list[list.size() / 2];
}

}  // namespace

/// Operands of the trials' own, each as far from a multiple of 256 as the real one is.
struct Products::Memory {
  struct Part {
    std::byte* data = nullptr;
    int64_t bytes = 0;
    schemoe_dtype dtype = SCHEMOE_F32;
  };
  Part a, b, bias, result, first;
  unsigned* different = nullptr;
  std::byte* all = nullptr;

  Memory(const Gemm& g, const Operands& at) {
    a = part(matrix_bytes(g.a, g.groups, g.trans_a ? g.k : g.m, g.trans_a ? g.m : g.k, g.dtypes.a), g.dtypes.a);
    b = part(matrix_bytes(g.b, g.groups, g.trans_b ? g.n : g.k, g.trans_b ? g.k : g.n, g.dtypes.b), g.dtypes.b);
    if (at.bias) bias = part(((g.groups - 1) * g.bias_stride + g.n) * element_bytes(g.dtype_c), g.dtype_c);
    result = first = part(matrix_bytes(g.c, g.groups, g.m, g.n, g.dtype_c), g.dtype_c);
    const struct {
      Part& part;
      const void* like;
    } parts[] = {{a, at.a}, {b, at.b}, {bias, at.bias}, {result, at.c}, {first, at.c}};
    int64_t total = 256;
    for (const auto& [part, like] : parts) total += room(part);
    if (cudaMalloc(reinterpret_cast<void**>(&all), static_cast<size_t>(total)) != cudaSuccess) {
      cudaGetLastError();
      all = nullptr;
      return;
    }
    different = reinterpret_cast<unsigned*>(all);
    std::byte* next = all + 256;
    for (const auto& [part, like] : parts) {
      part.data = next + reinterpret_cast<uint64_t>(like) % 256;
      next += room(part);
    }
  }
  ~Memory() { cudaFree(all); }
  Memory(const Memory&) = delete;

  Operands operands() const { return {a.data, b.data, result.data, bias.bytes ? bias.data : nullptr}; }
  void fill(const Part& part, uint32_t seed, cudaStream_t stream) const {
    if (part.bytes) numbers(part.data, part.bytes / element_bytes(part.dtype), part.dtype, seed, stream);
  }

 private:
  static Part part(int64_t bytes, schemoe_dtype dtype) { return {nullptr, bytes, dtype}; }
  static int64_t room(const Part& part) { return (part.bytes + 255) / 256 * 256 + 256; }
};

/// Runs each candidate once on the same numbers.
Products::Trial Products::compare_bits(const Gemm& g, const Call& call, const Memory& memory, const Work& work,
                                       const std::vector<lt::Heuristic>& candidates) {
  Trial trial{g, 0, {}};
  for (const lt::Heuristic& h : candidates) trial.candidates.push_back({lt::config_of(h.algorithm), false, 0});
  const cudaStream_t stream = work.stream;
  const auto alike = [&](size_t i) {
    const lt::Config &own = trial.candidates[i].config, &first = trial.candidates[0].config;
    return candidates[i].state == lt::kSuccess && own.split == first.split && own.reduction == first.reduction;
  };
  memory.fill(memory.a, 1, stream);
  memory.fill(memory.b, 2, stream);
  memory.fill(memory.bias, 3, stream);
  CUDA_CHECK(cudaMemsetAsync(memory.different, 0, sizeof(unsigned) * kCandidates, stream));
  for (size_t i = 0; i < candidates.size(); ++i) {
    bool& equal = trial.candidates[i].equal;
    if (!alike(i)) continue;
    // The same C for all: products add to it, and unwritten elements show.
    memory.fill(memory.result, 4, stream);
    equal = work.multiply(g, call, memory.operands(), candidates[i].algorithm, candidates[i].workspace_bytes) == lt::kSuccess;
    if (i > 0) {
      find_difference(memory.first.data, memory.result.data, memory.result.bytes, memory.different + i, stream);
      continue;
    }
    if (!equal) return trial;
    CUDA_CHECK(cudaMemcpyAsync(memory.first.data, memory.result.data, static_cast<size_t>(memory.result.bytes),
                               cudaMemcpyDeviceToDevice, stream));
  }
  unsigned different[kCandidates] = {};
  CUDA_CHECK(cudaMemcpyAsync(different, memory.different, sizeof different, cudaMemcpyDeviceToHost, stream));
  CUDA_CHECK(cudaStreamSynchronize(stream));
  for (size_t i = 0; i < candidates.size(); ++i) trial.candidates[i].equal &= !different[i];
  return trial;
}

/// Chooses among those of equal bits.
void Products::measure(Trial& trial, const Call& call, const Memory& memory, const Work& work,
                       const std::vector<lt::Heuristic>& candidates) {
  trial.measured = true;
  std::vector<size_t> equal;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (trial.candidates[i].equal) equal.push_back(i);
  }
  if (equal.size() < 2) return;
  const Stopwatch watch(equal.size());
  std::vector<std::vector<double>> times(equal.size());
  double spent = 0;
  // In turns, so that a change of the clock meets all of them; the first turn only warms up.
  for (int turn = 0; turn < 4 || (turn < 10 && spent < kPatience); ++turn) {
    watch.mark(0, work.stream);
    for (size_t n = 0; n < equal.size(); ++n) {
      const lt::Heuristic& h = candidates[equal[n]];
      LT_CHECK(work.multiply(trial.gemm, call, memory.operands(), h.algorithm, h.workspace_bytes));
      watch.mark(n + 1, work.stream);
    }
    watch.wait();
    for (size_t n = 0; n < equal.size(); ++n) {
      if (turn > 0) times[n].push_back(watch.milliseconds(n));
      spent += watch.milliseconds(n);
    }
  }
  double best = std::numeric_limits<double>::infinity();
  for (size_t n = 0; n < equal.size(); ++n) {
    best = std::min(best, trial.candidates[equal[n]].milliseconds = median(times[n]));
  }
  trial.chosen = *std::find_if(equal.begin(), equal.end(),
                               [&](size_t i) { return trial.candidates[i].milliseconds <= kTie * best; });
}

const Products::Trial* Products::near(const Gemm& g) const {
  const auto is_near = [](int64_t a, int64_t b) { return 4 * a <= 5 * b && 4 * b <= 5 * a; };
  const auto found = std::find_if(trials_.begin(), trials_.end(), [&](const Trial& trial) {
    const Gemm& o = trial.gemm;
    return trial.measured && o.dtype_c == g.dtype_c && o.trans_a == g.trans_a && o.trans_b == g.trans_b &&
           o.groups == g.groups && o.n == g.n && o.relu == g.relu && o.bias.null() == g.bias.null() &&
           (o.beta == 0) == (g.beta == 0) &&
           (g.trans_a ? o.m == g.m && is_near(o.k, g.k) : o.k == g.k && is_near(o.m, g.m));
  });
  return found == trials_.end() ? nullptr : &*found;
}

bool Products::is_tuned(const Gemm& g) {
  constexpr double kOperations = 1e9;
  if (g.dtypes.a != SCHEMOE_BF16 || g.dtypes.b != SCHEMOE_BF16) return false;
  return 2.0 * static_cast<double>(g.groups * g.m) * static_cast<double>(g.n) * static_cast<double>(g.k) >= kOperations;
}

void Products::tune(const Gemm& g, const Operands& at, const Bench& bench) {
  if (!tune_ || !is_tuned(g)) return;
  const Shape shape = shape_of(g, at, bench.device, false);
  const std::lock_guard lock(mutex_);
  auto& kept = plans_[shape.key];
  if (kept) return;
  std::vector<lt::Heuristic> candidates(kCandidates);
  kept = make(shape, bench.device, candidates);
  if (!kept->possible || candidates.size() < 2) return;
  bool known = false;
  if (const Trial* like = near(g)) {
    const lt::Config& wanted = like->candidates[like->chosen].config;
    const auto same = std::find_if(candidates.begin(), candidates.end(),
                                   [&](const lt::Heuristic& h) { return lt::config_of(h.algorithm) == wanted; });
    if (same == candidates.begin()) return;
    known = same != candidates.end();
    if (known) candidates = {candidates.front(), *same};
  }
  const Memory memory(g, at);
  // Where there is no room, the first is taken unseen.
  if (!memory.all) return;
  const Call call(g, fast(g), memory.operands().bias);
  const Work work{handles_[static_cast<size_t>(bench.device)], bench.workspace, bench.stream};
  Trial trial = compare_bits(g, call, memory, work, candidates);
  if (known) trial.chosen = trial.candidates.back().equal ? 1 : 0;
  else measure(trial, call, memory, work, candidates);
  CUDA_CHECK(cudaStreamSynchronize(bench.stream));
  kept->take(candidates[trial.chosen]);
  trials_.push_back(std::move(trial));
}

}  // namespace schemoe::cuda
