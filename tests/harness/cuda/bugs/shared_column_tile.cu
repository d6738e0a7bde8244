// expect: out_of_bounds
// launch: 1 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void shared_column_tile(const float* a, float* o, int n) {
  __shared__ float tile[16][16];
  int x = threadIdx.x % 16, y = threadIdx.x / 16;
  tile[y][x] = a[threadIdx.x];
  __syncthreads();
  if (x == 0 && y < 4) o[y] = tile[y + 1][x + n / 64];
}
