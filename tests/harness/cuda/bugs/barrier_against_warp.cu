// expect: barrier_divergence
// launch: 1 64 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void barrier_against_warp(const float* a, float* o, int n) {
  float v = a[threadIdx.x];
  if (threadIdx.x < 16) {
    __syncthreads();
  } else {
    __syncwarp(threadIdx.x < 32 ? 0xffff0000u : 0xffffffffu);
    while (n < 0) ;
    __syncthreads();
    __syncthreads();
    v += 1;
    if (threadIdx.x == 20) o[1] = v;
  }
  if (threadIdx.x == 0) o[0] = v;
}
