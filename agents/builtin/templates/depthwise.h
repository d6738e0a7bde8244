// depthwise.h: convolution with one input channel a group, dilation 1, over the planes of conv.h.
//
// With no channel to sum over, a register tile of output rows x columns takes the place of the tile of
// channels: each vector of input is loaded once and serves every output row that it touches.
#ifndef KW_DEPTHWISE_H
#define KW_DEPTHWISE_H

namespace kw {

// c[r * ldc + column] = sum over taps for R output rows, V * WIDTH columns of one channel.
template <int R, int V, int KernelH, int KernelW, int StrideH, int StrideW>
static __attribute__((noinline)) void depthwise_tile(const float *x, long plane, long pitch,
                                                     const float *w, float *c, long ldc) {
  constexpr int phases_h = KernelH < StrideH ? KernelH : StrideH;
  constexpr int phases_w = KernelW < StrideW ? KernelW : StrideW;
  vf sum[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 16
    for (int v = 0; v < V; v++) sum[r][v] = vf{};
#pragma GCC unroll 4
  for (int py = 0; py < phases_h; py++) {
    constexpr int most = (KernelH + StrideH - 1) / StrideH;  // taps of phase 0, the most of all
#pragma GCC unroll 1
    for (int kx = 0; kx < KernelW; kx++) {
      const float *from = x + (py * phases_w + kx % StrideW) * plane + kx / StrideW;
#pragma GCC unroll 64
      for (int y = 0; y < R + most - 1; y++) {
        if (y >= R + (KernelH - py + StrideH - 1) / StrideH - 1) break;
        vf xv[V];
#pragma GCC unroll 16
        for (int v = 0; v < V; v++) xv[v] = load<vf>(from + y * pitch + v * WIDTH);
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
          const int ky = (y - r) * StrideH + py;
          if (y < r || ky >= KernelH) continue;
          vf wv = set<vf>(w[ky * KernelW + kx]);
#pragma GCC unroll 16
          for (int v = 0; v < V; v++) sum[r][v] += wv * xv[v];
        }
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 16
    for (int v = 0; v < V; v++) store(c + r * ldc + v * WIDTH, sum[r][v]);
}

// epilogue(V sums, b, channel, pixel) for every vector of the output; s.in must be 1, dilation 1.
template <class Shape, int R, int V, class T, class Epilogue>
static void depthwise(long batch, const T *x, const T *weight, const Epilogue &epilogue,
                      long nc, int threads) {
  constexpr long panel = V * WIDTH;
  constexpr conv_shape s = Shape::value;
  constexpr long pitch = s.pitch(), taps = s.taps(), ldc = round_up(s.out_width, panel);
  if (batch * s.groups * s.out * s.out_height * s.out_width == 0) return;
  const long wanted = max_long(min_long(nc / pitch, s.out_height), 1);
  const long row_blocks = (s.out_height + wanted - 1) / wanted;
  const long block = round_up((s.out_height + row_blocks - 1) / row_blocks, R);
  const long plane_rows = block + s.extra_rows(), plane = plane_rows * pitch;
  const long input_size = plane * s.phases_h() * s.phases_w() + panel;
  task_ranges tasks(batch * s.groups * row_blocks, threads);
#pragma omp parallel num_threads(tasks.threads)
  {
    static thread_local arena memory;
    float *input = memory.floats(input_size + 2 * block * ldc + WIDTH + taps);
    float *c = input + input_size, *dense = c + block * ldc, *w = dense + block * ldc + WIDTH;
    for (long q = input_size - panel; q < input_size; q++) input[q] = 0;
    long task;
    while ((task = tasks.take(omp_get_thread_num())) >= 0) {
      const long y0 = task % row_blocks * block, image = task / row_blocks;
      const long rows = min_long(block, s.out_height - y0);
      if (rows <= 0) continue;
      copy_planes<Shape>(x + image * s.height * s.width, y0, plane_rows, input);
      for (long o = 0; o < s.out; o++) {
        const long channel = image % s.groups * s.out + o;
        for (long p = 0; p < taps; p++) w[p] = load<float>(weight + channel * taps + p);
        for (long y = 0; y < rows; y += R)
          for (long q = 0; q < s.out_width; q += panel)
            depthwise_tile<R, V, s.kernel_h, s.kernel_w, s.stride_h, s.stride_w>(input + y * pitch + q, plane, pitch,
                                                                     w, c + y * ldc + q, ldc);
        finish_block(epilogue, close_gaps(c, rows, ldc, s.out_width, dense), 0, image / s.groups,
                     channel, 1, y0 * s.out_width, rows * s.out_width);
      }
    }
  }
}

}  // namespace kw
#endif
