// expect: uninitialised_shared
// launch: 4 64 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void uninitialised_accumulator(const float* a, float* o, int n) {
  __shared__ float sum;
  atomicAdd(&sum, a[threadIdx.x]);
  __syncthreads();
  if (threadIdx.x == 0) o[blockIdx.x] = sum;
}
