// thin.h: products with few rows, bound by reading B: no packing, B is read once, as it lies.
//
// Takes the operands and epilogue of gemm.h. B must be contiguous along k or along its columns.
#ifndef KW_THIN_H
#define KW_THIN_H

namespace kw {

// c[r * ldc + j] = sum over k of a[r * lda + p] b(j, p), where row j of b is contiguous.
template <int Rows, class B>
static void dot_rows(const B &op, const typename B::type *b, long stride, long cols, long k,
                     const float *a, long lda, float *c, long ldc) {
  constexpr int Cols = Rows <= 4 ? 4 : 2;
  for (long j = 0; j < cols; j += Cols) {
    const typename B::type *from[Cols];  // the last columns once more rather than none
    for (int l = 0; l < Cols; l++) from[l] = b + min_long(j + l, cols - 1) * stride;
    vf sum[Rows][Cols];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; r++)
#pragma GCC unroll 4
      for (int l = 0; l < Cols; l++) sum[r][l] = vf{};
    long p = 0;
    for (; p + WIDTH <= k; p += WIDTH) {
      vf bv[Cols];
#pragma GCC unroll 4
      for (int l = 0; l < Cols; l++) bv[l] = op.map(load<vf>(from[l] + p));
#pragma GCC unroll 8
      for (int r = 0; r < Rows; r++) {
        vf av = load<vf>(a + r * lda + p);
#pragma GCC unroll 4
        for (int l = 0; l < Cols; l++) sum[r][l] += av * bv[l];
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < Rows; r++)
#pragma GCC unroll 4
      for (int l = 0; l < Cols; l++) {
        float total = hsum(sum[r][l]);
        for (long q = p; q < k; q++) {
          KW_TAIL;
          total += a[r * lda + q] * op.map(load<float>(from[l] + q));
        }
        if (j + l < cols) c[r * ldc + j + l] = total;
      }
  }
}

// c[r * ldc + j] = sum over k of a[r * lda + p] b(p, j), where row p of b is contiguous.
template <int Rows, int Vecs, class B>
KW_INLINE void sum_columns(const B &op, const typename B::type *b, long stride, long k, const float *a,
                           long lda, float *c, long ldc) {
  vf sum[Rows][Vecs];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < Vecs; v++) sum[r][v] = vf{};
  for (long p = 0; p < k; p++) {
    vf bv[Vecs];
#pragma GCC unroll 8
    for (int v = 0; v < Vecs; v++) bv[v] = op.map(load<vf>(b + p * stride + v * WIDTH));
#pragma GCC unroll 8
    for (int r = 0; r < Rows; r++) {
      vf av = set<vf>(a[r * lda + p]);
#pragma GCC unroll 8
      for (int v = 0; v < Vecs; v++) sum[r][v] += av * bv[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < Vecs; v++) store(c + r * ldc + v * WIDTH, sum[r][v]);
}
template <int Rows, class B>
static void sum_rows(const B &op, const typename B::type *b, long stride, long cols, long k,
                     const float *a, long lda, float *c, long ldc) {
  constexpr int Vecs = WIDTH < 16 || Rows > 4 ? 2 : 4;
  long j = 0;
  for (; j + Vecs * WIDTH <= cols; j += Vecs * WIDTH)
    sum_columns<Rows, Vecs>(op, b + j, stride, k, a, lda, c + j, ldc);
  for (; j + WIDTH <= cols; j += WIDTH) sum_columns<Rows, 1>(op, b + j, stride, k, a, lda, c + j, ldc);
  for (; j < cols; j++)
    for (int r = 0; r < Rows; r++) {
      float total = 0;
      for (long p = 0; p < k; p++) {
        KW_TAIL;
        total += a[r * lda + p] * op.map(load<float>(b + p * stride + j));
      }
      c[r * ldc + j] = total;
    }
}

// epilogue(V sums, b, i, j) for every vector of C; s.m is Rows.
template <int Rows, class A, class B, class Epilogue>
static void gemm_thin(sizes s, const A &a, const B &b, const Epilogue &epilogue, long nc, int threads) {
  if (s.batch * s.n == 0) return;
  const long blocks = (s.n + nc - 1) / nc;
  task_ranges tasks(s.batch * blocks, threads);
#pragma omp parallel num_threads(tasks.threads)
  {
    static thread_local arena memory;
    float *rows = memory.floats(Rows * (s.k + nc + WIDTH)), *c = rows + Rows * s.k;
    long task, packed = -1;
    while ((task = tasks.take(omp_get_thread_num())) >= 0) {
      const long batch = task / blocks, j0 = task % blocks * nc, cols = min_long(nc, s.n - j0);
      if (packed != batch) pack_strip<Rows>(a, batch, 0, Rows, 0, s.k, rows, s.k);
      packed = batch;
      const typename B::type *from = b.at(batch) + j0 * b.col;
      if (b.row == 1) dot_rows<Rows>(b, from, b.col, cols, s.k, rows, s.k, c, nc);
      else sum_rows<Rows>(b, from, b.row, cols, s.k, rows, s.k, c, nc);
      finish_block(epilogue, c, nc, batch, 0, Rows, j0, cols);
    }
  }
}

}  // namespace kw
#endif
