// Rows to the bytes of a wire and back, bit for bit as the CPU engine does it; here elements as they are.
#include "cuda/kernels/codecs.cuh"

namespace schemoe::cuda {

namespace codecs {

namespace {

/// Elements as they are. A warp has a row.
template <class Unit, bool kEncode>
__global__ void __launch_bounds__(32 * kWarps) plain_kernel(std::byte* x, std::byte* wire, Shape s, int64_t size) {
  const auto lane = static_cast<int64_t>(threadIdx.x % 32);
  const int64_t units = s.columns * size / static_cast<int64_t>(sizeof(Unit));
  for (int64_t index = int64_t{blockIdx.x} * kWarps + threadIdx.x / 32; index < s.lines * s.blocks;
       index += int64_t{gridDim.x} * kWarps) {
    const Line line(s, index);
    auto* row = reinterpret_cast<Unit*>(x + line.x * size);
    auto* bytes = reinterpret_cast<Unit*>(wire + line.block * s.block_bytes + line.line * s.columns * size);
    const Unit* from = kEncode ? row : bytes;
    Unit* to = kEncode ? bytes : row;
#pragma unroll 4
    for (int64_t j = lane; j < units; j += 32) to[j] = from[j];
  }
}

template <bool kEncode>
void plain(const Codec& c, const Shape& s, const Context& context) {
  const unsigned grid = grid_for(s);
  const int64_t size = element_bytes(c.dtype);
  auto* x = context.at<std::byte>(c.x);
  auto* wire = context.at<std::byte>(c.wire);
  const auto bits = static_cast<int64_t>(reinterpret_cast<uintptr_t>(x) | reinterpret_cast<uintptr_t>(wire)) |
                    s.columns * size | s.row_stride * size | s.group_stride * size | s.block_stride * size |
                    s.block_bytes;
  if (bits % 16 == 0) {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, (plain_kernel<uint4, kEncode>), x, wire, s, size);
  } else if (bits % 4 == 0) {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, (plain_kernel<uint32_t, kEncode>), x, wire, s, size);
  } else {
    LAUNCH(context.stream, grid, 32 * kWarps, 0, (plain_kernel<uint8_t, kEncode>), x, wire, s, size);
  }
}

template <bool kEncode>
void code(const Codec& c, const Context& context) {
  const Shape s{c.groups * c.rows, c.rows, c.columns, c.blocks, c.block_stride, c.group_stride, c.row_stride,
                c.block_bytes};
  // Rows without columns take wire only for their scales.
  if (s.lines == 0 || s.blocks == 0 || (c.columns == 0 && c.codec != SCHEMOE_CODEC_INT8)) return;
  switch (c.codec) {
    case SCHEMOE_CODEC_NONE: return plain<kEncode>(c, s, context);
    case SCHEMOE_CODEC_FP16:
    case SCHEMOE_CODEC_BF16: return (kEncode ? encode_narrow : decode_narrow)(c, s, context);
    case SCHEMOE_CODEC_INT8: return (kEncode ? encode_int8 : decode_int8)(c, s, context);
  }
}

}  // namespace

unsigned grid_for(const Shape& s) { return grid_of(ceil_div(s.lines * s.blocks, kWarps)); }

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
