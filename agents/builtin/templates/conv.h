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

// Everything of a convolution but the number of images, as template argument-like constants.
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

KW_INLINE vec<float, 16> evens(vec<float, 16> a, vec<float, 16> b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}
KW_INLINE vec<float, 8> evens(vec<float, 8> a, vec<float, 8> b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
}
KW_INLINE vec<float, 4> evens(vec<float, 4> a, vec<float, 4> b) {
  return __builtin_shufflevector(a, b, 0, 2, 4, 6);
}

// dst[q] = row[q * step + first] where that is inside [0, width), else 0, for q < count.
template <class T>
static void copy_phase(const T *row, long width, long first, long step, long count, float *dst) {
  long begin = first >= 0 ? 0 : (-first + step - 1) / step;
  long end = width <= first ? 0 : (width - first + step - 1) / step;
  end = min_long(end, count);
  begin = min_long(begin, max_long(end, 0));
  long q = 0;
  for (; q < begin; q++) dst[q] = 0;
  if (step == 1)
    for (; q + WIDTH <= end; q += WIDTH) store(dst + q, load<vf>(row + q + first));
  if (step == 2)
    for (; q + WIDTH <= end && 2 * q + first + 2 * WIDTH <= width; q += WIDTH) {
      const T *from = row + 2 * q + first;
      store(dst + q, evens(load<vf>(from), load<vf>(from + WIDTH)));
    }
  for (; q < end; q++) dst[q] = load<float>(row + q * step + first);
  for (; q < count; q++) dst[q] = 0;
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

// Block sizes: whole output rows and output channels of a task.
struct conv_blocking {
  long rows, channels;
};
static conv_blocking cut_conv(const conv_shape &s, long batch, long strip, long panel, long mc, long nc,
                              int threads) {
  conv_blocking cut = {max_long(min_long(nc / s.pitch(), s.out_height), 1),
                       min_long(round_up(mc, strip), round_up(s.out, strip))};
  for (;;) {
    const long row_blocks = (s.out_height + cut.rows - 1) / cut.rows;
    const long blocks = (s.out + cut.channels - 1) / cut.channels;
    cut.rows = (s.out_height + row_blocks - 1) / row_blocks;
    cut.channels = round_up((s.out + blocks - 1) / blocks, strip);
    if (batch * s.groups * row_blocks * blocks >= 4 * threads) return cut;
    if (cut.rows > 1 && cut.rows * s.pitch() >= 4 * panel) cut.rows = (cut.rows + 1) / 2;
    else if (cut.channels > 2 * strip) cut.channels = round_up(cut.channels / 2, strip);
    else return cut;
  }
}

// epilogue(V sums, b, channel, pixel) for every vector of the output.
template <int Rows, int Vecs, int Kc, class T, class Epilogue>
static void conv2d(conv_shape s, long batch, const T *x, const T *weight, const Epilogue &epilogue,
                   long mc, long nc, int threads) {
  constexpr long panel = Vecs * WIDTH;
  constexpr int lda = Kc + 16;
  const long pixels = s.out_height * s.out_width, pitch = s.pitch(), taps = s.taps();
  if (batch * s.groups * s.out * pixels == 0) return;
  const conv_blocking block = cut_conv(s, batch, Rows, panel, mc, nc, threads);
  const long row_blocks = (s.out_height + block.rows - 1) / block.rows;
  const long channel_blocks = (s.out + block.channels - 1) / block.channels;
  const long chunk = max_long(min_long(Kc / taps, s.in), 1);
  const long plane_rows = block.rows + s.extra_rows(), plane = plane_rows * pitch;
  const long planes = s.phases_h() * s.phases_w(), ldc = round_up(block.rows * pitch, panel);
  task_ranges tasks(batch * s.groups * channel_blocks * row_blocks, threads);
#pragma omp parallel num_threads(tasks.threads)
  {
    static thread_local arena memory;
    // The last panel of the last row reads up to one panel past the planes.
    const long input_size = round_up(chunk * planes * plane + panel, 16);
    float *input = memory.floats(input_size + chunk * taps + 16 + Rows * lda + block.channels * ldc + ldc);
    int32_t *at = (int32_t *)(input + input_size);
    float *strip = input + input_size + round_up(chunk * taps, 16), *c = strip + Rows * lda;
    float *dense = c + block.channels * ldc;
    for (long i = 0; i < panel; i++) input[chunk * planes * plane + i] = 0;
    for (long p = 0; p < chunk * taps; p++) {
      const long y = p / s.kernel_w % s.kernel_h * s.dilation_h, z = p % s.kernel_w * s.dilation_w;
      const long which = p / taps * planes + y % s.stride_h * s.phases_w() + z % s.stride_w;
      at[p] = (int32_t)(which * plane + y / s.stride_h * pitch + z / s.stride_w);
    }
    long task;
    while ((task = tasks.take(omp_get_thread_num())) >= 0) {
      const long y0 = task % row_blocks * block.rows, rest = task / row_blocks;
      const long o0 = rest % channel_blocks * block.channels, image = rest / channel_blocks;
      const long g = image % s.groups, b = image / s.groups;
      const long rows = min_long(block.rows, s.out_height - y0);
      const long channels = min_long(block.channels, s.out - o0);
      for (long c0 = 0; c0 < s.in; c0 += chunk) {
        const long deep = min_long(chunk, s.in - c0);
        for (long e = 0; e < deep; e++) {
          const T *image_plane = x + ((b * s.groups + g) * s.in + c0 + e) * s.height * s.width;
          for (long py = 0; py < s.phases_h(); py++)
            for (long r = 0; r < rows + s.extra_rows(); r++) {
              const long y = (y0 + r) * s.stride_h + py - s.pad_h;
              for (long px = 0; px < s.phases_w(); px++)
                copy_phase(image_plane + y * s.width, y >= 0 && y < s.height ? s.width : 0,
                           px - s.pad_w, s.stride_w, pitch,
                           input + (e * planes + py * s.phases_w() + px) * plane + r * pitch);
            }
        }
        for (long o = 0; o < channels; o += Rows) {
          const long live = min_long(Rows, channels - o);
          const T *w = weight + ((g * s.out + o0 + o) * s.in + c0) * taps;
          for (long r = 0; r < Rows; r++)
            for (long p = 0; p < deep * taps; p++)
              strip[r * lda + p] = r < live ? load<float>(w + r * s.in * taps + p) : 0.0f;
          for (long q = 0; q < rows * pitch; q += panel)
            micro_kernel_at<Rows, Vecs, lda>(deep * taps, strip, input + q, at, c + o * ldc + q, ldc,
                                             c0 > 0);
          if (c0 + deep < s.in) continue;
          for (long r = 0; r < live; r++) {
            const float *sums = c + (o + r) * ldc;
            if (pitch != s.out_width) {
              for (long y = 0; y < rows; y++)  // forward: what a vector writes past a row is overwritten
                for (long z = 0; z < s.out_width; z += WIDTH)
                  store(dense + y * s.out_width + z, load<vf>(sums + y * pitch + z));
              sums = dense;
            }
            finish_block(epilogue, sums, 0, b, g * s.out + o0 + o + r, 1, y0 * s.out_width,
                         rows * s.out_width);
          }
        }
      }
    }
  }
}

}  // namespace kw
#endif
