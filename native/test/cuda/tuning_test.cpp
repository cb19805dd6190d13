// Tuning changes no bit: products on an engine that chooses algorithms and on one that takes the first.
#include <cstdio>

#include "both.h"
#include "cuda/products.h"

namespace {

struct Case {
  const char* name;
  int dtype;
  bool trans_a, trans_b;
  int64_t groups, m, n, k;
  double beta;
  bool bias, relu;
  std::vector<int64_t> rows = {};  // of ragged groups
};

/// An engine, and what its results are.
class Runner {
 public:
  explicit Runner(uint32_t flags) : engine_(SCHEMOE_CUDA, 1, flags) {}

  /// The result after two runs of one Program.
  std::vector<uint8_t> run(const Case& c) {
    const bool ragged = !c.rows.empty();
    int64_t& rows = c.trans_a ? k_ : m_;
    m_ = c.m, k_ = c.k;
    if (ragged) {
      rows = 0;
      for (int64_t count : c.rows) rows += count;
    }
    const int64_t shared = ragged ? 1 : c.groups;  // matrices whose rows are those of all groups
    const int64_t size_a = shared * m_ * k_;
    const int64_t size_b = (ragged && c.trans_a ? 1 : c.groups) * c.n * k_;
    const int64_t size_c = (ragged && !c.trans_a ? 1 : c.groups) * m_ * c.n;
    const auto bytes = [&](int64_t count) { return static_cast<uint64_t>(count * (c.dtype == SCHEMOE_BF16 ? 2 : 4)); };
    const uint32_t a = engine_.allocate(bytes(size_a)), b = engine_.allocate(bytes(size_b));
    const uint32_t result = engine_.allocate(bytes(size_c)), bias = engine_.allocate(bytes(c.groups * c.n));
    engine_.write(a, 0, values(size_a, c.dtype, 1));
    engine_.write(b, 0, values(size_b, c.dtype, 2));
    engine_.write(result, 0, values(size_c, c.dtype, 3));
    engine_.write(bias, 0, values(c.groups * c.n, c.dtype, 4));
    const int64_t lda = c.trans_a ? m_ : k_, ldb = c.trans_b ? k_ : c.n;
    const auto stride = [&](bool shares, int64_t size) { return shares ? 0 : size; };
    Words words;
    words.i(c.dtype, c.dtype, c.trans_a, c.trans_b, c.groups, m_, c.n, k_)
        .m(a, lda, stride(ragged, m_ * k_))
        .m(b, ldb, stride(ragged && c.trans_a, c.n * k_))
        .m(result, c.n, stride(ragged && !c.trans_a, m_ * c.n))
        .f(1).f(c.beta);
    c.bias ? words.v(bias) : words.none();
    words.i(c.bias ? c.n : 0, c.relu);
    int64_t first = 0;
    for (int64_t count : c.rows) {
      words.i(first, count);
      first += count;
    }
    Packed packed(1);
    packed.operation(0, 0, 0, {});
    packed.kernel(ragged ? 24 : kGemm, words);
    const std::string what = c.name;
    check::that(engine_.run(packed).empty(), what + " does not run", __FILE__, __LINE__);
    check::that(engine_.run(packed).empty(), what + " does not run again", __FILE__, __LINE__);
    auto data = engine_.read(result, 0, bytes(size_c));
    for (uint32_t id : {a, b, result, bias}) engine_.free(id);
    return data;
  }

 private:
  static constexpr uint64_t kGemm = 1;

  static std::vector<uint8_t> values(int64_t count, int dtype, uint32_t seed) {
    std::mt19937 generator(seed);
    std::vector<uint8_t> bytes;
    bytes.reserve(static_cast<size_t>(count) * 4);
    for (int64_t i = 0; i < count; ++i) {
      const float x = round_to_bf16(static_cast<float>(generator()) * 0x1p-31f - 1);
      const uint32_t bits = std::bit_cast<uint32_t>(x);
      for (int byte = dtype == SCHEMOE_BF16 ? 2 : 0; byte < 4; ++byte) bytes.push_back(static_cast<uint8_t>(bits >> 8 * byte));
    }
    return bytes;
  }

  Engine engine_;
  int64_t m_ = 0, k_ = 0;
};

const std::vector<int64_t> kRows = {1000, 0, 129, 1024};

const Case kCases[] = {
    {"sums over rows", SCHEMOE_BF16, true, false, 2, 1024, 768, 2048, 0, false, false},
    {"sums over rows that add", SCHEMOE_BF16, true, false, 1, 1024, 768, 4096, 1, false, false},
    {"few sums over many rows", SCHEMOE_BF16, true, false, 1, 128, 128, 65536, 0, false, false},
    {"sums over an odd number of rows", SCHEMOE_BF16, true, false, 3, 1024, 1024, 897, 1, false, false},
    {"sums over rows of odd lengths", SCHEMOE_BF16, true, false, 1, 1003, 1001, 1777, 0, true, true},
    {"float32 sums over rows", SCHEMOE_F32, true, false, 2, 1024, 768, 1024, 1, false, false},
    {"ragged sums over rows", SCHEMOE_BF16, true, false, 4, 1024, 1024, 0, 1, false, false, kRows},
    {"rows", SCHEMOE_BF16, false, false, 4, 512, 1024, 512, 0, true, true},
    {"rows by a transpose", SCHEMOE_BF16, false, true, 2, 1000, 1032, 776, 0, false, false},
};

void equal_bits(uint32_t flags) {
  Runner tuned(flags), plain(flags | SCHEMOE_NO_TUNING);
  for (const Case& c : kCases) {
    // Before the first run buffers hold no numbers, and after it accumulating products have a second term.
    const auto with = tuned.run(c), without = plain.run(c);
    check::that(with == without, std::string(c.name) + ": tuning changes bits", __FILE__, __LINE__);
  }
}

schemoe::Gemm gemm_of(const Case& c) {
  Words words;
  words.i(c.dtype, c.dtype, c.trans_a, c.trans_b, c.groups, c.m, c.n, c.k)
      .m(0, c.trans_a ? c.m : c.k, c.m * c.k).m(1, c.trans_b ? c.k : c.n, c.n * c.k).m(2, c.n, c.m * c.n)
      .f(1).f(c.beta).none().i(0, 0);
  std::vector<schemoe::Extent> extents;
  schemoe::Reader reader("iiiiiiiiviiviiviiffvii", words.list, extents);
  return schemoe::Gemm(reader);
}

/// Products without an engine; their operands are addresses only, which nothing reads.
class Direct {
 public:
  explicit Direct(bool tune) : world_(schemoe::CudaOptions{}), products(world_, false, tune) {
    world_.use(0);
    CUDA_CHECK(cudaMalloc(&workspace_, schemoe::cuda::Products::kWorkspace));
    CUDA_CHECK(cudaStreamCreate(&stream_));
  }
  ~Direct() {
    cudaStreamDestroy(stream_);
    cudaFree(workspace_);
  }
  void tune(const Case& c) {
    auto* address = reinterpret_cast<void*>(uint64_t{4096});
    products.tune(gemm_of(c), {address, address, address}, {0, workspace_, stream_});
  }

 private:
  schemoe::cuda::World world_;
  void* workspace_ = nullptr;
  cudaStream_t stream_ = nullptr;

 public:
  schemoe::cuda::Products products;
};

/// Large products of bfloat16 are tried, each shape once, and nothing else; what is chosen has the bits of the
/// first and is not slower.
void trials() {
  const Case large{"", SCHEMOE_BF16, true, false, 2, 1024, 1024, 1024, 0, false, false};
  Case more = large, small = large, forward = large, exact = large, far = large;
  more.k = 1032, far.k = 4096, small.m = 64, small.n = 64, forward.trans_a = false, exact.dtype = SCHEMOE_F32;
  Direct tuned(true), plain(false);
  for (const Case& c : {large, small, forward, exact, large}) {
    tuned.tune(c);
    plain.tune(c);
  }
  const auto& trials = tuned.products.trials();
  CHECK_EQUAL(trials.size(), size_t{2});
  CHECK_EQUAL(plain.products.trials().size(), size_t{0});
  tuned.tune(far);
  CHECK_EQUAL(trials.size(), size_t{3});
  for (const auto& trial : trials) {
    CHECK(trial.measured);
    const auto& chosen = trial.candidates.at(trial.chosen);
    CHECK(chosen.equal);
    CHECK(trial.candidates.front().equal);
    if (trial.chosen > 0) CHECK(chosen.milliseconds < trial.candidates.front().milliseconds);
  }
  // With nearly as many rows nothing is measured: it is the same choice, tried where it is not the library's own.
  tuned.tune(more);
  CHECK(trials.size() <= 4);
  for (size_t i = 3; i < trials.size(); ++i) {
    CHECK(!trials[i].measured);
    CHECK_EQUAL(trials[i].candidates.size(), size_t{2});
    CHECK(trials[i].candidates.back().config == trials[0].candidates.at(trials[0].chosen).config);
    CHECK(trials[i].candidates.at(trials[i].chosen).equal);
  }
}

}  // namespace

int main() {
  {
    const Engine probe(SCHEMOE_CUDA, 1);
    if (!probe.handle) {
      std::printf("%s\n", probe.error.text);
      return probe.status == SCHEMOE_UNSUPPORTED ? kSkipped : 1;
    }
  }
  trials();
  equal_bits(0);
  equal_bits(SCHEMOE_TF32);
  return check::result();
}
