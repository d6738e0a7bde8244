// launch: 4 256 0
// arguments: randn 1024, zeros 4, 1024
// check: a1 - a0.view(4, 256).sum(1)
extern "C" __global__ void reduce_warp_atomics(const float* a, float* o, int n) {
  float v = a[blockIdx.x * 256 + threadIdx.x];
  for (int k = 16; k; k /= 2) v += __shfl_down_sync(0xffffffffu, v, k);
  if (threadIdx.x % 32 == 0) atomicAdd(&o[blockIdx.x], v);
}
