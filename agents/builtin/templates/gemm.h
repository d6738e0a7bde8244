// gemm.h: C = A B for any element type and stride, fp32 sums, with the epilogue fused.
//
// The loops are BLIS's: a block of B (kc x nc) is packed into column panels that stay in L2; strips of
// A (Rows x kc) are packed into L1; the micro-kernel multiplies a strip by a panel in registers. Sums
// go to a small fp32 block, which the epilogue reads while it is in cache. `gemm_tiles` hands blocks of
// C to the epilogue vector by vector, `gemm_rows` hands over complete rows.
//
// An operand type gives: `type`, `row` and `col` (element strides), `at(b)` (pointer to matrix b), and
// `map(V)` (applied to every element read). A packer of B gives `pack(b, k0, kc, j0, nc, dst)`.
#ifndef KW_GEMM_H
#define KW_GEMM_H
// GCC follows an impossible size through inlined loops and warns of it.
#pragma GCC diagnostic ignored "-Waggressive-loop-optimizations"
#include <omp.h>
#include <stdlib.h>

namespace kw {

constexpr long round_up(long x, long step) {
  return (x + step - 1) / step * step;
}
constexpr long min_long(long a, long b) {
  return a < b ? a : b;
}
constexpr long max_long(long a, long b) {
  return a > b ? a : b;
}

// Memory of the calling thread that stays between calls, so that no call pays for fresh pages.
struct arena {
  char *start = nullptr;
  size_t size = 0;
  float *floats(size_t count) {
    size_t bytes = round_up(count * sizeof(float), 4096);
    if (bytes > size) {
      free(start);
      start = (char *)aligned_alloc(4096, bytes);
      size = start ? bytes : 0;
      if (!start) abort();
    }
    return (float *)start;
  }
  ~arena() { free(start); }
};

// The rows of a strip: as many as the registers hold, less if that wastes fewer rows of the last strip.
constexpr int best_rows(long m, int most) {
  int best = most;
  long best_cost = (m + most - 1) / most * (most + 1);
  for (int rows = most - 1; rows >= 4; rows--) {
    long cost = (m + rows - 1) / rows * (rows + 1);
    if (cost < best_cost) {
      best = rows;
      best_cost = cost;
    }
  }
  return best;
}
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int MOST_ROWS = 14;  // 14 x 2 sums, 2 vectors of B, 1 of A: 31 of 32 registers
#else
constexpr int MOST_ROWS = 6;  // 6 x 2 sums, 2 vectors of B, 1 of A: 15 of 16 registers
#endif

// c[Rows][Vecs * WIDTH] (+)= a[Rows][kc] b[kc][Vecs * WIDTH]
template <int Rows, int Vecs, int Lda>
static __attribute__((noinline)) void micro_kernel(long kc, const float *a, const float *b, float *c,
                                                   long ldc, bool accumulate) {
  vf sum[Rows][Vecs];
#pragma GCC unroll 32
  for (int r = 0; r < Rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < Vecs; v++) sum[r][v] = vf{};
  for (long p = 0; p < kc; p++) {
    vf bv[Vecs];
#pragma GCC unroll 4
    for (int v = 0; v < Vecs; v++) bv[v] = load<vf>(b + v * WIDTH);
#pragma GCC unroll 32
    for (int r = 0; r < Rows; r++) {
      vf av = set<vf>(a[r * Lda]);
#pragma GCC unroll 4
      for (int v = 0; v < Vecs; v++) sum[r][v] += av * bv[v];
    }
    a++;
    b += Vecs * WIDTH;
  }
#pragma GCC unroll 32
  for (int r = 0; r < Rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < Vecs; v++) {
      float *to = c + r * ldc + v * WIDTH;
      store(to, accumulate ? load<vf>(to) + sum[r][v] : sum[r][v]);
    }
}

// An operand of one matrix, its place known at run time only.
template <class T> struct matrix_view {
  typedef T type;
  const T *base;
  long row, col;
  KW_INLINE_MEMBER const T *at(long) const { return base; }
  template <class V> KW_INLINE_MEMBER V map(V x) const { return x; }
};

static bool all_finite(const float *x, long count) {
  vf bad{};  // x - x is 0 for finite x, else NaN
  long i = 0;
  for (; i + WIDTH <= count; i += WIDTH) {
    vf v = load<vf>(x + i);
    bad += v - v;
  }
  float rest = hsum(bad);
  for (; i < count; i++) rest += x[i] - x[i];
  return rest == 0.0f;
}

// One round of a transposition: interleave the first half of the vectors with the second.
KW_INLINE void zip(vec<float, 16> a, vec<float, 16> b, vec<float, 16> *to) {
  to[0] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  to[1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
KW_INLINE void zip(vec<float, 8> a, vec<float, 8> b, vec<float, 8> *to) {
  to[0] = __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
  to[1] = __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}
KW_INLINE void zip(vec<float, 4> a, vec<float, 4> b, vec<float, 4> *to) {
  to[0] = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  to[1] = __builtin_shufflevector(a, b, 2, 6, 3, 7);
}
// WIDTH vectors of WIDTH floats, in place.
KW_INLINE void transpose(vf *v) {
  vf w[WIDTH];
#pragma GCC unroll 8
  for (int done = 1; done < WIDTH; done *= 2) {
#pragma GCC unroll 16
    for (int l = 0; l < WIDTH / 2; l++) zip(v[l], v[l + WIDTH / 2], w + 2 * l);
#pragma GCC unroll 16
    for (int l = 0; l < WIDTH; l++) v[l] = w[l];
  }
}

// dst[r * ld + c] = map(src[r, c]) for r < rows, c < cols; the columns are contiguous.
template <class Operand>
static void copy_rows(const Operand &op, const typename Operand::type *src, long rows, long cols,
                      float *dst, long ld) {
  for (long r = 0; r < rows; r++) {
    const typename Operand::type *from = src + r * op.row;
    float *to = dst + r * ld;
    long c = 0;
    for (; c + WIDTH <= cols; c += WIDTH) store(to + c, op.map(load<vf>(from + c)));
    for (; c < cols; c++) {
      KW_TAIL;
      to[c] = op.map(load<float>(from + c));
    }
  }
}
// dst[c * ld + r] = map(src[r * stride + c]) for r < rows, c < cols: reads along c, writes along r.
template <class Operand>
static void copy_transposed(const Operand &op, const typename Operand::type *src, long stride,
                            long rows, long cols, float *dst, long ld) {
  long r = 0;
  for (; r + WIDTH <= rows; r += WIDTH) {
    const typename Operand::type *from = src + r * stride;
    long c = 0;
    for (; c + WIDTH <= cols; c += WIDTH) {
      vf v[WIDTH];
#pragma GCC unroll 16
      for (int l = 0; l < WIDTH; l++) v[l] = op.map(load<vf>(from + l * stride + c));
      transpose(v);
#pragma GCC unroll 16
      for (int l = 0; l < WIDTH; l++) store(dst + (c + l) * ld + r, v[l]);
    }
    for (; c < cols; c++)
      for (int l = 0; l < WIDTH; l++) {
        KW_TAIL;
        dst[c * ld + r + l] = op.map(load<float>(from + l * stride + c));
      }
  }
  for (; r < rows; r++)
    for (long c = 0; c < cols; c++) {
      KW_TAIL;
      dst[c * ld + r] = op.map(load<float>(src + r * stride + c));
    }
}
template <class Operand>
static void copy_strided(const Operand &op, const typename Operand::type *src, long rows, long cols,
                         float *dst, long row_step, long col_step) {
  for (long r = 0; r < rows; r++)
    for (long c = 0; c < cols; c++) {
      KW_TAIL;
      dst[r * row_step + c * col_step] = op.map(load<float>(src + r * op.row + c * op.col));
    }
}

// Strip of A: dst[r][p], rows beyond the matrix are zero.
template <int Rows, class A>
static void pack_strip(const A &a, long b, long i0, long rows, long k0, long kc, float *dst, long ld) {
  const typename A::type *src = a.at(b) + i0 * a.row + k0 * a.col;
  if (a.col == 1) copy_rows(a, src, rows, kc, dst, ld);
  else if (a.row == 1) copy_transposed(a, src, a.col, kc, rows, dst, ld);
  else copy_strided(a, src, rows, kc, dst, ld, 1);
  for (long r = rows; r < Rows; r++)
    for (long p = 0; p < kc; p++) dst[r * ld + p] = 0;
}

// B as a packer: panels of Vecs * WIDTH columns, dst[panel][p][column], missing columns zero.
template <int Vecs, class B> struct packed_matrix {
  B operand;
  void pack(long b, long k0, long kc, long j0, long nc, float *dst) const {
    constexpr long panel = Vecs * WIDTH;
    for (long j = 0; j < nc; j += panel, dst += kc * panel) {
      const typename B::type *src = operand.at(b) + k0 * operand.row + (j0 + j) * operand.col;
      long cols = min_long(panel, nc - j);
      if (cols < panel)
        for (long i = 0; i < kc * panel; i++) dst[i] = 0;
      if (operand.col == 1) copy_rows(operand, src, kc, cols, dst, panel);
      else if (operand.row == 1) copy_transposed(operand, src, operand.col, cols, kc, dst, panel);
      else copy_strided(operand, src, kc, cols, dst, panel, 1);
    }
  }
};

// Tasks 0..count-1, a contiguous range for each thread; who has finished takes from the others.
struct task_ranges {
  static constexpr int MOST = 256;
  struct alignas(64) range {
    long next, end;
  } of[MOST];
  int threads;
  task_ranges(long count, int wanted) : threads(wanted < MOST ? wanted : MOST) {
    for (int t = 0; t < threads; t++) of[t] = {count * t / threads, count * (t + 1) / threads};
  }
  // The next task for thread `self`, or -1.
  long take(int self) {
    for (int t = 0; t < threads; t++) {
      range &r = of[(self + t) % threads];
      if (__atomic_load_n(&r.next, __ATOMIC_RELAXED) >= r.end) continue;
      long task = __atomic_fetch_add(&r.next, 1, __ATOMIC_RELAXED);
      if (task < r.end) return task;
    }
    return -1;
  }
};

struct sizes {
  long batch, m, n, k;
};

// How C is cut: blocks of `rows` x `cols`, the sum over k in pieces of `depth`.
struct blocking {
  long rows, cols, depth;
};
KW_INLINE blocking cut(sizes s, long strip, long panel, long mc, long nc, long kc, int threads) {
  blocking cut;
  const long pieces = max_long((s.k + kc - 1) / kc, 1);
  cut.depth = max_long((s.k + pieces - 1) / pieces, 1);
  long column_blocks = max_long((s.n + nc - 1) / nc, 1);
  // Whole column blocks for every thread: then nobody packs a block that another packs too.
  while (s.batch * column_blocks % threads && s.n / (column_blocks + 1) >= 2 * panel) column_blocks++;
  cut.cols = round_up((s.n + column_blocks - 1) / column_blocks, panel);
  column_blocks = (s.n + cut.cols - 1) / cut.cols;
  long row_blocks = (s.m + mc - 1) / mc;
  // More row blocks than needed, so that a thread that was held up can be helped out.
  if (s.k <= kc) row_blocks = max_long(row_blocks, 8 * threads / (s.batch * column_blocks));
  else row_blocks = max_long(row_blocks, threads / (s.batch * column_blocks));
  cut.rows = max_long(round_up((s.m + row_blocks - 1) / row_blocks, strip), 2 * strip);
  return cut;
}

// Element-wise epilogue over `rows` x `cols` sums at (i0, j0).
template <class Epilogue>
KW_INLINE void finish_block(const Epilogue &epilogue, const float *c, long ldc, long b, long i0,
                            long rows, long j0, long cols) {
  for (long r = 0; r < rows; r++) {
    long j = 0;
    for (; j + WIDTH <= cols; j += WIDTH) epilogue(load<vf>(c + r * ldc + j), b, i0 + r, j0 + j);
    for (; j < cols; j++) {
      KW_TAIL;
      epilogue(c[r * ldc + j], b, i0 + r, j0 + j);
    }
  }
}

// epilogue(V sums, b, i, j) for every vector of C.
template <int Rows, int Vecs, int Kc, class A, class PackB, class Epilogue>
static void gemm_tiles(sizes s, const A &a, const PackB &packer, const Epilogue &epilogue, long mc,
                       long nc, int threads) {
  constexpr long panel = Vecs * WIDTH;
  constexpr int lda = Kc + 16;  // off the power of two, which would put every row into one cache set
  if (s.batch * s.m * s.n == 0) return;
  const blocking block = cut(s, Rows, panel, mc, nc, Kc, threads);
  const long row_blocks = (s.m + block.rows - 1) / block.rows;
  const long column_blocks = (s.n + block.cols - 1) / block.cols;
  task_ranges tasks(s.batch * column_blocks * row_blocks, threads);
#pragma omp parallel num_threads(tasks.threads)
  {
    static thread_local arena memory;
    float *strip = memory.floats(Rows * lda + block.depth * block.cols + block.rows * block.cols);
    float *panels = strip + Rows * lda, *c = panels + block.depth * block.cols;
    long packed = -1, task;
    while ((task = tasks.take(omp_get_thread_num())) >= 0) {
      const long i0 = task % row_blocks * block.rows, column_block = task / row_blocks;
      const long j0 = column_block % column_blocks * block.cols, b = column_block / column_blocks;
      const long m = min_long(block.rows, s.m - i0), n = min_long(block.cols, s.n - j0);
      long k0 = 0;
      do {
        const long kc = min_long(block.depth, s.k - k0);
        const bool last = k0 + kc >= s.k;
        if (packed != column_block || block.depth < s.k) packer.pack(b, k0, kc, j0, n, panels);
        packed = column_block;
        for (long i = 0; i < m; i += Rows) {
          const long rows = min_long(Rows, m - i);
          float *sums = c + i * block.cols;
          pack_strip<Rows>(a, b, i0 + i, rows, k0, kc, strip, lda);
          for (long j = 0; j < n; j += panel)
            micro_kernel<Rows, Vecs, lda>(kc, strip, panels + j * kc, sums + j, block.cols, k0 > 0);
          if (last) finish_block(epilogue, sums, block.cols, b, i0 + i, rows, j0, n);
        }
        k0 += kc;
      } while (k0 < s.k);
    }
  }
}

// finish(float *row, b, i) for every complete row of C; it may change the row's s.n floats.
template <int Rows, int Vecs, int Kc, class A, class PackB, class Finish>
static void gemm_rows(sizes s, const A &a, const PackB &packer, const Finish &finish, long mc,
                      int threads) {
  constexpr long panel = Vecs * WIDTH;
  constexpr int lda = Kc + 16;
  if (s.batch * s.m == 0) return;
  const long ldc = round_up(s.n, panel), pieces = max_long((s.k + Kc - 1) / Kc, 1);
  const long depth = max_long((s.k + pieces - 1) / pieces, 1);
  const long even = round_up((s.m + threads - 1) / threads, Rows);
  const long block = max_long(min_long(mc / Rows * Rows, even), Rows);
  const long blocks = (s.m + block - 1) / block;
  const bool shared = s.batch == 1;  // one B for all: packed once, by all threads
  static thread_local arena shared_memory;
  float *panels_of_all = shared ? shared_memory.floats(s.k * ldc + 1) : nullptr;
  task_ranges tasks(s.batch * blocks, threads);
#pragma omp parallel num_threads(tasks.threads)
  {
    static thread_local arena memory;
    float *strip = memory.floats(Rows * lda + block * ldc + (shared ? 0 : s.k * ldc));
    float *c = strip + Rows * lda, *panels = shared ? panels_of_all : c + block * ldc;
    if (shared) {
#pragma omp for collapse(2)
      for (long piece = 0; piece < pieces; piece++)
        for (long j = 0; j < ldc; j += panel) {
          const long k0 = piece * depth, kc = min_long(depth, s.k - k0);
          packer.pack(0, k0, kc, j, min_long(panel, s.n - j), panels + k0 * ldc + j * kc);
        }
    }
    long packed = -1, task;
    while ((task = tasks.take(omp_get_thread_num())) >= 0) {
      const long b = task / blocks, i0 = task % blocks * block, m = min_long(block, s.m - i0);
      const bool pack = !shared && packed != b;
      packed = b;
      long k0 = 0;
      do {
        const long kc = min_long(depth, s.k - k0);
        if (pack) packer.pack(b, k0, kc, 0, s.n, panels + k0 * ldc);
        for (long i = 0; i < m; i += Rows) {
          pack_strip<Rows>(a, b, i0 + i, min_long(Rows, m - i), k0, kc, strip, lda);
          for (long j = 0; j < s.n; j += panel)
            micro_kernel<Rows, Vecs, lda>(kc, strip, panels + k0 * ldc + j * kc, c + i * ldc + j, ldc,
                                          k0 > 0);
        }
        k0 += kc;
      } while (k0 < s.k);
      for (long i = 0; i < m; i++) finish(c + i * ldc, b, i0 + i);
    }
  }
}

}  // namespace kw
#endif
