// Rows to the bytes of a wire and back, bit for bit as the CPU engine does it; here elements as they are.
#include "cuda/kernels/codecs.cuh"

namespace schemoe::cuda {

namespace codecs {

namespace {

/// Accesses of a lane that are under way at once.
constexpr int kAtOnce = 4;

/// Elements as they are.
template <class Unit, bool kEncode>
__global__ void __launch_bounds__(32 * kWarps) plain_kernel(std::byte* x, std::byte* wire, Shape s, int64_t size) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  const int64_t units = s.columns * size / static_cast<int64_t>(sizeof(Unit));
  each_line(s, [&](const Line& line, int64_t part) {
    auto* row = reinterpret_cast<Unit*>(x + line.x * size);
    auto* bytes = reinterpret_cast<Unit*>(wire + line.block * s.block_bytes + line.line * s.columns * size);
    const Unit* from = kEncode ? row : bytes;
    Unit* to = kEncode ? bytes : row;
    for (int64_t begin = part * 32 * kAtOnce + lane; begin < units; begin += kAtOnce * 32 << s.shift) {
      Unit values[kAtOnce];
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        if (const int64_t j = begin + u * 32; j < units) values[u] = from[j];
      }
#pragma unroll
      for (int u = 0; u < kAtOnce; ++u) {
        if (const int64_t j = begin + u * 32; j < units) to[j] = values[u];
      }
    }
  });
}

template <class Unit, bool kEncode>
void plain(std::byte* x, std::byte* wire, const Shape& s, int64_t size, cudaStream_t stream) {
  const Shape rows = shared(s, kAtOnce * 32 * static_cast<int64_t>(sizeof(Unit)) / size);
  LAUNCH(stream, grid_for(rows), 32 * kWarps, 0, (plain_kernel<Unit, kEncode>), x, wire, rows, size);
}

template <bool kEncode>
void plain(const Codec& c, const Shape& s, const Context& context) {
  const int64_t size = element_bytes(c.dtype);
  auto* x = context.at<std::byte>(c.x);
  auto* wire = context.at<std::byte>(c.wire);
  const auto bits = static_cast<int64_t>(reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(wire)) |
                    s.columns * size | s.row_stride * size | s.group_stride * size | s.block_stride * size |
                    s.block_bytes;
  if (bits % 16 == 0) plain<uint4, kEncode>(x, wire, s, size, context.stream);
  else if (bits % 4 == 0) plain<uint32_t, kEncode>(x, wire, s, size, context.stream);
  else plain<uint8_t, kEncode>(x, wire, s, size, context.stream);
}

template <bool kEncode>
void code(const Codec& c, const Context& context);

/// Groups one by one where rows have numbers by group: codecs that ask for those have rows one after another.
template <bool kEncode>
void each_group(const Codec& c, const Context& context) {
  int64_t first = 0;
  for (int64_t group = 0; group < c.groups; ++group) {
    Codec part = c;
    part.groups = 1;
    part.rows = c.rows_of(group);
    part.group_rows = {};
    part.x.offset += static_cast<uint64_t>(first * c.row_stride * element_bytes(c.dtype));
    part.wire.offset += static_cast<uint64_t>(c.spec->bytes(first, c.columns, c.dtype, c.parameter));
    part.first_number += group * c.group_step;
    if (part.rows > 0) code<kEncode>(part, context);
    first += c.rows_of(group);
  }
}

template <bool kEncode>
void code(const Codec& c, const Context& context) {
  if (c.seed && !c.group_rows.empty()) return each_group<kEncode>(c, context);
  // Groups with numbers of rows of their own follow each other, as one group of all rows.
  const bool even = c.group_rows.empty();
  const Shape s{c.lines(), c.rows, c.columns, c.blocks, c.block_stride, even ? c.group_stride : 0, c.row_stride,
                c.block_bytes};
  // Rows without columns take wire only where they have scales.
  if (s.lines == 0 || s.blocks == 0 || (c.columns == 0 && c.spec->bytes(1, 0, c.dtype, c.parameter) == 0)) return;
  (kEncode ? c.spec->cuda_encode : c.spec->cuda_decode)(c, s, context);
}

}  // namespace

void encode_plain(const Codec& c, const Shape& s, const Context& context) { plain<true>(c, s, context); }
void decode_plain(const Codec& c, const Shape& s, const Context& context) { plain<false>(c, s, context); }

Shape shared(Shape s, int64_t span) {
  while (2 << s.shift <= kWarps && span * (2 << s.shift) <= s.columns) ++s.shift;
  return s;
}

unsigned grid_for(const Shape& s) { return grid_of(ceil_div(s.lines * s.blocks << s.shift, kWarps)); }

bool wide(const Codec& c, const Shape& s, const Context& context, int64_t wire_element) {
  const int64_t size = element_bytes(c.dtype);
  const int64_t unit = 8 * wire_element;  // bytes of 8 elements on the wire
  const auto all = [](int64_t by, std::initializer_list<int64_t> values) {
    return std::all_of(values.begin(), values.end(), [&](int64_t value) { return value % by == 0; });
  };
  const auto wire = static_cast<int64_t>(reinterpret_cast<uintptr_t>(context.at<std::byte>(c.wire)));
  // Scales in front of int8 rows take 8 bytes each.
  return c.columns % 8 == 0 && aligned(context.at<std::byte>(c.x)) &&
         all(16, {s.block_stride * size, s.group_stride * size, s.row_stride * size}) &&
         all(unit, {wire, s.block_bytes});
}

}  // namespace codecs

void run(const Encode& c, const Context& context) { codecs::code<true>(c, context); }
void run(const Decode& c, const Context& context) { codecs::code<false>(c, context); }

}  // namespace schemoe::cuda
