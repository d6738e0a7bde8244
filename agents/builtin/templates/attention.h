// attention.h: softmax(scale Q K^T + mask) V in one pass over K and V, fp32 inside.
//
// For each (batch, head) a thread packs K^T and V into column panels once; blocks of query rows then
// run over tiles of keys with a running maximum and sum (Milakov and Gimelshein's online softmax), so
// that scores live in L1 only. Both products use the micro-kernel of gemm.h.
//
// `score(V s, b, h, i, j)` changes scaled scores (masks, biases, soft caps). `diagonal` hides keys with
// j > i + diagonal: tiles wholly hidden are skipped, unless V holds Inf or NaN, which a product with
// a zero probability would turn into NaN. A row with no visible key gives 0 / 0 = NaN, as softmax does,
// or 0 where `ZeroIfEmpty`.
#ifndef KW_ATTENTION_H
#define KW_ATTENTION_H

namespace kw {

struct attention_sizes {
  long batch, heads, kv_heads, queries, keys, head_dim, value_dim;
};
constexpr long ALL_KEYS = 1L << 60;

// Element (b, h, s, d) at base[b * batch + h * head + s * seq + d * dim].
template <class T> struct tensor4 {
  T *base;
  long batch, head, seq, dim;
  KW_INLINE_MEMBER T *at(long b, long h) const { return base + b * batch + h * head; }
};
// One row of scores becomes probabilities against the running maximum; returns what to scale the
// row's earlier sums by. `seen` columns are in range; the rest up to `width` become zero.
template <int Degree, bool Scored, class Score>
KW_INLINE float softmax_step(float *s, long seen, long width, float scale, const Score &score, long b,
                             long h, long i, long j0, float &top, float &sum) {
  const float low = -__builtin_inff();
  const long full = seen / WIDTH * WIDTH, end = round_up(seen, WIDTH);
  vf peak = set<vf>(low);
  for (long j = 0; j < full; j += WIDTH) {
    vf x = load<vf>(s + j) * scale;
    if constexpr (Scored) store(s + j, x = score(x, b, h, i, j0 + j));
    peak = max_fast(x, peak);
  }
  if (full < end) {
    for (long j = full; j < seen; j++) {
      KW_TAIL;
      if constexpr (Scored) s[j] = score(s[j] * scale, b, h, i, j0 + j);
    }
    for (long j = seen; j < end; j++) s[j] = Scored || scale > 0 ? low : -low;
    peak = max_fast(Scored ? load<vf>(s + full) : load<vf>(s + full) * scale, peak);
  }
  const float before = top;
  top = max_fast(hmax(peak), before);
  const float shift = top == low ? 0.0f : top;
  vf total{};
  for (long j = 0; j < end; j += WIDTH) {
    vf x = load<vf>(s + j);
    vf p = exp<Degree>(Scored ? x - shift : x * scale - shift);
    store(s + j, p);
    total += p;
  }
  for (long j = end; j < width; j++) s[j] = 0;
  const float rescale = before == top ? 1.0f : exp<Degree>(before - shift);
  sum = sum * rescale + hsum(total);
  return rescale;
}

// out[d] = o[d] / sum
template <bool ZeroIfEmpty, class T>
KW_INLINE void store_row(const float *o, float sum, long value_dim, T *to, long stride) {
  const float norm = ZeroIfEmpty && sum == 0.0f ? 0.0f : 1.0f / sum;
  long d = 0;
  if (stride == 1)
    for (; d + WIDTH <= value_dim; d += WIDTH) store(to + d, load<vf>(o + d) * norm);
  for (; d < value_dim; d++) {
    KW_TAIL;
    store(to + d * stride, o[d] * norm);
  }
}

template <int Rows, int Vecs, int HeadDim, int KeyTile, int Degree, bool Scored, bool ZeroIfEmpty,
          class T, class Score>
static void attention(attention_sizes n, tensor4<const T> q, tensor4<const T> k, tensor4<const T> v,
                      tensor4<T> out, float scale, long diagonal, const Score &score, long query_block,
                      int threads) {
  constexpr long panel = Vecs * WIDTH;
  static_assert(KeyTile % panel == 0, "tiles of keys are whole panels");
  constexpr int ldq = HeadDim + 16, lds = KeyTile + 16;
  if (n.batch * n.heads * n.queries * n.value_dim == 0) return;
  const long block = max_long(query_block / Rows, 1) * Rows;
  const long blocks = (n.queries + block - 1) / block, group = n.heads / n.kv_heads;
  const long keys = round_up(n.keys, panel), ldo = round_up(n.value_dim, panel);
  task_ranges tasks(n.batch * n.heads * blocks, threads);
#pragma omp parallel num_threads(tasks.threads)
  {
    static thread_local arena memory;
    float *kp = memory.floats(keys * HeadDim + keys * ldo + block * (ldq + lds + ldo + 2));
    float *vp = kp + keys * HeadDim, *qs = vp + keys * ldo, *s = qs + block * ldq;
    float *o = s + block * lds, *top = o + block * ldo, *sum = top + block;
    long packed = -1, task;
    bool skippable = true;
    while ((task = tasks.take(omp_get_thread_num())) >= 0) {
      const long i0 = task % blocks * block, h = task / blocks % n.heads, b = task / blocks / n.heads;
      const long rows = min_long(block, n.queries - i0), source = b * n.kv_heads + h / group;
      if (packed != source) {
        typedef packed_matrix<Vecs, matrix_view<T>> packer;
        packer{{k.at(b, h / group), k.dim, k.seq}}.pack(0, 0, HeadDim, 0, n.keys, kp);
        packer{{v.at(b, h / group), v.seq, v.dim}}.pack(0, 0, n.keys, 0, n.value_dim, vp);
        skippable = all_finite(vp, n.keys * ldo);
        packed = source;
      }
      matrix_view<T> queries{q.at(b, h), q.seq, q.dim};
      for (long i = 0; i < rows; i += Rows)
        pack_strip<Rows>(queries, 0, i0 + i, min_long(Rows, rows - i), 0, HeadDim, qs + i * ldq, ldq);
      for (long i = 0; i < block * ldo; i++) o[i] = 0;
      for (long i = 0; i < block; i++) {
        top[i] = -__builtin_inff();
        sum[i] = 0;
      }
      const long last = diagonal >= ALL_KEYS ? n.keys : i0 + rows + diagonal;  // first hidden from all
      const long stop = skippable ? min_long(n.keys, max_long(last, 0)) : n.keys;
      for (long j0 = 0; j0 < stop; j0 += KeyTile) {
        const long cols = min_long(KeyTile, stop - j0);
        for (long i = 0; i < rows; i += Rows) {
          for (long j = 0; j < cols; j += panel)
            micro_kernel<Rows, Vecs, ldq>(HeadDim, qs + i * ldq, kp + (j0 + j) * HeadDim,
                                          s + i * lds + j, lds, false);
          for (long r = i; r < min_long(i + Rows, rows); r++) {
            long seen = cols;
            if (diagonal < ALL_KEYS) seen = max_long(min_long(cols, i0 + r + diagonal + 1 - j0), 0);
            float rescale = softmax_step<Degree, Scored>(s + r * lds, seen, cols, scale, score, b, h,
                                                         i0 + r, j0, top[r], sum[r]);
            if (rescale != 1.0f)
              for (long d = 0; d < ldo; d += WIDTH)
                store(o + r * ldo + d, load<vf>(o + r * ldo + d) * rescale);
          }
          for (long d = 0; d < n.value_dim; d += panel)
            micro_kernel<Rows, Vecs, lds>(cols, s + i * lds, vp + d * n.keys + j0 * panel,
                                          o + i * ldo + d, ldo, true);
        }
      }
      for (long r = 0; r < rows; r++)
        store_row<ZeroIfEmpty>(o + r * ldo, sum[r], n.value_dim, out.at(b, h) + (i0 + r) * out.seq,
                               out.dim);
    }
  }
}

// Few queries (decoding): the Rows queries that share a key head, (group, query) by (group, query), in
// one go, K and V read once as they lie. Their dimension must be contiguous.
template <int Rows, int HeadDim, int Degree, bool Scored, bool ZeroIfEmpty, class T, class Score>
static void attention_thin(attention_sizes n, tensor4<const T> q, tensor4<const T> k,
                           tensor4<const T> v, tensor4<T> out, float scale, long diagonal,
                           const Score &score, int threads) {
  if (n.batch * n.heads * n.value_dim == 0) return;
  const long group = n.heads / n.kv_heads, lds = round_up(n.keys, WIDTH);
  const long ldo = round_up(n.value_dim, WIDTH);
  task_ranges tasks(n.batch * n.kv_heads, threads);
#pragma omp parallel num_threads(tasks.threads)
  {
    static thread_local arena memory;
    float *qs = memory.floats(Rows * (HeadDim + lds + ldo)), *s = qs + Rows * HeadDim;
    float *o = s + Rows * lds, sum[Rows];
    long task;
    while ((task = tasks.take(omp_get_thread_num())) >= 0) {
      const long b = task / n.kv_heads, first = task % n.kv_heads * group;
      const matrix_view<T> keys{k.at(b, task % n.kv_heads), 1, k.seq};
      const matrix_view<T> values{v.at(b, task % n.kv_heads), v.seq, 1};
      for (long r = 0; r < Rows; r++)
        for (long d = 0; d < HeadDim; d++)
          qs[r * HeadDim + d] =
              load<float>(q.at(b, first + r / n.queries) + r % n.queries * q.seq + d * q.dim);
      dot_rows<Rows>(keys, keys.base, k.seq, n.keys, HeadDim, qs, HeadDim, s, lds);
      for (long r = 0; r < Rows; r++) {
        const long i = r % n.queries;
        const long seen = diagonal < ALL_KEYS ? max_long(min_long(n.keys, i + diagonal + 1), 0) : n.keys;
        float top = -__builtin_inff();
        sum[r] = 0;
        softmax_step<Degree, Scored>(s + r * lds, seen, n.keys, scale, score, b, first + r / n.queries, i,
                                     0, top, sum[r]);
      }
      sum_rows<Rows>(values, values.base, v.seq, n.value_dim, n.keys, s, lds, o, ldo);
      for (long r = 0; r < Rows; r++)
        store_row<ZeroIfEmpty>(o + r * ldo, sum[r], n.value_dim,
                               out.at(b, first + r / n.queries) + r % n.queries * out.seq, out.dim);
    }
  }
}

}  // namespace kw
#endif
