#include "runtime/kernel_table.h"

namespace schemoe {

namespace {

template <class Kernel>
Arguments read(Reader& reader) {
  return Kernel(reader);
}

constexpr KernelSpec kTable[] = {
    {1, "gemm", "iiiiiiiiviiviiviiffvii", read<Gemm>, false},
    {2, "bias_act", "iiiiviiviviii*", read<BiasAct>, false},
    {3, "act_grad", "iiiiviiviiviii*", read<ActGrad>, false},
    {4, "glu", "iiiiviiviiviii*", read<Glu>, false},
    {5, "glu_grad", "iiiiviiviiviiviiviii*", read<GluGrad>, false},
    {6, "column_sum", "iiiiviivii*", read<ColumnSum>, false},
    {7, "softmax", "iivv", read<Softmax>, false},
    {8, "top_k", "iiiivvvv", read<TopK>, false},
    {9, "positions", "iiiivvvv", read<Positions>, false},
    {10, "aux_loss", "iiivvv", read<AuxLoss>, false},
    {11, "slots", "iiiivvv", read<Slots>, false},
    {12, "dispatch", "iiiiivvvv*", read<Dispatch>, false},
    {13, "combine", "iiiiivvvvvi*", read<Combine>, false},
    {14, "row_dot", "iiiiivvvvv*", read<RowDot>, false},
    {15, "gate_grad", "iiiivvvvvf", read<GateGrad>, false},
    {16, "encode", "iiiiiiiiviiiviiii*", read<Encode>, false},
    {17, "decode", "iiiiiiiiviiiviiii*", read<Decode>, false},
    {18, "sum_ranks", "iiivv*", read<SumRanks>, false},
    {19, "max_ranks", "ivv", read<MaxRanks>, false},
    {20, "fill", "ivf", read<Fill>, false},
    {21, "max_load", "ivv", read<MaxLoad>, false},
    {22, "host", "i", read<Host>, false},
    {23, "copy_bytes", "ivv", read<CopyBytes>, false},
    {24, "gemm_groups", "iiiiiiiiviiviiviiffvii*", read<GemmGroups>, false},
    {25, "place_tokens", "iiiiivvvvv*", read<PlaceTokens>, false},
    {26, "group_rows", "iiiiiiiiivv*", read<GroupRows>, false},
    {27, "ungroup_rows", "iiiiiiiiivv*", read<UngroupRows>, false},
    {28, "random_normal", "iiiiivf", read<RandomNormal>, false},
    {29, "check_numbers", "iiiivii*", read<CheckNumbers>, false},
    {30, "call_source", "iiiivivivivivivi*", read<CallSource>, false},
    {32, "copy", "ivv*", read<Copy>, true},
    {33, "send", "iiv*", read<Send>, true},
    {34, "receive", "iiv*", read<Receive>, true},
    {40, "route", "iiiiiiiivvvvvf", read<Route>, false},
    {41, "route_grad", "iiiiivvvvvvvffv", read<RouteGrad>, false},
    {42, "place_choices", "iiiiivvvvv", read<PlaceChoices>, false},
    {43, "choose_tokens", "iiivvv", read<ChooseTokens>, false},
    {44, "count_choices", "iiiivv", read<CountChoices>, false},
    {45, "balance_loss", "iiivvvvvffv", read<BalanceLoss>, false},
    {46, "z_loss", "iivvvfv", read<ZLoss>, false},
    {47, "importance_loss", "iiivvvvvf", read<ImportanceLoss>, false},
    {48, "load_loss", "iiivvvvvvfv", read<LoadLoss>, false},
    {49, "add_noise", "ivvvv", read<AddNoise>, false},
    {50, "noise_grad", "iiivvvvvvvv", read<NoiseGrad>, false},
    {51, "look_up", "iiiivvv", read<LookUp>, false},
    {52, "add_identity", "iiiiivvvv", read<AddIdentity>, false},
    {53, "identity_dots", "iiiiivvvv", read<IdentityDots>, false},
    {54, "shift_bias", "iiivvf", read<ShiftBias>, false},
    {55, "quantile_bias", "iiivvv", read<QuantileBias>, false},
    {56, "unit_rows", "iivvv", read<UnitRows>, false},
    {57, "unit_rows_grad", "iivvvv", read<UnitRowsGrad>, false},
    {58, "temper", "ivvvv", read<Temper>, false},
    {59, "gated_rows", "iiivvvvv", read<GatedRows>, false},
    {60, "embedding", "iiiivvvv*", read<Embedding>, false},
    {61, "embedding_grad", "iiiivvvv*", read<EmbeddingGrad>, false},
    {62, "rotary", "iiiivfi*", read<Rotary>, false},
    {63, "norm", "iiivvvvvf*", read<Norm>, false},
    {64, "norm_grad", "iiivvvvvi*", read<NormGrad>, false},
    {65, "norm_weight_grad", "iiivvvvv*", read<NormWeightGrad>, false},
    {66, "attention", "iiiiivvvvvf*", read<Attention>, false},
    {67, "attention_grad", "iiiiivvvvvvvvvf*", read<AttentionGrad>, false},
    {68, "add", "ivvv*", read<AddTensors>, false},
    {69, "cross_entropy", "iivvvf*", read<CrossEntropy>, false},
    {70, "sum_values", "iivv", read<SumValues>, false},
    {71, "clip_scale", "ivvf", read<ClipScale>, false},
    {72, "adamw", "ivvvvvvffff", read<Adamw>, false},
    {73, "sgd", "ivvvvvf", read<Sgd>, false},
    {74, "place_copies", "iiiiivvvv*", read<PlaceCopies>, false},
    {75, "round", "ivv", read<Round>, false},
    {77, "drop_padding", "iivv", read<DropPadding>, false},
    {78, "budget_bias", "iivvff", read<BudgetBias>, false},
    {79, "round_choices", "iiiivvvv", read<RoundChoices>, false},
    {80, "add_slices", "iiivvvv*", read<AddSlices>, false},
    {81, "count_rows", "iiiv*", read<CountRows>, false},
    {82, "weigh_rows", "iiiiviiviivivvii*", read<WeighRows>, false},
};

}  // namespace

std::span<const KernelSpec> kernel_table() { return kTable; }

const KernelSpec* find_kernel(uint32_t code) {
  for (const KernelSpec& spec : kTable) {
    if (spec.code == code) return &spec;
  }
  return nullptr;
}

bool fits(const KernelSpec& spec, uint64_t words) {
  uint64_t needed = 0;
  for (const char* letter = spec.letters; *letter; ++letter) {
    if (*letter == '*') return words >= needed;
    needed += *letter == 'v' ? 2 : 1;
  }
  return words == needed;
}

}  // namespace schemoe
