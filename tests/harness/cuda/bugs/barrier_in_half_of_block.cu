// expect: barrier_divergence
// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void barrier_in_half_of_block(const float* a, float* o, int n) {
  if (threadIdx.x < 128) {
    __syncthreads();
    if (threadIdx.x == 0) o[blockIdx.x] = a[0] * 0;
  } else {
    __syncthreads();
    __syncthreads();
  }
}
