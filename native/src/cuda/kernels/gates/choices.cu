// Choices by the number of a token, and how many there are of each row.
#include "cuda/kernels/gates/counts.cuh"

namespace schemoe::cuda {

using namespace gates;

namespace {

/// A thread has a choice; without any it looks at the token's number alone.
__global__ void __launch_bounds__(256)
    look_up_kernel(int64_t tokens, int64_t k, int64_t vocabulary, int64_t rows, const int32_t* ids, const int32_t* table,
                   int32_t* choices, Report report) {
  const int64_t each = k > 0 ? k : 1, step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < tokens * each; i += step) {
    const int64_t token = i / each, id = ids[token];
    if (!report.checked(Data::token_ids, id, vocabulary) || k == 0) continue;
    const int32_t* row = table + id * k;
    const int64_t c = i - token * k;
    const int32_t choice = row[c];
    if (!report.checked(Data::table, choice, rows)) continue;
    for (int64_t before = 0; before < c; ++before) {
      if (row[before] == choice) report.found(Data::repeated, choice, id);
    }
    choices[i] = choice;
  }
}

/// The choices of tokens that are padding become -1.
__global__ void __launch_bounds__(256)
    drop_padding_kernel(int64_t tokens, int64_t k, const int32_t* padding, int32_t* choices) {
  for (int64_t i = int64_t{blockIdx.x} * 256 + threadIdx.x; i < tokens * k; i += int64_t{gridDim.x} * 256) {
    if (padding[i / k] != 0) choices[i] = -1;
  }
}

}  // namespace

void run(const DropPadding& d, const Context& context) {
  if (d.tokens == 0 || d.k == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(d.tokens * d.k, 256)), 256, 0, drop_padding_kernel, d.tokens, d.k,
         context.at<const int32_t>(d.padding), context.at<int32_t>(d.choices));
}

void run(const LookUp& l, const Context& context) {
  if (l.tokens == 0) return;
  LAUNCH(context.stream, grid_of(ceil_div(l.tokens * std::max<int64_t>(l.k, 1), 256)), 256, 0, look_up_kernel, l.tokens,
         l.k, l.vocabulary, l.rows, context.at<const int32_t>(l.ids), context.at<const int32_t>(l.table),
         context.at<int32_t>(l.choices), context.report());
}

void run(const CountChoices& c, const Context& context) {
  if (c.rows == 0) return;
  unsigned* sums = nullptr;
  if (needs_sums(c.rows)) sums = context.scratch.get<unsigned>(static_cast<size_t>(c.rows), context.stream);
  count_choices(c.tokens, c.rows, c.k, c.first, context.at<const int32_t>(c.choices), sums, context.at<float>(c.counts),
                context);
}

}  // namespace schemoe::cuda
