// expect: bad_shuffle
// launch: 1 48 0
// arguments: randn 1024, zeros 4, 1024
extern "C" __global__ void shuffle_partial_warp(const float* a, float* o, int n) {
  float v = a[threadIdx.x];
  for (int k = 16; k; k /= 2) v += __shfl_down_sync(0xffffffffu, v, k);
  if (threadIdx.x % 32 == 0) o[threadIdx.x / 32] = v;
}
