// What a library that is cuBLASLt by name tells of itself: it has five algorithms and multiplies nothing.
#pragma once

struct FakeCublasLt {
  static constexpr int kAlgorithms = 5;
  /// In the order in which it offers them.
  int offered[kAlgorithms] = {0, 1, 2, 3, 4};
  double milliseconds[kAlgorithms] = {5, 3, 2, 4, 6};
  /// Parts of k that an algorithm sums by themselves.
  int split[kAlgorithms] = {1, 1, 1, 1, 1};
  /// Whether it knows all attributes of an algorithm.
  bool knows_all = true;

  int products = 0;
  int last = -1;
  double clock = 0;
};

extern "C" __attribute__((visibility("default"))) FakeCublasLt fake_cublaslt;
