// expect: barrier_divergence
// launch: 1 64 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void barrier_in_uneven_loop(const float* a, float* o, int n) {
  __shared__ float s[64];
  s[threadIdx.x] = 0;
  for (int i = threadIdx.x; i < 100; i += 64) {
    s[threadIdx.x] += a[i];
    __syncthreads();
  }
  __syncthreads();
  if (threadIdx.x == 0) o[0] = s[1];
}
