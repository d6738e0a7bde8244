// launch: 4 256 0
// arguments: randn 1024, zeros 8, zeros_i 1, 1024
// check: a1[0] - a0.sum()
extern "C" __global__ void last_block(const float* a, float* o, int* count, int n) {
  int t = threadIdx.x;
  __shared__ bool last;
  if (t == 0) {
    float sum = 0;
    for (int i = 0; i < 256; i++) sum += a[blockIdx.x * 256 + i];
    o[1 + blockIdx.x] = sum;
    __threadfence();
    last = atomicAdd(count, 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && t == 0) {
    float sum = 0;
    for (int b = 0; b < gridDim.x; b++) sum += o[1 + b];
    o[0] = sum;
  }
}
