/** What a tutorial must show, by patterns that some output must match, its text or any MIME type. */
export const expectations: Readonly<Record<string, readonly RegExp[]>> = {
  "01-first-layer.ipynb": [/<svg[^]*<rect[^]*<\/svg>/, /makespan/],
  "02-your-own-scheduler-and-all-to-all.ipynb": [
    /<svg[^]*<rect[^]*<\/svg>/,
    /proven: pairs moves 64 slices in 8 phases on 8 ranks/,
    /same bits: true/,
    /^fasterMoE +[\d.]+ ms +[\d.]+ ms$/m,
    /^pairs +[\d.]+ ms +[\d.]+ ms$/m,
    /rank 0 ends with slice 1 of rank 1's input in slice 1 of its output/,
    /rank 2 receives 0 times from it/,
    /reads scratch slice \d in phase "home" while another step in phase "step \d" may write it/,
    /task combine at position 0 is too early/,
    /task combine is missing/,
    /task gate is double/,
    /none called "despatch"/,
  ],
  "06-ten-thousand-gpus.ipynb": [
    /calibration:\n- NVSwitch .*TACCL/,
    /^ 16384 ranks: \w+, [\d.]+ ms$/m,
    /is best up to nodes [\d.]+, \w+ from there on/,
    /is best up to inter\.bandwidth \d+ bytes\/s/,
    /<svg[^]*<path[^]*<\/svg>/,
    /^one straggler +[\d.]+ ms, bound [\d.]+ ms$/m,
    /^16 pieces a layer: backward [\d.]+ ms$/m,
  ],
  "03-onnx-experts.ipynb": [
    /onnx\(8 models\)/,
    /top2-relu\.expert-0\.onnx takes 32 columns/,
    /<svg[^]*<rect[^]*<\/svg>/,
    /largest difference to the first: (0|[\d.]+e-([89]|\d\d))/,
    /is forward only/,
  ],
};
