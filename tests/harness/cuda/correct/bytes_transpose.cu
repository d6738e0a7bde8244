// launch: 1 32,32 0
// arguments: randbyte 32x32, zerobyte 32x32, 32
// check: a1.int() - a0.t().int()
extern "C" __global__ void bytes_transpose(const unsigned char* a, unsigned char* o, int n) {
  __shared__ unsigned char s[32][33];
  s[threadIdx.y][threadIdx.x] = a[threadIdx.y * n + threadIdx.x];
  __syncthreads();
  o[threadIdx.y * n + threadIdx.x] = s[threadIdx.x][threadIdx.y];
}
