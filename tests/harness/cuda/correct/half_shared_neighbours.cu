// launch: 1 256 0
// arguments: randn_h 256, zeros_h 256, 256
// check: a1 - a0.view(-1, 2).flip(1).reshape(-1)
#include <cuda_fp16.h>
extern "C" __global__ void half_shared_neighbours(const half* a, half* o, int n) {
  __shared__ half s[256];
  int t = threadIdx.x;
  s[t] = a[t];
  __syncthreads();
  o[t] = s[t ^ 1];
}
