// expect: race
// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_shared_accumulate(const float* a, float* o, int n) {
  __shared__ float sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  sum += a[threadIdx.x];
  __syncthreads();
  if (threadIdx.x == 0) o[blockIdx.x] = sum;
}
