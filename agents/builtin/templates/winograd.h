// winograd.h: 3 x 3 convolution, stride 1, dilation 1, by Winograd's F(2 x 2, 3 x 3): 2.25 times fewer
// multiplications (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015).
//
// A task is a block of tile rows and output channels of one image. Input comes as the planes of conv.h
// with stride 2, in which the sixteen elements of a tile lie at fixed offsets; so transforms and
// products run along one flat row of tiles. The transforms add and subtract, which would turn an Inf
// into NaN: a block whose input is not finite is computed the plain way, slowly.
#ifndef KW_WINOGRAD_H
#define KW_WINOGRAD_H

namespace kw {

// The tiles of a convolution as a convolution of stride 2 with a 4 x 4 kernel: its planes are wanted.
template <class Shape> struct tiles_of {
  static constexpr conv_shape of(conv_shape s) {
    s.out_height = (s.out_height + 1) / 2;
    s.out_width = (s.out_width + 1) / 2;
    s.kernel_h = s.kernel_w = 4;
    s.stride_h = s.stride_w = 2;
    return s;
  }
  static constexpr conv_shape value = of(Shape::value);
};

// u[position * step] = (G w G^T)[position]; the nine elements of w are `stride` apart from lane to lane.
template <class V, class T>
KW_INLINE void transform_weight(const T *w, long stride, float *u, long step) {
  V t[4][3];
  for (int x = 0; x < 3; x++) {
    V a = load_strided<V>(w + x, stride), b = load_strided<V>(w + 3 + x, stride);
    V c = load_strided<V>(w + 6 + x, stride);
    t[0][x] = a;
    t[1][x] = 0.5f * (a + b + c);
    t[2][x] = 0.5f * (a - b + c);
    t[3][x] = c;
  }
  for (int y = 0; y < 4; y++) {
    V a = t[y][0], b = t[y][1], c = t[y][2];
    store(u + (4 * y) * step, a);
    store(u + (4 * y + 1) * step, 0.5f * (a + b + c));
    store(u + (4 * y + 2) * step, 0.5f * (a - b + c));
    store(u + (4 * y + 3) * step, c);
  }
}

// v[position * step] = (B^T d B)[position] for WIDTH neighbouring tiles; d[plane][q + ...] as in conv.h.
KW_INLINE void transform_input(const float *d, long plane, long pitch, float *v, long step) {
  vf t[4][4];
#pragma GCC unroll 4
  for (int x = 0; x < 4; x++) {
    const float *from = d + (x & 1) * plane + (x >> 1);
    vf a = load<vf>(from), b = load<vf>(from + 2 * plane);
    vf c = load<vf>(from + pitch), e = load<vf>(from + 2 * plane + pitch);
    t[0][x] = a - c;
    t[1][x] = b + c;
    t[2][x] = c - b;
    t[3][x] = b - e;
  }
#pragma GCC unroll 4
  for (int y = 0; y < 4; y++) {
    store(v + (4 * y) * step, t[y][0] - t[y][2]);
    store(v + (4 * y + 1) * step, t[y][1] + t[y][2]);
    store(v + (4 * y + 2) * step, t[y][2] - t[y][1]);
    store(v + (4 * y + 3) * step, t[y][1] - t[y][3]);
  }
}

// Two rows of outputs for WIDTH neighbouring tiles: A^T m A.
KW_INLINE void transform_sums(const float *m, long step, float *even, float *odd) {
  vf t[2][4], rows[2];
#pragma GCC unroll 4
  for (int x = 0; x < 4; x++) {
    vf a = load<vf>(m + x * step), b = load<vf>(m + (4 + x) * step);
    vf c = load<vf>(m + (8 + x) * step), d = load<vf>(m + (12 + x) * step);
    t[0][x] = a + b + c;
    t[1][x] = b - c - d;
  }
  zip(t[0][0] + t[0][1] + t[0][2], t[0][1] - t[0][2] - t[0][3], rows);
  store(even, rows[0]);
  store(even + WIDTH, rows[1]);
  zip(t[1][0] + t[1][1] + t[1][2], t[1][1] - t[1][2] - t[1][3], rows);
  store(odd, rows[0]);
  store(odd + WIDTH, rows[1]);
}

// The same convolution, one sum after the other.
template <class T>
static void plain_rows(const conv_shape &s, const T *x, const T *w, long y0, long rows, float *dense) {
  for (long y = y0; y < y0 + rows; y++)
    for (long z = 0; z < s.out_width; z++) {
      float sum = 0;
      for (long c = 0; c < s.in; c++)
        for (long p = 0; p < 9; p++) {
          const long v = y + p / 3 - s.pad_h, h = z + p % 3 - s.pad_w;
          const bool inside = v >= 0 && v < s.height && h >= 0 && h < s.width;
          // Padding is multiplied too: a weight of Inf makes NaN of it.
          const float in = inside ? load<float>(x + (c * s.height + v) * s.width + h) : 0.0f;
          sum += in * load<float>(w + c * 9 + p);
          KW_TAIL;
        }
      *dense++ = sum;
    }
}

// epilogue(V sums, b, channel, pixel) for every vector of the output.
template <class Shape, int Rows, int Vecs, int Kc, class T, class Epilogue>
static void winograd(long batch, const T *x, const T *weight, const Epilogue &epilogue, long mc, long nc,
                     int threads) {
  constexpr conv_shape s = Shape::value, tiled = tiles_of<Shape>::value;
  constexpr long panel = Vecs * WIDTH, pitch = tiled.pitch();
  constexpr long strips = (s.out + Rows - 1) / Rows, chunks = (s.in + Kc - 1) / Kc;
  if (batch * s.groups * s.out * s.out_height * s.out_width == 0) return;
  const conv_blocking block = cut_conv(tiled, batch, Rows, panel, mc, nc, threads);
  const long row_blocks = (tiled.out_height + block.rows - 1) / block.rows;
  const long channel_blocks = (s.out + block.channels - 1) / block.channels;
  const long plane = (block.rows + 1) * pitch, cols = round_up(block.rows * pitch, panel);
  const long channel_size = 4 * plane, input_size = Kc * channel_size + panel + WIDTH;
  // Weights: [group][chunk][strip][position][row][input channel], zero beyond the last channels.
  static thread_local arena shared_memory;
  const long strip_size = 16L * Rows * Kc;
  float *const u = shared_memory.floats(s.groups * chunks * strips * strip_size);
  bool plain = false;
  task_ranges tasks(batch * s.groups * channel_blocks * row_blocks, threads);
#pragma omp parallel num_threads(tasks.threads)
  {
    static thread_local arena memory;
#pragma omp for reduction(|| : plain)
    for (long which = 0; which < s.groups * chunks * strips; which++) {
      float *to = u + which * strip_size;
      const long g = which / strips / chunks, c0 = which / strips % chunks * Kc, o0 = which % strips * Rows;
      if (o0 + Rows > s.out || c0 + Kc > s.in)
        for (long i = 0; i < strip_size; i++) to[i] = 0;
      for (long o = o0; o < min_long(o0 + Rows, s.out); o++) {
        const T *w = weight + ((g * s.out + o) * s.in + c0) * 9;
        const long count = min_long(Kc, s.in - c0);
        long c = 0;
        for (; c + WIDTH <= count; c += WIDTH)
          transform_weight<vf>(w + c * 9, 9, to + (o - o0) * Kc + c, Rows * Kc);
        for (; c < count; c++) {
          KW_TAIL;
          transform_weight<float>(w + c * 9, 9, to + (o - o0) * Kc + c, Rows * Kc);
        }
      }
      plain = plain || !all_finite(to, strip_size);
    }
    float *input = memory.floats(input_size + 16 * Kc * cols + 16 * block.channels * cols +
                                 4 * cols + 4 * block.rows * pitch + 4 * WIDTH);
    float *v = input + input_size, *m = v + 16 * Kc * cols, *even = m + 16 * block.channels * cols;
    float *odd = even + 2 * cols, *dense = odd + 2 * cols;
    for (long i = Kc * channel_size; i < input_size; i++) input[i] = 0;
    long task;
    while ((task = tasks.take(omp_get_thread_num())) >= 0) {
      const long t0 = task % row_blocks * block.rows, rest = task / row_blocks;
      const long o0 = rest % channel_blocks * block.channels, image = rest / channel_blocks;
      const long g = image % s.groups, tile_rows = min_long(block.rows, tiled.out_height - t0);
      const long channels = min_long(block.channels, s.out - o0);
      const long rows = min_long(2 * tile_rows, s.out_height - 2 * t0);
      const T *from = x + image * s.in * s.height * s.width;
      bool finite = !plain;
      for (long chunk = 0; chunk < chunks && finite; chunk++) {
        const long deep = min_long(Kc, s.in - chunk * Kc);
        for (long c = 0; c < deep; c++)
          copy_planes<tiles_of<Shape>>(from + (chunk * Kc + c) * s.height * s.width, t0, block.rows + 1,
                                       input + c * channel_size);
        finite = all_finite(input, deep * channel_size);
        for (long q = 0; q < tile_rows * pitch; q += WIDTH) {
          float *to = v + q / panel * panel * Kc + q % panel;
          for (long c = 0; c < deep; c++)
            transform_input(input + c * channel_size + q, plane, pitch, to + c * panel, Kc * cols);
        }
        for (long o = 0; o < channels; o += Rows) {
          const float *strip = u + ((g * chunks + chunk) * strips + (o0 + o) / Rows) * strip_size;
          for (long position = 0; position < 16; position++)
            for (long q = 0; q < tile_rows * pitch; q += panel)
              micro_kernel<Rows, Vecs, Kc>(deep, strip + position * Rows * Kc,
                                           v + position * Kc * cols + q * Kc,
                                           m + (position * block.channels + o) * cols + q, cols,
                                           chunk > 0);
        }
      }
      for (long o = 0; o < channels; o++) {
        const long channel = g * s.out + o0 + o;
        if (finite) {
          for (long q = 0; q < tile_rows * pitch; q += WIDTH)
            transform_sums(m + o * cols + q, block.channels * cols, even + 2 * q, odd + 2 * q);
          for (long y = 0; y < rows; y++)
            for (long z = 0; z < s.out_width; z += WIDTH)
              store(dense + y * s.out_width + z, load<vf>((y & 1 ? odd : even) + y / 2 * 2 * pitch + z));
        } else plain_rows(s, from, weight + channel * s.in * 9, 2 * t0, rows, dense);
        finish_block(epilogue, dense, 0, image / s.groups, channel, 1, 2 * t0 * s.out_width,
                     rows * s.out_width);
      }
    }
  }
}

}  // namespace kw
#endif
