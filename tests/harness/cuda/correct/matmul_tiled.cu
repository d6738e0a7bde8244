// launch: 4,4 16,16 0
// arguments: randn 50x50, randn 50x50, zeros 50x50, 50
// check: a2 - a0 @ a1
extern "C" __global__ void matmul_tiled(const float* a, const float* b, float* o, int n) {
  __shared__ float as[16][17], bs[16][17];
  int x = threadIdx.x, y = threadIdx.y, r = blockIdx.y * 16 + y, c = blockIdx.x * 16 + x;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    as[y][x] = r < n && k + x < n ? a[r * n + k + x] : 0;
    bs[y][x] = c < n && k + y < n ? b[(k + y) * n + c] : 0;
    __syncthreads();
    for (int i = 0; i < 16; i++) sum += as[y][i] * bs[i][x];
    __syncthreads();
  }
  if (r < n && c < n) o[r * n + c] = sum;
}
