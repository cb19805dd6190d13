/*
 * The C interface between the TypeScript side and the engines.
 *
 * The library knows buffers, kernels, lanes and events. It does not know what a scheduler, an
 * all-to-all algorithm or a chunk is. Every entry that can fail returns a schemoe_status and fills the
 * caller's schemoe_failure (which may be null). Nothing is ever printed.
 *
 * Handles of engines and Programs are numbers that are used once: those of something closed or released
 * are refused with a status, whenever and in whatever order.
 */
#ifndef SCHEMOE_H
#define SCHEMOE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SCHEMOE_ABI_VERSION 3u
#define SCHEMOE_PROGRAM_MAGIC 0x454f4d53u /* "SMOE" */
#define SCHEMOE_NULL_BUFFER UINT64_MAX
#define SCHEMOE_NONE UINT32_MAX

typedef enum schemoe_status {
  SCHEMOE_OK = 0,
  SCHEMOE_INVALID = 1,      /* an argument or a Program is malformed */
  SCHEMOE_OUT_OF_MEMORY = 2,
  SCHEMOE_CANCELLED = 3,    /* schemoe_cancel was called */
  SCHEMOE_TIME_LIMIT = 4,   /* the run took longer than its limit; the text names what it waited for */
  SCHEMOE_HOST_FAILED = 5,  /* a host kernel's function failed */
  SCHEMOE_UNSUPPORTED = 6,  /* this engine or build cannot do that */
  SCHEMOE_DEVICE = 7,       /* a CUDA, cuBLAS or NCCL call failed */
  SCHEMOE_CLOSED = 8,       /* the run ended before (schemoe_host_wait), or the engine is closing */
  SCHEMOE_BUSY = 9,         /* a run is in progress */
  SCHEMOE_PEER = 10,        /* another process is gone, does not answer or runs another Program */
  SCHEMOE_NOT_FINITE = 11,  /* a run that was told to look for them made a NaN or an infinity */
  SCHEMOE_NO_ROOM = 12      /* rows that a run counted are more than its Program has room for (count_rows) */
} schemoe_status;

/*
 * What went wrong, and where: fields that do not apply are SCHEMOE_NONE. The caller, who knows names,
 * composes the message; `text` names none of what the fields say. All zero-terminated UTF-8.
 */
typedef struct schemoe_failure {
  uint32_t status; /* schemoe_status; SCHEMOE_OK: the call succeeded, and the rest says nothing */
  uint32_t task;   /* schemoe_operation.task */
  uint32_t rank;
  uint32_t buffer;
  char text[1008]; /* one line without a final period */
  char unfinished[256]; /* of a run that was ended: what its first unfinished task (`task` on `rank`) was
                           about, such as "(compute lane) waits for its host function"; else empty */
} schemoe_failure;

typedef enum schemoe_engine_kind { SCHEMOE_CPU = 0, SCHEMOE_CUDA = 1 } schemoe_engine_kind;
typedef enum schemoe_flag { /* CUDA only */
  SCHEMOE_TF32 = 1,      /* float32 products may round to TF32 */
  SCHEMOE_NO_GRAPHS = 2, /* each operation is enqueued in every run, none is launched as part of a graph */
  SCHEMOE_NO_TIMES = 4,  /* events stay zero: what a run takes without them */
  SCHEMOE_NO_TUNING = 8  /* products take the algorithm that cuBLASLt names first; none are measured */
} schemoe_flag;
/* Bits of schemoe_operation.flags. */
typedef enum schemoe_operation_flag {
  SCHEMOE_COMMUNICATION = 1,
  /* What each of its kernels computes is looked at. Where there was a NaN or an infinity, or a value that a
     codec cannot represent, the run goes on to its end, in which nothing is hidden, and then fails with
     SCHEMOE_NOT_FINITE, naming the first operation in the Program's order, and its buffer.
     Kernels that only move bytes are not looked at, and what the host writes only by kernel 29. */
  SCHEMOE_CHECK_NUMBERS = 2
} schemoe_operation_flag;
typedef enum schemoe_lane { SCHEMOE_COMPUTE = 0, SCHEMOE_INTRA = 1, SCHEMOE_INTER = 2 } schemoe_lane;
typedef enum schemoe_dtype { SCHEMOE_F32 = 0, SCHEMOE_BF16 = 1 } schemoe_dtype;
typedef enum schemoe_activation {
  SCHEMOE_IDENTITY = 0,
  SCHEMOE_RELU = 1,
  SCHEMOE_GELU = 2,      /* exact, with erf */
  SCHEMOE_GELU_TANH = 3,
  SCHEMOE_SILU = 4,
  SCHEMOE_RELU_SQUARED = 5, /* max(x, 0)^2 */
  SCHEMOE_CLAMPED_SWIGLU = 6, /* of two (glu alone): g sigmoid(1.702 g) (u + 1), g = min(a, 7), u = b in [-7, 7] */
  SCHEMOE_LIMITED_SWIGLU = 7 /* of two: g sigmoid(g) u, g = min(a, 10), u = b in [-10, 10] */
} schemoe_activation;
typedef struct schemoe_engine schemoe_engine;
typedef struct schemoe_program schemoe_program;

typedef struct schemoe_config {
  uint32_t abi_version;
  uint32_t kind; /* schemoe_engine_kind */
  uint32_t nodes;
  uint32_t ranks_per_node;
  uint32_t flags; /* schemoe_flag */
  uint32_t reserved[3];
} schemoe_config;

/* One operation that ran; nanoseconds from the start of the run. */
typedef struct schemoe_event {
  uint64_t ready_ns; /* all dependencies done */
  uint64_t start_ns; /* begun: a phase posted its transfers */
  uint64_t end_ns;
  uint64_t wait_ns; /* of end - start, time spent waiting for a peer to post */
} schemoe_event;

/*
 * A packed Program, little endian, sections in this order without gaps, each a multiple of 8 bytes:
 * header, operations, waits (uint32, padded), words (uint64), regions, names (zero-terminated UTF-8, none
 * empty, padded with zeros): of the Program, then of each task from 0 to the last. Where there are names, each run and each
 * operation is an NVTX range of the domain "schemoe" on the host thread that works on it, and no CUDA
 * graph is used; a library without NVTX then refuses the Program with SCHEMOE_UNSUPPORTED.
 */
typedef struct schemoe_program_header {
  uint32_t magic;
  uint32_t abi_version;
  uint32_t ranks;
  uint32_t operations;
  uint32_t waits;
  uint32_t words;
  uint32_t names; /* bytes, a multiple of 8; 0: no names and no NVTX ranges */
  uint32_t regions;
} schemoe_program_header;

/*
 * Bytes of a buffer that are a buffer of their own to kernels: a view of buffer SCHEMOE_FIRST_REGION + i is one
 * of region i, and touching bytes beyond it is refused. Regions may lie over each other: buffers that are not
 * needed at the same time share memory so.
 */
#define SCHEMOE_FIRST_REGION 0x80000000u
typedef struct schemoe_region {
  uint32_t buffer;
  uint32_t reserved;
  uint64_t begin;
  uint64_t bytes;
} schemoe_region;

/*
 * Operations come in the total order; those of one rank and lane run in that order. An operation
 * waits until the operations named in its waits (indices smaller than its own, any rank) are done.
 * Transfers of one `task` meet across ranks: the k-th send from i to j meets the k-th receive of j
 * from i. They start when both sides have posted. If seconds >= 0 the operation is paced: it ends
 * that long after all its peers have posted (a phase) or after it began (anything else), or when
 * its real work is done, whichever is later.
 */
typedef struct schemoe_operation {
  uint32_t task;
  uint32_t rank;
  uint32_t lane;
  uint32_t first_wait;
  uint32_t waits;
  uint32_t first_word;
  uint32_t words;
  uint32_t flags; /* schemoe_operation_flag */
  double seconds; /* negative: not paced */
} schemoe_operation;

/*
 * Words of an operation: kernels one after another, each a head word (code | argument words << 32)
 * followed by its arguments: an integer as int64, a float as the bits of a double, a view as two
 * words (buffer id or SCHEMOE_NULL_BUFFER, byte offset). All matrices are row-major; ld and strides
 * count elements; "A(v ld stride)" is the matrix of group g at view + g * stride. Groups that are written
 * have a stride of their own: with 0 they would lie at one place.
 *
 * Kernels 2 to 6, 29 and 82 take groups with numbers of rows of their own too: then 2 * groups integers follow,
 * the first row and the rows of each group among the rows of all matrices, whose stride is 0; `rows` is
 * the sum, and groups come one after another. In place of these integers, and of the bounds of kernels 13, 14 and
 * 25, the number of a table may follow that kernel 81 counts before on the same lane of the rank.
 *
 *  1 gemm        dtypeAB dtypeC transA transB groups m n k A(v ld stride) B(v ld stride) C(v ld stride) alpha beta
 *                bias(v|null stride) relu
 *                C[m,n] = alpha op(A)[m,k] op(B)[k,n] + beta C + bias[n]; with beta = 0 C is not read; with
 *                relu what is below 0 becomes 0, as in all activations NaN stays NaN. The sum is rounded to C's type once, which is the bias's.
 *                dtypeAB is a schemoe_dtype, or 2: A is bfloat16 and B float32, or 3: the other way round
 *  2 bias_act    dtype groups rows columns X(v ld stride) bias(v|null stride) Y(v|null ld stride) activation
 *                X += bias (in place); Y = activation(X)
 *  3 act_grad    dtype groups rows columns dY(v ld stride) X(v ld stride) dX(v ld stride) activation
 *                dX = dY * activation'(X); dX may be dY
 *  4 glu         dtype groups rows columns A(v ld stride) B(v ld stride) Y(v ld stride) activation
 *                Y = activation(A) * B
 *  5 glu_grad    dtype groups rows columns dY(..) A(..) B(..) dA(..) dB(..) activation
 *  6 column_sum  dtype groups rows columns X(v ld stride) out(v stride) accumulate
 *                out[g][j] (float32) = (accumulate ? out : 0) + sum over rows in order
 *  7 softmax     rows columns X(v) Y(v)                                    float32
 *  8 top_k       tokens experts k normalize logits(v|null) scores(v) choices(v) weights(v)
 *                choices int32 and weights [tokens, k], best score first, among equals (such as scores that
 *                underflow to 0) the larger logit where they are given, then the lower expert; NaN before
 *                all others;
 *                normalize and k > 1: weights divided by their sum
 *  9 positions   tokens experts k prioritized scores(v) choices(v) positions(v) loads(v)
 *                positions int32 [tokens, k]: place in the expert, all first choices before all second
 *                ones; in token order, or by descending best score (ties in token order, NaN as infinity);
 *                loads int32 [experts] counts all choices
 * 10 aux_loss    tokens experts k scores(v) choices(v) loss(v)
 *                loss[0] = experts * sum_e mean_t(score) * mean_t(first choice is e)
 * 11 slots       tokens k experts capacity choices(v) positions(v) slots(v)
 *                slots int32 [experts * capacity]: token * k + choice in each place, or -1
 *
 * Rows (expert e, place c) of the next ones lie chunk after chunk: with bounds b_0 = 0 < ... < b_r =
 * capacity and b_i <= c < b_i+1, row = experts * b_i + e * (b_i+1 - b_i) + (c - b_i). The bounds are
 * the trailing integers: r, b_0, ..., b_r. Where only the places that are taken have rows, r * experts
 * + 1 more follow: the first row f_ie of each (chunk i, expert e) and the end, so that row = f_ie + c -
 * b_i; a choice without a row is then an error (12 takes no such rows, 25 does).
 *
 * 12 dispatch    dtype tokens columns k experts X(v) slots(v) weights(v|null) out(v) bounds...
 *                out row = X[token] (* weights[token, choice]), zero where the slot is -1
 * 13 combine     dtype tokens columns k experts in(v) choices(v) positions(v) weights(v|null) Y(v) accumulate bounds...
 *                Y[token] = (accumulate ? Y : 0) + sum over choices in order of (weight *) row; a
 *                choice whose position >= capacity contributes nothing
 * 14 row_dot     dtype tokens columns k experts A(v) B(v) choices(v) positions(v) out(v) bounds...
 *                out[token, choice] (float32) = dot(A[token], row of B), 0 for a dropped choice
 * 15 gate_grad   tokens experts k normalize scores(v) choices(v) weights(v) dWeights(v) dLogits(v) auxWeight
 *                through normalization, top-k, auxiliary loss and softmax
 * 16 encode      dtype codec parameter seed blocks groups rows columns X(v blockStride groupStride rowStride) wire(v blockBytes)
 *                firstNumber blockStep groupStep groupRows...
 *                wire block b holds rows (group, row) in that order. The codec is the 32-bit FNV-1a hash of a name in
 *                `schemoe_describe`, which gives the bounds of the parameter too; a codec that codes several rows together never mixes groups. A seed
 *                that is not 0 rounds at random where the codec can: the bits depend on it, the column and
 *                the row's number firstNumber + b * blockStep + g * groupStep + r. Groups may have
 *                numbers of rows of their own (groupRows, one for each): they then follow each other in X,
 *                and `rows` is the sum. A value that the codec cannot represent is an error
 * 17 decode      the same arguments; writes X from wire
 * 18 sum_ranks   ranks count stride in(v) out(v) [dtype]  out[i] = sum over r in order of in[r * stride + i], in float32 (of
 *                bfloat16 rounded once); at most 65536 ranks
 * 19 max_ranks   ranks in(v) out(v)                  int32
 * 20 fill        count out(v) value                  float32
 * 21 max_load    experts loads(v) out(v)             int32
 * 22 host        id                                  waits until schemoe_host_done
 * 23 copy_bytes  bytes from(v) to(v)
 * 24 gemm_groups dtypeAB dtypeC transA transB groups m n k A(v ld stride) B(v ld stride) C(v ld stride) alpha beta
 *                bias(v|null stride) relu ranges...
 *                as gemm, groups having numbers of rows of their own (ranges as for kernels 2 to 6, not
 *                optional): without transA those of A and C, m being the sum; with transA those of A and
 *                B, k being the sum, so that a group without rows has C = beta C. transA and transB
 *                exclude each other; the stride of what has ragged rows is 0
 * 25 place_tokens dtype tokens columns k experts X(v) choices(v) positions(v) weights(v|null) out(v) bounds...
 *                out[row of each choice] = X[token] (* weights[token, choice]); nothing else is written
 * 26 group_rows  dtype bySource columns ranks experts firstSource sources begin end wire(v) rows(v) loads...
 *                loads: rows n of each (rank, local expert). From the wire, where the places begin <= c <
 *                min(n, end) of each (source, expert) follow each other, sources from firstSource on, to
 *                the rows of the experts: expert after expert, in it place after place and in a place
 *                source after source; or with bySource source after source
 * 27 ungroup_rows the same arguments; writes the wire from the rows
 * 28 random_normal dtype count first seed stream out(v) scale
 *                out[i] = scale * number first + i of (seed, stream): independent of count, first and the
 *                engine, bit for bit. Numbers 4b to 4b + 3 come from the Philox4x32-10 block (Salmon et al.,
 *                SC'11) of counter {b low, b high, stream low, stream high} and key {seed low, seed high},
 *                whose words are u0, a0, u1, a1: with v = (u + 1) / 2^32, sqrt(-2 ln v) * (cos, sin)(2 pi a /
 *                2^32) (Box and Muller). In float32 by formulas of this library's own, within 4e-7 relative
 *                of the exact radius and 1.2e-7 of the exact cosine; no number is beyond 6.7. bfloat16 is that
 *                float32 rounded to nearest even
 * 29 check_numbers dtype groups rows columns X(v ld stride)
 *                notes the first element that is NaN or infinite, see SCHEMOE_CHECK_NUMBERS
 * 30 call_source number function threads output buffers(v|null bytes, 6 times) numbers...
 *                calls a function of a source that schemoe_load_source loaded, with its buffers and at most 8
 *                numbers; on CUDA by at least `threads` threads. `output`, counted from 1, is the one buffer that it
 *                writes, all bytes of it (0: not known): writing less or beside it, and another result of the same
 *                call, is an error
 * 40 route       tokens rows k scores choose groups groupLimit normalize logits(v) bias(v|null) scores(v) choices(v)
 *                weights(v) scale: scores of logits [tokens, rows] (0 softmax, 1 sigmoid, 2 square root of
 *                softplus, 3 the logits, weights then being the softmax over those chosen, 4 relu); choices int32
 *                [tokens, k] (choose 0: the largest scores + bias among the rows of the groupLimit groups whose two
 *                largest have the largest sums, equal ones by larger logit, then lower row, NaN before all; 1: what
 *                the buffer holds, -1 being none; 2: row c or, where its score is 0, -1 (k = rows); 3: none); weights:
 *                scores of the chosen, with normalize and k > 1 over (their sum + 1e-20), times scale
 * 41 route_grad  tokens rows k scores normalize logits(v) scores(v) choices(v) dWeights(v) importance(v|null)
 *                balance(v|null) dLogits(v) scale zWeight padding(v|null): importance[row] is added to the slope of each weight of a row,
 *                balance[row] to that of each token's probability (softmax, or score over the sum of scores + 1e-20);
 *                and the gradient of zWeight * mean over tokens of logsumexp^2. Here and below padding int32 [tokens] is other
 *                than 0 for tokens over which nothing is summed or averaged and which get no gradient
 * 42 place_choices tokens rows experts k prioritized scores(v) choices(v) targets(v) positions(v) loads(v)
 *                as positions; loads has `rows` numbers; a choice of -1 or of a row from `experts` on has target 0 and
 *                the position 2^31 - 2, others their own as target
 * 43 choose_tokens tokens experts count logits(v) scores(v) choices(v): each expert's `count` tokens of largest score (ties
 *                as in route, lower token first): choices int32 [tokens, experts] hold the expert or -1
 * 44 count_choices tokens rows k first choices(v) counts(v): float32 counts of the first `first` choices of each token
 * 45 balance_loss tokens rows scores scores(v) counts(v) balance(v) loss(v) total(v) factor weight padding(v|null): loss = factor *
 *                sum over rows of (mean probability) * counts, with padding counts over their sum; total += weight * loss;
 *                balance += its slope
 * 46 z_loss      tokens rows logits(v) loss(v) total(v) weight padding(v|null)
 * 47 importance_loss tokens rows k choices(v) weights(v) importance(v) loss(v) total(v) weight: variance over squared mean of
 *                the sums of weights of each row; importance += its slope
 * 48 load_loss   tokens rows k clean(v) spread(v) logits(v) slopes(v) loss(v) total(v) weight padding(v|null): the same of sums over
 *                tokens of Phi((clean - h) / softplus(spread)), h the k-th largest logit of the other rows; slopes = its slope
 * 49 add_noise   count clean(v) spread(v) noise(v) logits(v): logits = clean + noise * softplus(spread)
 * 50 noise_grad  tokens rows k clean(v) spread(v) noise(v) logits(v) slopes(v|null) dLogits(v) dSpread(v) padding(v|null)
 *                dLogits in place: of the noisy logits, then of the clean ones; with slopes that of 48 too
 * 51 look_up     tokens k vocabulary rows ids(v) table(v) choices(v): choices[token] = table[ids[token]]; int32
 * 52 add_identity dtype tokens columns experts k from(v) choices(v) weights(v) to(v): to[token] += from[token] * (sum of the
 *                weights of choices from `experts` on)
 * 53 identity_dots dtype tokens columns experts k a(v) b(v) choices(v) out(v): out[token, choice] = dot(a[token], b[token])
 *                for choices from `experts` on; others stay
 * 54 shift_bias  rows ranks quantile loads(v) bias(v) rate: bias += rate * sign(mean load - load); or bias = rate * bias + (1 -
 *                rate) * loads / ranks, less its mean
 * 55 quantile_bias tokens rows k logits(v) bias(v) out(v): with a_t the (k + 1)-th largest of logits[t] + bias, minus the
 *                (tokens * k / rows + 1)-th largest over tokens of logits[t] - a_t
 * 56 unit_rows   rows columns x(v) y(v) norms(v)      y = x / norm, norm at least 1e-12
 * 57 unit_rows_grad rows columns y(v) norms(v) dy(v) dx(v)
 * 58 temper      count z(v) temperature(v) dz(v|null) dTemperature(v|null): z /= temperature; or from the gradient of the result
 *                z: dTemperature, and dz /= temperature
 * 59 gated_rows  dtype tokens columns logits(v) rows(v) y(v) dRows(v|null) dLogits(v|null): y[token] += sigmoid(logits[token]) *
 *                rows[token]; or from its gradient y: dRows and dLogits
 * 74 place_copies tokens k experts slots capacity choices(v) positions(v) targets(v) places(v) table...
 *                choices int32 [tokens, k] of experts to those of slots, where experts have copies. table: where the slots of each
 *                expert begin and the end, then the slots. Of n slots the choice at position p gets slot p % n, its place there
 *                being p / n; where p >= capacity, target 0 and the place 2^31 - 2
 * 77 drop_padding tokens k padding(v) choices(v): the choices of tokens that are padding become -1
 * 78 budget_bias rows experts loads(v) bias(v) rate share: of the first `experts` rows bias += rate * (share / experts - load /
 *                (sum of all loads)); without loads none changes
 * 79 round_choices tokens experts k tile best(v) logits(v) scores(v) choices(v): of the tokens that chose an expert (int32 best
 *                [tokens, k], -1 being none) as many as the nearest multiple of a tile, half a tile up and at most floor(tokens
 *                / tile) tiles; those that chose it first, each by score (ties as in 43); choices as in 43
 * 80 add_slices  dtype unit slices in0(v) in1(v) in2(v) out(v) table...
 *                sums of slices, in units of `unit` values. table, for each of them: count, to, n, then n numbers 4 * at + i:
 *                out[to ...] = ((in_i[at ...] + next) + next) ..., rounded to dtype after each addition; n is at least 1.
 *                A sum may be written onto one of its own slices; otherwise nothing is written that is read
 * 81 count_rows  number experts rows loads(v, int32 [ranks, experts]) ranks? rank? room?
 *                from now on the table has the rows that the rank sends, its own loads, one expert after another (its bounds
 *                are those of one chunk with `rows` places an expert), and as ranges those of its experts, of which each of
 *                the ranks has as many; until then loads are about equal. Without the last three there is one rank. Tables
 *                have the numbers 0, 1, ... in the order of these kernels in the Program, each is counted once; own loads of
 *                another sum than `rows` are an error, and the experts of any rank with more than `room` rows are
 *                SCHEMOE_NO_ROOM. On CUDA what enqueues the Program waits until the lane has come to it
 * 82 weigh_rows  dtype groups rows columns D(v ld stride) A(v|null ld stride) b(v|null stride) weights(v) dots(v|null) stride
 *                accumulate
 *                dots[g][i] (float32) = (accumulate ? dots : 0) + dot(D[g][i], A[g][i] or b[g]), then D[g][i] *= weights[g][i]
 *                (float32); the weights and the dots of groups begin `stride` apart, one for each row. Without dots there is
 *                neither A nor b, with dots one of them
 * 32 copy        bytes from(v) to(v) rows?           as part of a phase
 * 33 send        peer bytes from(v) rows?
 * 34 receive     peer bytes to(v) rows?
 *                rows: number of a table, and 1 where the rows are those of the rank's experts, in the order of ranks that
 *                they are of, or 0 where they are those that it sends; the bytes are then those of a row, and the views those
 *                of all rows, of which the peer's are moved. Of a copy it is what `from` has; `to` has the other
 *
 * Training; all of float32, tokens t at position t % length of their sequence:
 * 60 embedding   tokens columns vocabulary length ids(v, int32) table(v) positions(v or null) out(v)
 *                out[t] = table[ids[t]] + positions[t % length]
 * 61 embedding_grad  the same sizes, ids(v) dy(v) table(v) positions(v or null)
 *                gradients of both tables, written whole; sums in the order of tokens
 * 62 rotary      tokens length heads dim x(v) [tokens, heads * dim] base back
 *                turns (x[i], x[i + dim/2]) by position * base^(-2i/dim) in place; back: the other way
 * 63 norm        centered rows columns x(v) weight(v) bias(v or null) y(v) statistics(v) epsilon
 *                y = (x - mean) / sqrt(var + epsilon) * weight + bias; not centered: mean is 0 (RMSNorm).
 *                statistics [rows, 2]: mean and 1 / sqrt(var + epsilon)
 * 64 norm_grad   centered rows columns dy(v) x(v) weight(v) statistics(v) dx(v) accumulate
 * 65 norm_weight_grad  centered rows columns dy(v) x(v) statistics(v) weight(v) bias(v or null)
 *                gradients of weight and bias, written whole; sums in the order of rows
 * 66 attention   batch length heads keyHeads dim q(v) k(v) v(v) out(v) logsum(v) scale
 *                causal; q, out [batch * length, heads * dim], k, v [batch * length, keyHeads * dim],
 *                logsum [batch, heads, length]: log of the sum of exp(scores). Memory beside these is
 *                linear in length, time quadratic
 * 67 attention_grad  the same sizes, q k v out logsum dout dq dk dv (v each) scale
 * 68 add         count a(v) b(v) out(v)              out may be a or b
 * 69 cross_entropy  rows columns logits(v) targets(v, int32) loss(v) scale
 *                loss[row] = -log softmax(logits)[target]; logits become scale * their gradient
 * 70 sum_values  squares count x(v) out(v)           out[0] = sum of x[i], or of x[i]^2
 * 71 clip_scale  count sums(v) out(v) limit          out = {norm, factor}: norm = sqrt(sum of sums), factor
 *                limit / norm where limit > 0 and norm > limit, else 1
 * 72 adamw       count parameter gradient first second clip rates (v each) beta1 beta2 epsilon decay
 *                clip[1] scales the gradient g; rates = {lr, 1 - beta1^n, 1 - beta2^n}; m = b1 m + (1-b1) g,
 *                v = b2 v + (1-b2) g^2, p = p (1 - lr decay) - lr (m / rates[1]) / (sqrt(v / rates[2]) + epsilon)
 * 73 sgd         count parameter gradient velocity clip rates (v each) momentum
 *                v = momentum v + g, p = p - lr v
 * 75 round       count x(v, float32) out(v, bfloat16)   to nearest, ties to even
 *
 * 60 to 69 take a dtype as last argument (0: float32, 1: bfloat16; left out: float32): of all views but ids, targets,
 * weight, bias and statistics of norms, logsum, loss, and the gradients that embedding_grad and norm_weight_grad write,
 * which are float32 (or int32). Sums are float32 or double either way.
 */

/* Version of this header that the library was built from; ask before anything else. */
uint32_t schemoe_abi_version(void);

/* JSON: struct sizes and member offsets, numbers of all enums, kernel codes and argument letters, build features. */
int32_t schemoe_describe(char* text, size_t text_bytes, schemoe_failure* failure);
/* However it is opened, an engine is closed when the thread that opened it ends; the end of the process closes none. */
int32_t schemoe_open(const schemoe_config* config, schemoe_engine** engine, schemoe_failure* failure);

/* How a CUDA engine moves bytes, and which GPUs it uses. */
typedef struct schemoe_cuda {
  uint32_t transport;     /* 0: copies in the memory of the GPUs; 1: NCCL */
  uint32_t emulate_nodes; /* NCCL: each node of the world gets a copy of the library, which takes it for a host of its own */
  uint32_t max_ctas;      /* NCCL: blocks that a communicator may occupy on a GPU; 0: 2 where ranks share one, else NCCL chooses */
  uint32_t devices;       /* GPUs in the list; 0: ranks in blocks over all that the process sees */
  uint32_t slot;          /* this process is number `slot` of `slots` (0 and 1 for one) that share these GPUs */
  uint32_t slots;
  uint32_t copy_by;       /* transport 0: 0: kernels; 1: copy engines between GPUs, kernels elsewhere; 2: copy engines between any two ranks, to test them on one GPU */
  uint32_t reserved;
} schemoe_cuda;

/*
 * The same for a CUDA engine with a choice: `nccl` is the path of NCCL's library ("": where the loader
 * finds it), `devices` the GPU of each rank (null without a list).
 */
int32_t schemoe_open_cuda(const schemoe_config* config, const schemoe_cuda* cuda, const char* nccl, const uint32_t* devices, schemoe_engine** engine, schemoe_failure* failure);

/*
 * Loads a source that was compiled for engines of a kind (SCHEMOE_CPU: `image` is the path of a shared library;
 * SCHEMOE_CUDA: machine code or PTX itself) under a number from 1 to 2^53 - 1, by which kernels call it; `functions`: their names,
 * a line each. Loading what is loaded does nothing. It stays until the process ends.
 */
int32_t schemoe_load_source(uint32_t kind, uint64_t number, const char* name, const char* functions, const uint8_t* image, uint64_t bytes, schemoe_failure* failure);

/* Loads NCCL from `path` ("": where the loader finds it); its version, such as 23007, and its file. */
int32_t schemoe_nccl(const char* path, uint32_t* version, char* file, size_t file_bytes, schemoe_failure* failure);

/*
 * Cancels a run in progress, waits for all calls that are inside, and frees everything, what its
 * Programs hold too. Programs may be released before or after.
 */
int32_t schemoe_close(schemoe_engine* engine, schemoe_failure* failure);

/*
 * Gives buffer `*id` (a new one if *id is UINT32_MAX) bytes[rank] bytes on each rank, filled with
 * 0xff (float NaN) so that reading what nothing wrote shows. Contents are lost where the size changes.
 */
int32_t schemoe_allocate(schemoe_engine* engine, const uint64_t* bytes, uint32_t ranks, uint32_t* id, schemoe_failure* failure);
int32_t schemoe_free(schemoe_engine* engine, uint32_t id, schemoe_failure* failure);
int32_t schemoe_write(schemoe_engine* engine, uint32_t id, uint32_t rank, uint64_t offset, const uint8_t* data, uint64_t bytes, schemoe_failure* failure);
int32_t schemoe_read(schemoe_engine* engine, uint32_t id, uint32_t rank, uint64_t offset, uint8_t* data, uint64_t bytes, schemoe_failure* failure);
/* The same of every rank, `bytes` of each, one after another: ranks * bytes in all. */
int32_t schemoe_read_all(schemoe_engine* engine, uint32_t id, uint64_t offset, uint8_t* data, uint64_t bytes, schemoe_failure* failure);

/* Checks a packed Program completely (it may come from anywhere) and keeps a copy. */
int32_t schemoe_prepare(schemoe_engine* engine, const uint8_t* packed, uint64_t bytes, schemoe_program** program, schemoe_failure* failure);
int32_t schemoe_release(schemoe_program* program, schemoe_failure* failure);

/*
 * Runs a Program to its end and fills events[operation]. Blocks: call it nonblocking.
 * time_limit_ns 0: none. After any failure the engine can run again; buffers may hold anything.
 */
int32_t schemoe_run(schemoe_engine* engine, schemoe_program* program, uint64_t time_limit_ns, schemoe_event* events, uint64_t event_count, schemoe_failure* failure);

/*
 * Begins what schemoe_run does, on the caller's thread and without waiting: *started 1, and schemoe_end
 * follows. *started 0 where that may take long, as in the first runs of a Program, with host kernels or on
 * the CPU: nothing has begun, and schemoe_run runs it.
 */
int32_t schemoe_start(schemoe_engine* engine, schemoe_program* program, uint64_t time_limit_ns, uint32_t* started, schemoe_failure* failure);
/*
 * Ends what schemoe_start began, once it is over: *ended 1, events and failure as schemoe_run gives them.
 * While it goes on: *ended 0, or with wait != 0 blocks (call it nonblocking then).
 */
int32_t schemoe_end(schemoe_engine* engine, schemoe_event* events, uint64_t event_count, uint32_t wait, uint32_t* ended, schemoe_failure* failure);

/*
 * By how many nanoseconds the times of ranks on different GPUs of this process may be wrong to each
 * other in the events of the last run; 0 where all come from one clock.
 */
int32_t schemoe_clock_error(schemoe_engine* engine, uint64_t* error_ns, schemoe_failure* failure);

/*
 * On which processors each rank of this process computes, in `of`: GPUs, numbered from 0 in the order in which ranks first
 * use them; all on 0 where they share this machine's. `count` is the number of ranks.
 */
int32_t schemoe_processors(schemoe_engine* engine, uint32_t* of, uint32_t count, schemoe_failure* failure);

/*
 * Makes a run in progress end with SCHEMOE_CANCELLED soon. When none is, one schemoe_host_wait that
 * waits for the next run (or the first that will) returns SCHEMOE_CLOSED instead: a caller that sees
 * its run end can so end a wait that it began too late.
 */
int32_t schemoe_cancel(schemoe_engine* engine, schemoe_failure* failure);

/*
 * Blocks until a host kernel waits, and names it: operation index, rank, host id; or returns
 * SCHEMOE_CLOSED once the run that was in progress (or the next one, if none has begun) has ended.
 */
int32_t schemoe_host_wait(schemoe_engine* engine, uint32_t* operation, uint32_t* rank, uint32_t* id, schemoe_failure* failure);
/*
 * Lets the lane of that operation go on; failed != 0 ends the run with `message`. SCHEMOE_CLOSED when
 * the run has ended meanwhile, which is no mistake of the caller.
 */
int32_t schemoe_host_done(schemoe_engine* engine, uint32_t operation, uint32_t failed, const char* message, schemoe_failure* failure);

/* One process of a world: the ranks that it runs, and where it listens. Ranks follow each other. */
typedef struct schemoe_process {
  uint32_t first_rank;
  uint32_t ranks;
  uint32_t port;
  uint32_t pid;
  char host[48]; /* zero-terminated name or address */
} schemoe_process;

/*
 * Opens an engine that runs only ranks first_rank, ..., first_rank + local_ranks - 1 of a world, the
 * others being run by other processes, and listens for these at `host` on `port`, which it chooses.
 * `key`: 32 bytes that all processes of the world prove to each other to know; they are never sent. SCHEMOE_CPU only.
 */
int32_t schemoe_open_part(const schemoe_config* config, uint32_t first_rank, uint32_t local_ranks, const char* host, const uint8_t* key, uint32_t* port, schemoe_engine** engine, schemoe_failure* failure);

/* The same for ranks on GPUs, whose transfers NCCL makes: cuda->transport must be 1. */
int32_t schemoe_open_cuda_part(const schemoe_config* config, const schemoe_cuda* cuda, const char* nccl, const uint32_t* devices, uint32_t first_rank, uint32_t local_ranks, const char* host, const uint8_t* key, uint32_t* port, schemoe_engine** engine, schemoe_failure* failure);

/*
 * Connects an engine of some ranks with all others; `self` is its own place in the list. Blocks, at
 * most for the time limit, which is also how long any answer may take later: call it nonblocking.
 * From then on process 0 allocates, frees, writes and reads buffers of all ranks. All processes must
 * prepare the same Programs; a run in one ends with SCHEMOE_PEER when another is lost. After a run
 * that failed the engine can only be closed.
 */
int32_t schemoe_connect(schemoe_engine* engine, const schemoe_process* processes, uint32_t count, uint32_t self, uint64_t time_limit_ns, schemoe_failure* failure);

/*
 * In process 0: this process's steady clock, what to add to it for that of `process`, and by how much
 * that may be wrong: half of the quickest of some exchanges. Blocks: call it nonblocking.
 */
int32_t schemoe_clock(schemoe_engine* engine, uint32_t process, uint64_t* now_ns, int64_t* offset_ns, uint64_t* error_ns, schemoe_failure* failure);

/*
 * Number (rising, the same in all processes) of the next schemoe_run of this engine, and when it
 * begins, on this process's steady clock; its events count from there.
 */
int32_t schemoe_expect(schemoe_engine* engine, uint64_t run, uint64_t start_ns, schemoe_failure* failure);

#ifdef __cplusplus
}
#endif
#endif
