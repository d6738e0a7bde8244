// expect: race
// launch: 4 256 0
// arguments: randn 1024, zeros 8, zeros_i 1, 1024
extern "C" __global__ void race_last_block_no_fence(const float* a, float* o, int* count, int n) {
  int t = threadIdx.x;
  __shared__ bool last;
  if (t == 0) {
    o[1 + blockIdx.x] = a[blockIdx.x * 256];
    last = atomicAdd(count, 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && t == 0) {
    float sum = 0;
    for (int b = 0; b < gridDim.x; b++) sum += o[1 + b];
    o[0] = sum;
  }
}
