// launch: 4 256 0
// arguments: randn 1000, zeros 1000, 1000
// check: a1 - (a0 + 1)
extern "C" __global__ void early_return(const float* a, float* o, int n) {
  int i = blockIdx.x * 256 + threadIdx.x;
  if (i >= n) return;
  __syncthreads();
  o[i] = a[i] + 1;
}
