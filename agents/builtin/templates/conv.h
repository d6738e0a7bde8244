// conv.h: direct 2-d convolution over NCHW with the epilogue fused, fp32 sums.
//
// A task is a block of whole output rows and output channels of one image and group. For a chunk of
// input channels it copies the input rows it needs, padded, into planes by phase: plane (py, px) holds
// the elements whose padded row is py modulo the stride and whose padded column is px. In a plane, the
// input of output (y, x) under tap (ky, kx) lies at a fixed offset from y * pitch + x, whatever stride,
// dilation and padding are. So the pixels of a block form one flat run, the columns pitch - width of
// each row being computed in vain, and the micro-kernel differs from gemm.h's only in reading B through
// a table of offsets, one for each (channel, ky, kx). No input is copied more than once per block.
#ifndef KW_CONV_H
#define KW_CONV_H

namespace kw {

// Everything of a convolution but the number of images. `Shape::value` carries one as a constant.
struct conv_shape {
  long groups, in, height, width;  // `in`: input channels of one group
  long out, out_height, out_width;  // `out`: output channels of one group
  long kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  constexpr long taps() const { return kernel_h * kernel_w; }
  constexpr long phases_h() const { return phases(kernel_h, stride_h, dilation_h); }
  constexpr long phases_w() const { return phases(kernel_w, stride_w, dilation_w); }
  constexpr long extra_rows() const { return (kernel_h - 1) * dilation_h / stride_h; }
  constexpr long pitch() const { return out_width + (kernel_w - 1) * dilation_w / stride_w; }
  static constexpr long phases(long kernel, long stride, long dilation) {
    return (kernel - 1) * dilation + 1 < stride ? (kernel - 1) * dilation + 1 : stride;
  }
};

// x[first], x[first + 2], ... of 2 W floats.
template <int W> KW_INLINE vec<float, W> every_second(vec<float, W> a, vec<float, W> b, int first) {
  typedef vec<float, W> V;
  if constexpr (W == 4)
    return first ? __builtin_shufflevector(a, b, 1, 3, 5, 7) : __builtin_shufflevector(a, b, 0, 2, 4, 6);
  if constexpr (W == 8)
    return first ? __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
                 : __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
  if constexpr (W == 16) {
    V odd = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    V even = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return first ? odd : even;
  }
}
// dst[q] = row[q] from q to `end`, in vectors of W, then of half that, ...
template <int W, class T> KW_INLINE void copy_run(const T *row, long q, long end, float *dst) {
  for (; q + W <= end; q += W) store(dst + q, load<vec<float, W>>(row + q));
  if constexpr (W > 4) copy_run<W / 2>(row, q, end, dst);
  else
    for (; q < end; q++) {
      KW_TAIL;
      dst[q] = load<float>(row + q);
    }
}
// even[q] = row[2 q], odd[q] = row[2 q + 1]
template <int W, class T>
KW_INLINE void split_run(const T *row, long q, long end, float *even, float *odd) {
  for (; q + W <= end; q += W) {
    vec<float, W> a = load<vec<float, W>>(row + 2 * q), b = load<vec<float, W>>(row + 2 * q + W);
    store(even + q, every_second<W>(a, b, 0));
    store(odd + q, every_second<W>(a, b, 1));
  }
  if constexpr (W > 4) split_run<W / 2>(row, q, end, even, odd);
  else
    for (; q < end; q++) {
      KW_TAIL;
      even[q] = load<float>(row + 2 * q);
      odd[q] = load<float>(row + 2 * q + 1);
    }
}
// dst[0..n) = 0 without a call of memset: n is small.
KW_INLINE void zero_run(float *dst, long n) {
  for (; n >= 4; n -= 4, dst += 4) store(dst, vec<float, 4>{});
  if (n & 2) dst[0] = dst[1] = 0, dst += 2;
  if (n & 1) dst[0] = 0;
}
// One padded row to its phases, which lie `plane` floats apart: dst[px * plane + q] = element
// q * step + px of the padded row. Inlined, so that all divisions are by constants.
template <class T>
KW_INLINE void copy_phases(const T *row, long width, long pad, long step, long phases, long pitch,
                           float *dst, long plane) {
  const bool pairs = step == 2 && phases == 2;
  const long both = (pad + 1) / 2, until = min_long((width + pad) / 2, pitch);
  for (long px = 0; px < phases; px++) {
    const long first = px - pad;
    const long end = width <= first ? 0 : min_long((width - first + step - 1) / step, pitch);
    const long begin = first >= 0 ? 0 : min_long((step - 1 - first) / step, end);
    float *to = dst + px * plane;
    zero_run(to, begin);
    if (step == 1) copy_run<WIDTH>(row + first, begin, end, to);
    else  // where two phases have an element, both are copied together below
      for (long q = begin; q < end; q++) {
        KW_TAIL;
        if (!pairs || q < both || q >= until) to[q] = load<float>(row + q * step + first);
        else q = until - 1;
      }
    zero_run(to + end, pitch - end);
  }
  if (pairs && both < until) split_run<WIDTH>(row - pad, both, until, dst, dst + plane);
}

// c[Rows][Vecs * WIDTH] (+)= sum over p of a[r][p] * x[at[p] + column]
template <int Rows, int Vecs, int Lda>
static __attribute__((noinline)) void micro_kernel_at(long kc, const float *a, const float *x,
                                                      const int32_t *at, float *c, long ldc,
                                                      bool accumulate) {
  vf sum[Rows][Vecs];
#pragma GCC unroll 32
  for (int r = 0; r < Rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < Vecs; v++) sum[r][v] = vf{};
  for (long p = 0; p < kc; p++) {
    const float *from = x + at[p];
    vf xv[Vecs];
#pragma GCC unroll 8
    for (int v = 0; v < Vecs; v++) xv[v] = load<vf>(from + v * WIDTH);
#pragma GCC unroll 32
    for (int r = 0; r < Rows; r++) {
      vf av = set<vf>(a[r * Lda]);
#pragma GCC unroll 8
      for (int v = 0; v < Vecs; v++) sum[r][v] += av * xv[v];
    }
    a++;
  }
#pragma GCC unroll 32
  for (int r = 0; r < Rows; r++)
#pragma GCC unroll 8
    for (int v = 0; v < Vecs; v++) {
      float *to = c + r * ldc + v * WIDTH;
      store(to, accumulate ? load<vf>(to) + sum[r][v] : sum[r][v]);
    }
}

// A task: whole output rows, output channels, and several images where one is small.
struct conv_blocking {
  long rows, channels, images;
};
static conv_blocking cut_conv(const conv_shape &s, long batch, long strip, long panel, long mc, long nc,
                              int threads) {
  conv_blocking cut = {max_long(min_long(nc / s.pitch(), s.out_height), 1),
                       min_long(round_up(mc, strip), round_up(s.out, strip)), 1};
  if (cut.rows == s.out_height) cut.images = max_long(min_long(nc / (cut.rows * s.pitch()), batch), 1);
  for (;;) {
    const long row_blocks = (s.out_height + cut.rows - 1) / cut.rows;
    const long blocks = (s.out + cut.channels - 1) / cut.channels;
    const long image_blocks = (batch + cut.images - 1) / cut.images;
    cut.rows = (s.out_height + row_blocks - 1) / row_blocks;
    cut.channels = round_up((s.out + blocks - 1) / blocks, strip);
    cut.images = (batch + image_blocks - 1) / image_blocks;
    if (image_blocks * s.groups * row_blocks * blocks >= 4 * threads) return cut;
    if (cut.images > 1) cut.images = (cut.images + 1) / 2;
    else if (cut.rows > 1 && cut.rows * s.pitch() >= 4 * panel) cut.rows = (cut.rows + 1) / 2;
    else if (cut.channels > 2 * strip) cut.channels = round_up(cut.channels / 2, strip);
    else return cut;
  }
}

// One input channel of a block as planes; `image` points to the channel's first row.
template <class Shape, class T>
static void copy_planes(const T *image, long y0, long plane_rows, float *dst) {
  constexpr conv_shape s = Shape::value;
  const long plane = plane_rows * s.pitch();
  for (long py = 0; py < s.phases_h(); py++, dst += s.phases_w() * plane)
    for (long r = 0; r < plane_rows; r++) {
      const long y = (y0 + r) * s.stride_h + py - s.pad_h;
      float *to = dst + r * s.pitch();
      if (y >= 0 && y < s.height)
        copy_phases(image + y * s.width, s.width, s.pad_w, s.stride_w, s.phases_w(), s.pitch(), to, plane);
      else
        for (long px = 0; px < s.phases_w(); px++) zero_run(to + px * plane, s.pitch());
    }
}

// Rows of `pitch` sums to rows of `width`, without gaps. What a vector writes past a row is overwritten.
KW_INLINE const float *close_gaps(const float *sums, long rows, long pitch, long width, float *dense) {
  if (pitch == width) return sums;
  for (long y = 0; y < rows; y++)
    for (long x = 0; x < width; x += WIDTH)
      store(dense + y * width + x, load<vf>(sums + y * pitch + x));
  return dense;
}

// epilogue(V sums, b, channel, pixel) for every vector of the output.
template <class Shape, int Rows, int Vecs, int Kc, class T, class Epilogue>
static void conv2d(long batch, const T *x, const T *weight, const Epilogue &epilogue,
                   long mc, long nc, int threads) {
  constexpr long panel = Vecs * WIDTH;
  constexpr int lda = Kc + 16;
  constexpr conv_shape s = Shape::value;
  constexpr long pitch = s.pitch(), taps = s.taps();
  if (batch * s.groups * s.out * s.out_height * s.out_width == 0) return;
  const conv_blocking block = cut_conv(s, batch, Rows, panel, mc, nc, threads);
  const long row_blocks = (s.out_height + block.rows - 1) / block.rows;
  const long channel_blocks = (s.out + block.channels - 1) / block.channels;
  const long image_blocks = (batch + block.images - 1) / block.images;
  const long chunk = max_long(min_long(Kc / taps, s.in), 1);
  const long plane_rows = block.rows + s.extra_rows();
  const long channel_size = plane_rows * pitch * s.phases_h() * s.phases_w();
  const long cols = round_up(block.rows * pitch, panel), ldc = cols * block.images;
  // The last panel of the last row, and zeros, reach beyond the planes.
  const long image_size = round_up(chunk * channel_size + panel + WIDTH, 16);
  task_ranges tasks(image_blocks * s.groups * channel_blocks * row_blocks, threads);
#pragma omp parallel num_threads(tasks.threads)
  {
    static thread_local arena memory;
    const long table = round_up(chunk * taps, 16);
    float *input = memory.floats(block.images * image_size + table + Rows * lda +
                                 (block.channels + 1) * ldc + WIDTH);
    int32_t *at = (int32_t *)(input + block.images * image_size);
    float *strip = (float *)at + table, *c = strip + Rows * lda, *dense = c + block.channels * ldc;
    for (long i = 0; i < block.images; i++)
      for (long q = chunk * channel_size; q < image_size; q++) input[i * image_size + q] = 0;
    for (long p = 0; p < chunk * taps; p++) {
      const long y = p / s.kernel_w % s.kernel_h * s.dilation_h, z = p % s.kernel_w * s.dilation_w;
      const long plane = y % s.stride_h * s.phases_w() + z % s.stride_w;
      at[p] = (int32_t)(p / taps * channel_size +
                        (plane * plane_rows + y / s.stride_h) * pitch + z / s.stride_w);
    }
    long task;
    while ((task = tasks.take(omp_get_thread_num())) >= 0) {
      const long y0 = task % row_blocks * block.rows, rest = task / row_blocks;
      const long o0 = rest % channel_blocks * block.channels, which = rest / channel_blocks;
      const long g = which % s.groups, b0 = which / s.groups * block.images;
      const long rows = min_long(block.rows, s.out_height - y0);
      const long channels = min_long(block.channels, s.out - o0);
      const long images = min_long(block.images, batch - b0);
      for (long c0 = 0; c0 < s.in; c0 += chunk) {
        const long deep = min_long(chunk, s.in - c0), depth = deep * taps;
        for (long i = 0; i < images; i++)
          for (long e = 0; e < deep; e++)
            copy_planes<Shape>(x + (((b0 + i) * s.groups + g) * s.in + c0 + e) * s.height * s.width, y0,
                        plane_rows, input + i * image_size + e * channel_size);
        for (long o = 0; o < channels; o += Rows) {
          const long live = min_long(Rows, channels - o);
          const matrix_view<T> w{weight + ((g * s.out + o0 + o) * s.in + c0) * taps, s.in * taps, 1};
          pack_strip<Rows>(w, 0, 0, live, 0, depth, strip, lda);
          for (long i = 0; i < images; i++) {
            float *sums = c + o * ldc + i * cols;
            for (long q = 0; q < rows * pitch; q += panel)
              micro_kernel_at<Rows, Vecs, lda>(depth, strip, input + i * image_size + q, at, sums + q,
                                               ldc, c0 > 0);
            if (c0 + deep < s.in) continue;
            for (long r = 0; r < live; r++)
              finish_block(epilogue, close_gaps(sums + r * ldc, rows, pitch, s.out_width, dense), 0,
                           b0 + i, g * s.out + o0 + o + r, 1, y0 * s.out_width, rows * s.out_width);
          }
        }
      }
    }
  }
}

}  // namespace kw
#endif
