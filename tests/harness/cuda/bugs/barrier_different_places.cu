// expect: barrier_divergence
// launch: 4 64 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void barrier_different_places(const float* a, float* o, int n) {
  if (threadIdx.x % 2) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  if (threadIdx.x == 0) o[blockIdx.x] = a[0];
}
