// expect: race
// launch: 4 32 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void race_across_blocks_add(const float* a, float* o, int n) {
  float v = a[blockIdx.x * 32 + threadIdx.x];
  for (int k = 16; k; k /= 2) v += __shfl_down_sync(0xffffffffu, v, k);
  if (threadIdx.x == 0) o[0] += v;
}
