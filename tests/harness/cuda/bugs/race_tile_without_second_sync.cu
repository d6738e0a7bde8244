// expect: race
// launch: 4,4 16,16 0
// arguments: randn 64x64, randn 64x64, zeros 64x64, 64
extern "C" __global__ void race_tile_without_second_sync(const float* a, const float* b, float* o, int n) {
  __shared__ float as[16][16], bs[16][16];
  int x = threadIdx.x, y = threadIdx.y, r = blockIdx.y * 16 + y, c = blockIdx.x * 16 + x;
  float sum = 0;
  for (int k = 0; k < n; k += 16) {
    as[y][x] = a[r * n + k + x];
    bs[y][x] = b[(k + y) * n + c];
    __syncthreads();
    for (int i = 0; i < 16; i++) sum += as[y][i] * bs[i][x];
  }
  o[r * n + c] = sum;
}
